/** What is told of a decision: one line of log, and a header where the operator wants it. No token, path or query: any of them may hold what must not be told. */
import type { Decision } from "../core/edge/request.ts";
import { organizationOf } from "../core/record.ts";

/** What the line tells besides the decision itself. */
interface Circumstances {
  readonly requestId: string;
  readonly method: string;
  /** Status of the answer the client got. */
  readonly status: number;
  /** Milliseconds from arrival to answer; on Workers the clock moves only at I/O. */
  readonly ms: number;
  /** Of the W3C Trace Context that the request came with. */
  readonly traceId: string | undefined;
}

/**
 * The decision as JSON, with the precise reason, which the caller is not always told. `seq` and `age_ms` say by which entry of which
 * cell it was decided and how long ago that was asked for; `stale` is there when the ledger could not be asked.
 */
export function decisionLine(decision: Decision, { requestId, method, status, ms, traceId }: Circumstances): string {
  const { basis, record, route } = decision;
  const isRefused = "reason" in decision;
  // Put together by hand: this is on the path of every request, and what is not escaped has nothing to escape. The words are our own, and a method is
  // one of those that the platform knows: of any other it lets no request in.
  let line = `{"event":"decision","request_id":"${requestId}","outcome":"${isRefused ? "deny" : "allow"}"`;
  if (isRefused) line += `,"reason":"${decision.reason}"`;
  if (isRefused && decision.cause !== undefined) line += `,"cause":${JSON.stringify(decision.cause)}`;
  line += `,"status":${status},"method":"${method}"`;
  if (route) line += `,"route":"${route.name}"`;
  if (record) line += `,"key_id":"${record.key_id}","organization_id":"${organizationOf(record)}"`;
  if (basis) line += `,"cell":${basis.cell},"seq":${basis.seq},"age_ms":${basis.ageMs}`;
  if ("preflight" in decision) line += ',"preflight":true';
  if (basis?.stale === true) line += ',"stale":true';
  if (isRefused && decision.limits) line += `,"limits":${JSON.stringify(decision.limits.violated)}`;
  if ("unlimited" in decision && decision.unlimited === true) line += ',"unlimited":true';
  if (traceId !== undefined) line += `,"trace_id":"${traceId}"`;
  return `${line},"ms":${ms}}`;
}

/** Value of `Portcullis-Decision`: an item of RFC 9651, `allow;cell=8;seq=13;age_ms=420` or `deny`, with `stale` when it is. */
export function decisionHeader(decision: Decision): string {
  const { basis } = decision;
  const outcome = "reason" in decision ? "deny" : "allow";
  if (!basis) return outcome;
  return `${outcome};cell=${basis.cell};seq=${basis.seq};age_ms=${basis.ageMs}${basis.stale ? ";stale" : ""}`;
}

/** Why the body of an answer was cut off. */
export type Cut = "idle" | "too_large" | "broken";

/** An answer that had begun and did not come to its end: the client cannot be told why any more. */
export function cutLine({ requestId, route, cut }: { readonly requestId: string; readonly route: string; readonly cut: Cut }): string {
  return `{"event":"response_cut","request_id":"${requestId}","route":"${route}","reason":"${cut}"}`;
}
