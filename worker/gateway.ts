/**
 * The gateway's decision on one request, in the order that costs least: what needs no I/O comes first, and a forged or
 * malformed key never gets further. Fails closed: whatever is not clearly allowed is refused.
 */
import { authorize } from "../core/authorize.ts";
import { readCredential } from "../core/credential.ts";
import { matchRoute } from "../core/match.ts";
import { normalisePath } from "../core/path.ts";
import { TOLD, type Reason } from "../core/reason.ts";
import type { ActiveRecord } from "../core/record.ts";
import type { Route } from "../core/route.ts";
import { parseToken, type ParsedToken } from "../core/token.ts";
import type { GatewayConfiguration } from "./configuration.ts";
import { clientResponse, upstreamRequest } from "./forward.ts";
import { LedgerSource, LedgerUnreachableError } from "./ledger-source.ts";
import type { GatewayPorts } from "./ports.ts";
import { refusalResponse } from "./refusal.ts";
import { Timing } from "./timing.ts";

/** A key as presented: read and found genuine in form, nothing more. */
interface Presented {
  readonly text: string;
  readonly token: ParsedToken;
  readonly basic: boolean;
}

type Refused = {
  readonly reason: Reason;
  readonly missing?: readonly string[];
  readonly any?: boolean;
  readonly route?: Route;
  readonly seq?: number;
};
type Allowed = {
  readonly route: Route;
  readonly record: ActiveRecord | null;
  readonly path: string;
  readonly search: string;
  readonly seq: number;
};

export class Gateway {
  readonly #configuration: GatewayConfiguration;
  readonly #ports: GatewayPorts;
  readonly #source: LedgerSource;

  constructor(configuration: GatewayConfiguration, ports: GatewayPorts) {
    this.#configuration = configuration;
    this.#ports = ports;
    this.#source = new LedgerSource(ports);
  }

  /** Decides a request and forwards it or answers why not. Never throws. */
  async handle(request: Request): Promise<Response> {
    const requestId = this.#ports.requestId();
    const timing = new Timing(this.#ports.now);
    const decision = await this.#decide(request, timing);
    if ("reason" in decision) return this.#refuse(request, requestId, timing, decision);
    const response = await this.#forward(request, requestId, timing, decision);
    if (!response)
      return this.#refuse(request, requestId, timing, { reason: "upstream_unreachable", route: decision.route, seq: decision.seq });
    this.#log("allow", requestId, request, timing, {
      status: response.status,
      route: decision.route,
      seq: decision.seq,
      record: decision.record,
    });
    if (this.#configuration.serverTiming && response.status !== 101) response.headers.append("Server-Timing", timing.header());
    return response;
  }

  async #decide(request: Request, timing: Timing): Promise<Allowed | Refused> {
    const presented = this.#presented(request);
    if (typeof presented === "string") return { reason: presented };
    const url = new URL(request.url);
    const normalised = normalisePath(url.pathname);
    if (typeof normalised === "string") return { reason: normalised };
    try {
      return await this.#decideByLedger(request, presented, { host: url.hostname, path: normalised.path, search: url.search }, timing);
    } catch (error) {
      if (error instanceof LedgerUnreachableError) return { reason: "ledger_unreachable" };
      throw error;
    }
  }

  /** The credential and the token's form: no I/O. Null for a request without a credential. */
  #presented(request: Request): Presented | null | Reason {
    const { headers } = request;
    const credential = readCredential(headers.get("authorization"), headers.get("x-api-key"), this.#ports.decodeBase64);
    if (credential.kind === "none") return null;
    if (credential.kind === "refused") return credential.reason;
    const { tokenPrefix, tagKeys, cells, acceptedEnvironments } = this.#configuration;
    const token = parseToken(credential.text, tokenPrefix, tagKeys, this.#ports.hmacSha256);
    if (typeof token === "string") return token;
    if (token.cell >= cells) return "forged_token";
    if (!acceptedEnvironments.has(token.environment)) return "wrong_environment";
    return { text: credential.text, token, basic: credential.place === "basic" };
  }

  async #decideByLedger(
    request: Request,
    presented: Presented | null,
    target: { host: string; path: string; search: string },
    timing: Timing,
  ): Promise<Allowed | Refused> {
    const { observation, copy } = await this.#source.observe(presented?.token ?? null, timing);
    const seq = observation.token?.seq ?? observation.routes.seq;
    const route = matchRoute(await this.#source.routes(observation.routes, timing), {
      method: request.method,
      host: target.host,
      path: target.path,
    });
    if (!route) return { reason: "no_route", seq };
    const allowed = { route, path: target.path, search: target.search, seq };
    if (!presented) return route.public ? { ...allowed, record: null } : { reason: "missing_credential", route, seq };
    if (presented.basic && !route.basic) return { reason: "basic_not_allowed", route, seq };
    const record = await this.#source.record(presented.token, observation.token, copy, timing);
    if (!record) return { reason: "unknown_key", route, seq };
    const authorization = authorize(record, this.#ports.sha256Hex(presented.text), route, this.#ports.now());
    return authorization.allowed ? { ...allowed, record: authorization.record } : { ...authorization, route, seq };
  }

  async #forward(request: Request, requestId: string, timing: Timing, allowed: Allowed): Promise<Response | undefined> {
    try {
      const outgoing = upstreamRequest({ ...allowed, request, requestId });
      return clientResponse(await timing.span("upstream", () => this.#ports.fetch(outgoing)), requestId);
    } catch {
      return undefined;
    }
  }

  #refuse(request: Request, requestId: string, timing: Timing, refused: Refused): Response {
    const { reason, missing, any, route, seq } = refused;
    this.#log("deny", requestId, request, timing, { reason, status: TOLD[reason].status, route, seq });
    const response = refusalResponse(reason, {
      requestId,
      method: request.method,
      ...(missing && { missing }),
      ...(any !== undefined && { any }),
    });
    if (this.#configuration.serverTiming) response.headers.append("Server-Timing", timing.header());
    return response;
  }

  /** One line a decision. No path, query, token or secret: any of them may hold what must not be logged. */
  #log(
    outcome: "allow" | "deny",
    requestId: string,
    request: Request,
    timing: Timing,
    facts: {
      readonly status: number;
      readonly reason?: Reason;
      readonly route: Route | undefined;
      readonly seq: number | undefined;
      readonly record?: ActiveRecord | null;
    },
  ): void {
    const { record } = facts;
    const organization = record && (record.owner.type === "user" ? record.owner.organization_id : record.owner.id);
    this.#ports.log(
      JSON.stringify({
        event: "decision",
        request_id: requestId,
        outcome,
        reason: facts.reason,
        status: facts.status,
        method: request.method,
        route: facts.route?.name,
        key_id: record?.key_id,
        organization_id: organization ?? undefined,
        seq: facts.seq,
        ms: timing.elapsedMs(),
      }),
    );
  }
}
