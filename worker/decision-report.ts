/** What is told of a decision: one line of log, and a header where the operator wants it. No token, path or query: any of them may hold what must not be told. */
import type { Decision } from "../core/edge/request.ts";
import type { Reason } from "../core/reason.ts";
import { organizationOf } from "./forward.ts";

/** What the line tells besides the decision itself. */
export interface Circumstances {
  readonly requestId: string;
  readonly method: string;
  /** Status of the answer the client got. */
  readonly status: number;
  /** Milliseconds from arrival to answer; on Workers the clock moves only at I/O. */
  readonly ms: number;
}

/**
 * The decision as JSON, with the precise reason, which the caller is not always told. `seq` and `age_ms` say by which entry of which
 * cell it was decided and how long ago that was asked for; `stale` is there when the ledger could not be asked.
 */
export function decisionLine(decision: Decision, { requestId, method, status, ms }: Circumstances): string {
  const refused: { reason?: Reason; cause?: string | undefined } =
    "reason" in decision ? { reason: decision.reason, cause: decision.cause } : {};
  const { basis, record } = decision;
  return JSON.stringify({
    event: "decision",
    request_id: requestId,
    outcome: "reason" in decision ? "deny" : "allow",
    ...refused,
    status,
    method,
    route: decision.route?.name,
    key_id: record?.key_id,
    organization_id: record && organizationOf(record),
    cell: basis?.cell,
    seq: basis?.seq,
    age_ms: basis?.ageMs,
    stale: basis?.stale === true ? true : undefined,
    ms,
  });
}

/** Value of `Portcullis-Decision`: an item of RFC 9651, `allow;cell=8;seq=13;age_ms=420` or `deny`, with `stale` when it is. */
export function decisionHeader(decision: Decision): string {
  const { basis } = decision;
  const outcome = "reason" in decision ? "deny" : "allow";
  if (!basis) return outcome;
  return `${outcome};cell=${basis.cell};seq=${basis.seq};age_ms=${basis.ageMs}${basis.stale ? ";stale" : ""}`;
}
