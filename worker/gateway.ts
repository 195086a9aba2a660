/**
 * The gateway: decides each request in the order that costs least, then forwards it or says why not. What needs no I/O
 * comes first, so that a malformed or made-up key gets no further and costs next to nothing; a key that is known, while
 * the leases run, is decided from memory.
 */
import { sha256Hex } from "../core/digest.ts";
import { KeyMemory } from "../core/edge/key-memory.ts";
import type { Candidate } from "../core/edge/candidate.ts";
import { EdgeRequest, type Allowed, type Decision, type Edge, type Refused } from "../core/edge/request.ts";
import { RouteMemory } from "../core/edge/route-memory.ts";
import { EdgeViews } from "../core/protocol/edge-views.ts";
import type { PreparedRoute } from "../core/prepared-route.ts";
import { mintRequestId } from "../core/request-id.ts";
import { KEY_SET_PATH, keySetResponse } from "./assertion-keys.ts";
import { candidateOf } from "./candidate.ts";
import type { GatewayConfiguration } from "./configuration.ts";
import { decisionHeader, decisionLine } from "./decision-report.ts";
import { clientResponse, send, upstreamRequest, type UpstreamRequest } from "./forward.ts";
import { LedgerAccess, type Asker } from "./ledger-access.ts";
import type { GatewayPorts, RequestContext } from "./ports.ts";
import { refusalResponse } from "./refusal.ts";
import { ReplicaChoice } from "./replica-choice.ts";
import { forgetSharing, preflightResponse, ruleResponseHeaders, shareWithPages } from "./route-headers.ts";
import { Timing } from "./timing.ts";
import { NOBODY, UpstreamIdentity, type IdentityHeaders } from "./upstream-identity.ts";
import { UsageCounter, usagePorts } from "./usage-counter.ts";

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
  readonly usage: UsageCounter;
}

/** A gateway with its own isolate memory. All I/O goes through the ports. */
export function createGateway(configuration: GatewayConfiguration, ports: GatewayPorts): Gateway {
  const edge = { views: new EdgeViews(), keys: new KeyMemory(), routes: new RouteMemory(), sha256Hex };
  const ledger = new LedgerAccess(ports, edge, configuration.tagKeys);
  const replica = new ReplicaChoice(configuration, ports.randomUuid);
  const identity = new UpstreamIdentity(configuration.identity);
  const usage = new UsageCounter(usagePorts(configuration, ports), configuration.cells);
  const isolate: Isolate = { configuration, ports, edge, ledger, replica, identity, usage };
  return { fetch: (request, context) => new Exchange(request, context, isolate).answer() };
}

/** One request and its answer. */
class Exchange {
  readonly #request: Request;
  readonly #context: RequestContext;
  readonly #isolate: Isolate;
  readonly #requestId: string;
  readonly #timing: Timing;

  constructor(request: Request, context: RequestContext, isolate: Isolate) {
    this.#request = request;
    this.#context = context;
    this.#isolate = isolate;
    this.#requestId = mintRequestId(isolate.ports.randomUuid);
    this.#timing = new Timing(isolate.ports.now, isolate.configuration.serverTiming);
  }

  answer(): Response | Promise<Response> {
    const { configuration, edge } = this.#isolate;
    try {
      const candidate = candidateOf(this.#request, configuration, (tokenId) => edge.keys.known(tokenId) !== undefined);
      return "reason" in candidate ? this.#refuse(candidate) : this.#answerCandidate(candidate);
    } catch (error) {
      return this.#refuse(internalError(error));
    }
  }

  async #answerCandidate(candidate: Candidate): Promise<Response> {
    const { assertionKeys } = this.#isolate.configuration.identity;
    if (candidate.path === KEY_SET_PATH && assertionKeys) return keySetResponse(assertionKeys);
    const decision = await this.#decide(candidate);
    if ("preflight" in decision) return this.#finish(decision, preflightResponse(decision, this.#requestId));
    return "reason" in decision ? this.#refuse(decision) : this.#forward(candidate, decision);
  }

