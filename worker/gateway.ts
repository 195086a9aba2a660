/**
 * The gateway: decides each request in the order that costs least, then forwards it or says why not. What needs no I/O
 * comes first, so that a malformed or made-up key gets no further and costs next to nothing.
 */
import type { Reason } from "../core/reason.ts";
import type { GatewayConfiguration } from "./configuration.ts";
import { decisionLine } from "./decision-log.ts";
import { candidateOf, decide, type Allowed, type Candidate, type Decision, type Refused } from "./decision.ts";
import { clientResponse, send, upstreamRequest } from "./forward.ts";
import { LedgerSource } from "./ledger-source.ts";
import type { GatewayPorts, RequestContext } from "./ports.ts";
import { readPresented } from "./presented.ts";
import { refusalResponse } from "./refusal.ts";
import { mintRequestId } from "../core/request-id.ts";
import { Timing } from "./timing.ts";

/** What a Worker's `fetch` handler calls. */
export interface Gateway {
  /** Answers a request. Never throws or rejects. */
  fetch(request: Request, context: RequestContext): Response | Promise<Response>;
}

/** A gateway with its own isolate memory. All I/O goes through the ports. */
export function createGateway(configuration: GatewayConfiguration, ports: GatewayPorts): Gateway {
  const source = new LedgerSource(ports, configuration.tagKeys);
  return {
    fetch(request, context) {
      const exchange = new Exchange(request, context, configuration, ports);
      const candidate = exchange.candidate();
      return "reason" in candidate ? exchange.refuse(candidate) : exchange.decide(candidate, source);
    },
  };
}

/** One request and its answer. */
class Exchange {
  readonly #request: Request;
  readonly #context: RequestContext;
  readonly #configuration: GatewayConfiguration;
  readonly #ports: GatewayPorts;
  readonly #requestId: string;
  readonly #timing: Timing;

  constructor(request: Request, context: RequestContext, configuration: GatewayConfiguration, ports: GatewayPorts) {
    this.#request = request;
    this.#context = context;
    this.#configuration = configuration;
    this.#ports = ports;
    this.#requestId = mintRequestId(ports.randomUuid);
    this.#timing = new Timing(ports.now);
  }

  /** What can be judged without I/O. */
  candidate(): Candidate | Refused {
    const presented = readPresented(this.#request, this.#configuration);
    return typeof presented === "string" ? { reason: presented } : candidateOf(this.#request, presented);
  }

  /** What needs the ledger, and then the upstream. */
  async decide(candidate: Candidate, source: LedgerSource): Promise<Response> {
    const decision = await decide(candidate, source, this.#ports, this.#timing);
    return "reason" in decision ? this.refuse(decision) : this.#forward(decision);
  }

  refuse(refused: Refused): Response {
    const response = refusalResponse(refused.reason, {
      requestId: this.#requestId,
      method: this.#request.method,
      missing: refused.missing,
    });
    return this.#finish(refused, response);
  }

  async #forward(allowed: Allowed): Promise<Response> {
    try {
      const outgoing = upstreamRequest(this.#request, allowed, this.#requestId);
      const answer = await this.#timing.span("upstream", () => send(outgoing, this.#ports.fetch));
      const response = clientResponse(answer, this.#requestId);
      return response ? this.#finish(allowed, response) : this.#unreachable(allowed, "InterimResponse");
    } catch (error) {
      return this.#unreachable(allowed, error instanceof Error ? error.name : "unknown");
    }
  }

  #unreachable({ route, seq, record }: Allowed, cause: string): Response {
    const reason: Reason = "upstream_unreachable";
    return this.refuse({ reason, cause, route, ...(seq !== undefined && { seq }), ...(record && { record }) });
  }

  #finish(decision: Decision, response: Response): Response {
    const { method } = this.#request;
    const circumstances = { requestId: this.#requestId, method, status: response.status, ms: this.#timing.elapsedMs() };
    this.#ports.log(decisionLine(decision, circumstances), this.#context);
    if (this.#configuration.serverTiming && response.status !== 101) response.headers.append("Server-Timing", this.#timing.header());
    return response;
  }
}
