/**
 * The gateway: decides each request in the order that costs least, then forwards it or says why not. What needs no I/O
 * comes first, so that a malformed or made-up key gets no further and costs next to nothing; a key that is known, while
 * the leases run, is decided from memory.
 */
import { sha256Hex } from "../core/digest.ts";
import { KeyMemory } from "../core/edge/key-memory.ts";
import type { Candidate } from "../core/edge/candidate.ts";
import { EdgeRequest, type Allowed, type Decision, type Edge, type Need, type Refused, type Step } from "../core/edge/request.ts";
import { RouteMemory } from "../core/edge/route-memory.ts";
import { GatewayTally } from "../core/metrics/tally.ts";
import { EdgeViews } from "../core/protocol/edge-views.ts";
import { TOLD } from "../core/reason.ts";
import { RequestIds } from "../core/request-id.ts";
import { AnswerDeadlines } from "./answer-deadlines.ts";
import { candidateOf, received, type Received } from "./candidate.ts";
import type { GatewayConfiguration } from "./configuration.ts";
import { countedPorts } from "./counted-ports.ts";
import { cutLine, decisionHeader, decisionLine, type Cut } from "./decision-report.ts";
import { clientResponse, upstreamRequest, type Passage } from "./forward.ts";
import { HealthCheck } from "./health.ts";
import { LedgerAccess, type Asker } from "./ledger-access.ts";
import { Limits } from "./limits.ts";
import { OWN_PATHS, OwnEndpoints } from "./own-endpoints.ts";
import type { GatewayPorts, RequestContext } from "./ports.ts";
import { refusalResponse } from "./refusal.ts";
import { ReplicaChoice } from "./replica-choice.ts";
import { preflightResponse, shareWithPages } from "./route-headers.ts";
import { RoutePlans, type FetchOf } from "./route-plan.ts";
import { send, Unanswered } from "./send.ts";
import { Timing } from "./timing.ts";
import { traceIdOf } from "./trace-context.ts";
import { UpstreamFault } from "./upstream-fault.ts";
import { NOBODY, UpstreamIdentity, type IdentityHeaders } from "./upstream-identity.ts";
import { UsageCounter, usagePorts } from "./usage-counter.ts";
import { viaOf } from "./via.ts";

/** What a Worker's `fetch` handler calls. */
export interface Gateway {
  /** Answers a request. Never throws or rejects. */
  fetch(request: Request, context: RequestContext): Response | Promise<Response>;
}

/** What an isolate keeps between requests. */
interface Isolate {
  readonly configuration: GatewayConfiguration;
  readonly ports: GatewayPorts;
  readonly edge: Edge;
  readonly ledger: LedgerAccess;
  readonly replica: ReplicaChoice;
  readonly identity: UpstreamIdentity;
  readonly limits: Limits;
  readonly usage: UsageCounter;
  readonly plans: RoutePlans;
  readonly deadlines: AnswerDeadlines;
  readonly own: OwnEndpoints;
  readonly via: string;
  readonly requestIds: RequestIds;
}

/** A gateway with its own isolate memory. All I/O goes through the ports. */
export function createGateway(configuration: GatewayConfiguration, outside: GatewayPorts): Gateway {
  const tally = new GatewayTally();
  const ports = countedPorts(outside, tally);
  const edge = { views: new EdgeViews(), keys: new KeyMemory(), routes: new RouteMemory(), sha256Hex };
  const ledger = new LedgerAccess(ports, edge, configuration.tagKeys);
  const replica = new ReplicaChoice(configuration, ports.randomUuid);
  const identity = new UpstreamIdentity(configuration.identity);
  const limits = new Limits(ports);
  const usage = new UsageCounter(usagePorts(configuration, ports), configuration.cells, tally);
  const plans = new RoutePlans(upstreamFetches(configuration, ports));
  const deadlines = new AnswerDeadlines(ports);
  const own = new OwnEndpoints(configuration, new HealthCheck(ports, edge, ledger, configuration.tagKeys));
  const via = viaOf(configuration.viaName);
  const requestIds = new RequestIds(ports.randomBytes);
  const isolate: Isolate = { configuration, ports, edge, ledger, replica, identity, limits, usage, plans, deadlines, own, via, requestIds };
  return { fetch: (request, context) => new Exchange(request, context, isolate).answer() };
}