  /** Steps until there is a decision. What goes wrong on the way is a refusal too. */
  async #decide(candidate: Candidate): Promise<Decision> {
    const { edge, ledger, ports } = this.#isolate;
    try {
      const request = new EdgeRequest(edge, candidate);
      for (;;) {
        const nowMs = ports.now();
        const step = request.step(nowMs);
        if ("decision" in step) {
          this.#renewViews(request.cells, nowMs);
          return step.decision;
        }
        await Promise.all(step.needs.map((need) => ledger.meet(need, request, this.#asker(), this.#timing)));
      }
    } catch (error) {
      return internalError(error);
    }
  }

  /** Has one request renew the leases before they run out, after its own answer. */
  #renewViews(cells: readonly number[], nowMs: number): void {
    const { edge, ledger } = this.#isolate;
    if (edge.views.isRenewalDue(cells, nowMs)) void ledger.refresh(this.#asker());
  }

  #asker(): Asker {
    return { replica: this.#isolate.replica.nameFor(this.#request), context: this.#context };
  }

  #refuse(refused: Refused): Response {
    const response = refusalResponse(refused.reason, {
      requestId: this.#requestId,
      method: this.#request.method,
      missing: refused.missing,
      excluded: refused.excluded,
    });
    return this.#finish(refused, response);
  }

  async #forward(candidate: Candidate, allowed: Allowed): Promise<Response> {
    let outgoing: UpstreamRequest;
    try {
      outgoing = upstreamRequest(this.#request, candidate, allowed.route, await this.#identityOf(allowed), this.#requestId);
    } catch (error) {
      return this.#refuse({ ...allowed, ...internalError(error) });
    }
    try {
      this.#isolate.usage.used(allowed, this.#context);
      const answer = await this.#timing.span("upstream", () => send(outgoing, candidate.method, this.#isolate.ports.fetch));
      const response = clientResponse(answer, this.#requestId);
      if (!response) return this.#unreachable(allowed, "InterimResponse");
      if (response.status !== SWITCHING_PROTOCOLS) this.#applyRules(response.headers, allowed.route);
      return this.#finish(allowed, response);
    } catch (error) {
      return this.#unreachable(allowed, nameOf(error));
    }
  }

  #applyRules(headers: Headers, { prepared: { cors, responseHeaders } }: PreparedRoute): void {
    if (responseHeaders) ruleResponseHeaders(headers, responseHeaders);
    if (cors) forgetSharing(headers);
  }

  #identityOf({ record, route }: Allowed): IdentityHeaders | Promise<IdentityHeaders> {
    const { identity, ports } = this.#isolate;
    return record ? identity.headersOf({ record, route }, ports.now(), this.#context) : NOBODY;
  }

  #unreachable({ route, basis, record }: Allowed, cause: string): Response {
    return this.#refuse({ reason: "upstream_unreachable", cause, route, ...(basis && { basis }), ...(record && { record }) });
  }

  #finish(decision: Decision, response: Response): Response {
    const { configuration, ports } = this.#isolate;
    const circumstances = {
      requestId: this.#requestId,
      method: this.#request.method,
      status: response.status,
      ms: this.#timing.elapsedMs(),
    };
    ports.log(decisionLine(decision, circumstances), this.#context);
    this.#isolate.usage.answered(decision, response.status, this.#context);
    if (decision.basis?.stale === true) ports.count("stale_decision");
    if (response.status === SWITCHING_PROTOCOLS) return response;
    const cors = decision.route?.prepared.cors;
    if (cors) shareWithPages(response.headers, cors, this.#request.headers.get("origin"));
    if (configuration.serverTiming) response.headers.append("Server-Timing", this.#timing.header());
    if (configuration.decisionHeader) response.headers.set("Portcullis-Decision", decisionHeader(decision));
    return response;
  }
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
