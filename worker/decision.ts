/**
 * What the gateway decides of a request: it may pass, or why not. Fails closed: whatever is not clearly allowed is
 * refused.
 */
import { authorize, type MissingPermissions } from "../core/authorize.ts";
import { sha256Hex } from "../core/digest.ts";
import { matchRoute } from "../core/match.ts";
import { isPathFault, normalisePath, type NormalPath } from "../core/path.ts";
import type { Reason } from "../core/reason.ts";
import type { ActiveRecord } from "../core/record.ts";
import type { Route } from "../core/route.ts";
import { readTarget } from "../core/target.ts";
import { LedgerUnreachableError, type LedgerSource } from "./ledger-source.ts";
import type { GatewayPorts } from "./ports.ts";
import type { Presented } from "./presented.ts";
import type { Timing } from "./timing.ts";

/** What was found out on the way, as far as the decision got. */
interface Found {
  readonly route?: Route;
  /** Entry of the ledger that the decision is based on. */
  readonly seq?: number;
  /** Whose key it is; absent on a public route without one. */
  readonly record?: ActiveRecord;
}

/** The request may pass to `route`'s upstream. */
export interface Allowed extends Found {
  readonly route: Route;
  readonly path: NormalPath;
  readonly search: string;
}

/** The request is refused. */
export interface Refused extends Found {
  readonly reason: Reason;
  readonly missing?: MissingPermissions;
  /** Name of the error behind it, for the log. */
  readonly cause?: string;
}

export type Decision = Allowed | Refused;

/** A request whose key and path are in order, as far as can be seen without I/O. */
export interface Candidate {
  readonly method: string;
  /** Host name in lower case. */
  readonly host: string;
  readonly path: NormalPath;
  readonly search: string;
  readonly presented: Presented | null;
}

/** Where the request wants to go, or that its path is ambiguous. No I/O. */
export function candidateOf(request: Request, presented: Presented | null): Candidate | Refused {
  const { host, path: sentPath, search } = readTarget(request.url);
  const path = normalisePath(sentPath);
  return isPathFault(path) ? { reason: path } : { method: request.method, host, path, search, presented };
}

type Clock = Pick<GatewayPorts, "now">;

/** Asks the ledger and decides. Never rejects: what goes wrong is a refusal too. */
export async function decide(candidate: Candidate, source: LedgerSource, ports: Clock, timing: Timing): Promise<Decision> {
  try {
    return await decideByLedger(candidate, source, ports, timing);
  } catch (error) {
    if (error instanceof LedgerUnreachableError) return { reason: "ledger_unreachable", cause: nameOf(error.cause) };
    return { reason: "internal_error", cause: nameOf(error) };
  }
}

async function decideByLedger(candidate: Candidate, source: LedgerSource, ports: Clock, timing: Timing): Promise<Decision> {
  const { presented, path, search } = candidate;
  const sighting = await source.observe(presented?.token ?? null, timing);
  const seq = sighting.token?.seq ?? sighting.routes.seq;
  const route = matchRoute(await source.routes(sighting, timing), candidate);
  if (!route) return { reason: "no_route", seq };
  if (!presented) return route.public === true ? { route, path, search, seq } : { reason: "missing_credential", route, seq };
  if (presented.basic && route.basic !== true) return { reason: "basic_not_allowed", route, seq };
  const record = await source.record(presented.token, sighting, timing);
  if (!record) return { reason: "unknown_key", route, seq };
  const authorization = authorize(record, sha256Hex(presented.text), route, ports.now());
  if (authorization.allowed) return { route, path, search, seq, record: authorization.record };
  const owner = record.state === "active" ? { record } : {};
  return { ...authorization, ...owner, route, seq };
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : "unknown";
}