/** One request and its answer. */
class Exchange {
  readonly #received: Received;
  readonly #context: RequestContext;
  readonly #isolate: Isolate;
  readonly #requestId: string;
  readonly #timing: Timing;

  constructor(request: Request, context: RequestContext, isolate: Isolate) {
    this.#received = received(request);
    this.#context = context;
    this.#isolate = isolate;
    this.#requestId = isolate.requestIds.next();
    this.#timing = new Timing(isolate.ports.now, isolate.configuration.serverTiming);
  }

  answer(): Response | Promise<Response> {
    const { configuration, edge } = this.#isolate;
    try {
      const candidate = candidateOf(this.#received, configuration, (tokenId) => edge.keys.known(tokenId) !== undefined);
      return "reason" in candidate ? this.#refuse(candidate) : this.#answerCandidate(candidate);
    } catch (error) {
      return this.#refuse(internalError(error));
    }
  }

  #answerCandidate(candidate: Candidate): Response | Promise<Response> {
    return candidate.path.startsWith(OWN_PATHS) ? this.#answerOwn(candidate) : this.#answerByRoute(candidate);
  }

  async #answerOwn(candidate: Candidate): Promise<Response> {
    const own = await this.#isolate.own.answer(candidate, this.#received.request, this.#asker());
    if (!own) return this.#answerByRoute(candidate);
    return "reason" in own ? this.#refuse(own) : own;
  }

  #answerByRoute(candidate: Candidate): Response | Promise<Response> {
    const decision = this.#decide(candidate);
    return decision instanceof Promise ? decision.then((later) => this.#carryOut(candidate, later)) : this.#carryOut(candidate, decision);
  }

  #carryOut(candidate: Candidate, decision: Decision): Response | Promise<Response> {
    if ("preflight" in decision) {
      const response = preflightResponse(decision, this.#requestId);
      return this.#finish(decision, response, response.status);
    }
    if ("reason" in decision) return this.#refuse(decision);
    return decision.route.limits ? this.#answerWithinLimits(candidate, decision) : this.#forward(candidate, decision);
  }

  /** Takes what the route's limits want. Whenever that had to be asked for, the request is decided once more: the key may have been revoked meanwhile. */
  async #answerWithinLimits(candidate: Candidate, first: Allowed): Promise<Response> {
    const sinceMs = this.#isolate.ports.now();
    let decision: Decision = first;
    while (!("reason" in decision)) {
      const admission = this.#take(decision, sinceMs);
      if ("reason" in admission) return this.#refuse(admission);
      if (!("until" in admission)) return admission.finish(await this.#forward(candidate, admission.allowed));
      await admission.until;
      decision = await this.#decide(candidate);
    }
    return this.#refuse(decision);
  }

  #take(allowed: Allowed, sinceMs: number): ReturnType<Limits["take"]> {
    try {
      return this.#isolate.limits.take(allowed, this.#asker(), sinceMs);
    } catch (error) {
      return { ...allowed, ...internalError(error) };
    }
  }

  /** The decision: at once where memory is enough, for promises cost as much as what is decided. What goes wrong on the way is a refusal too. */
  #decide(candidate: Candidate): Decision | Promise<Decision> {
    try {
      const request = new EdgeRequest(this.#isolate.edge, candidate);
      const step = this.#step(request);
      return "decision" in step ? step.decision : this.#decideLater(request, step.needs);
    } catch (error) {
      return internalError(error);
    }
  }

  async #decideLater(request: EdgeRequest, first: readonly Need[]): Promise<Decision> {
    const { ledger } = this.#isolate;
    try {
      for (let needs = first; ;) {
        await Promise.all(needs.map((need) => ledger.meet(need, request, this.#asker(), this.#timing)));
        const step = this.#step(request);
        if ("decision" in step) return step.decision;
        needs = step.needs;
      }
    } catch (error) {
      return internalError(error);
    }
  }

  #step(request: EdgeRequest): Step {
    const nowMs = this.#isolate.ports.now();
    const step = request.step(nowMs);
    if ("decision" in step) this.#renewViews(request.cells, nowMs);
    return step;
  }

  /** Has one request renew the leases before they run out, after its own answer. */
  #renewViews(cells: readonly number[], nowMs: number): void {
    const { edge, ledger } = this.#isolate;
    if (edge.views.isRenewalDue(cells, nowMs)) void ledger.refresh(this.#asker());
  }

  #asker(): Asker {
    return { replica: this.#isolate.replica.nameFor(this.#received.request), context: this.#context };
  }

  #refuse(refused: Refused): Response {
    const response = refusalResponse(refused.reason, {
      requestId: this.#requestId,
      method: this.#received.method,
      missing: refused.missing,
      limits: refused.limits,
      excluded: refused.excluded,
    });
    return this.#finish(refused, response, TOLD[refused.reason].status);
  }

  async #forward(candidate: Candidate, allowed: Allowed): Promise<Response> {
    const { plans, usage, ports, deadlines, via } = this.#isolate;
    const passage: Passage = { requestId: this.#requestId, via };
    try {
      const plan = plans.of(allowed.route);
      const said = this.#identityOf(allowed);
      const identity = said instanceof Promise ? await said : said;
      const outgoing = upstreamRequest(this.#received, candidate, plan, identity, passage);
      usage.used(allowed, this.#context);
      const answered = this.#timing.begin("upstream");
      const sent = await send(outgoing, plan, { now: ports.now, deadlines, context: this.#context });
      const answer = sent instanceof Unanswered ? await sent.answer() : sent;
      answered();
      const response = clientResponse(answer, plan, passage, (cut) => this.#wasCut(allowed, cut));
      return this.#finish(allowed, response, answer.status);
    } catch (error) {
      return this.#refuse({ ...allowed, ...(error instanceof UpstreamFault ? faultOf(error) : internalError(error)) });
    }
  }

  #identityOf({ record, route }: Allowed): IdentityHeaders | Promise<IdentityHeaders> {
    const { identity, ports } = this.#isolate;
    return record ? identity.headersOf({ record, route }, ports.now(), this.#context) : NOBODY;
  }

  #wasCut({ route }: Allowed, cut: Cut): void {
    this.#isolate.ports.log(cutLine({ requestId: this.#requestId, route: route.name, cut }), this.#context);
  }

  /** `status` is the response's; to read it there would be one more call of the platform. */
  #finish(decision: Decision, response: Response, status: number): Response {
    const { configuration, ports } = this.#isolate;
    const nowMs = ports.now();
    const circumstances = {
      requestId: this.#requestId,
      method: this.#received.method,
      status,
      nowMs,
      ms: this.#timing.elapsedMs(nowMs),
      traceId: traceIdOf(this.#received.headers.get("traceparent")),
    };
    ports.log(decisionLine(decision, circumstances), this.#context);
    this.#isolate.usage.answered(decision, circumstances, this.#context);
    if (decision.basis?.stale === true) ports.count("stale_decision");
    if ("unlimited" in decision && decision.unlimited) ports.count("unlimited_decision");
    if (status === SWITCHING_PROTOCOLS) return response;
    const cors = decision.route?.prepared.cors;
    if (cors) shareWithPages(response.headers, cors, this.#received.headers.get("origin"));
    if (configuration.serverTiming) response.headers.append("Server-Timing", this.#timing.header());
    if (configuration.decisionHeader) response.headers.set("Portcullis-Decision", decisionHeader(decision));
    return response;
  }
}

/** How the upstreams of routes are reached. */
function upstreamFetches({ upstreamServices }: GatewayConfiguration, ports: GatewayPorts): FetchOf {
  return (service) => {
    if (service === undefined) return ports.fetch;
    return upstreamServices.has(service) ? ports.fetchService(service) : () => Promise.reject(new UpstreamFault("upstream_misconfigured"));
  };
}

/** The refusal for what went wrong on the way to the upstream. */
function faultOf({ reason, cause }: UpstreamFault): Refused {
  return cause === undefined ? { reason } : { reason, cause: nameOf(cause) };
}

/** The refusal for a fault of our own. */
function internalError(error: unknown): Refused {
  return { reason: "internal_error", cause: nameOf(error) };
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : "unknown";
}

/** A response whose headers are not ours to change. */
const SWITCHING_PROTOCOLS = 101;
