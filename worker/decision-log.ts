/** One line of log per decision. No token, path or query: any of them may hold what must not be logged. */
import type { Reason } from "../core/reason.ts";
import type { Decision } from "./decision.ts";
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

/** The decision as JSON, with the precise reason, which the caller is not always told. */
export function decisionLine(decision: Decision, { requestId, method, status, ms }: Circumstances): string {
  const refused: { reason?: Reason; cause?: string | undefined } =
    "reason" in decision ? { reason: decision.reason, cause: decision.cause } : {};
  return JSON.stringify({
    event: "decision",
    request_id: requestId,
    outcome: "reason" in decision ? "deny" : "allow",
    ...refused,
    status,
    method,
    route: decision.route?.name,
    key_id: decision.record?.key_id,
    organization_id: decision.record && organizationOf(decision.record),
    seq: decision.seq,
    ms,
  });
}
