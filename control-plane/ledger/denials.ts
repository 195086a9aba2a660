/**
 * The record of what was refused to callers that are known: a journal of its own, hash-chained like the ledger and apart from it, for
 * a refusal changes nothing and must not move what is stamped by the ledger's entries. A caller can fill it only slowly: what
 * is beyond the allowance is counted, and the caller's next record says how many there were.
 */
import type { Actor } from "./command.ts";
import { append } from "./journal.ts";

/** Refusals recorded at once, per caller. */
const ALLOWANCE = 20;
/** How long until one more may be recorded, in ms. */
const ALLOWANCE_REFILL_MS = 60_000;

/** What was refused, to whom and why; never what was sent. */
export interface Denial {
  readonly actor: Actor;
  /** The door did not let the caller in, or the ledger refused the command. */
  readonly type: "request.denied" | "command.refused";
  readonly operation: string;
  /** The error's code as it was answered. */
  readonly code: string;
  readonly missing_permissions: readonly string[];
  /** Ids in the path, if they have the form of ids. */
  readonly targets: readonly string[];
  readonly request_id: string;
}

/** Records a refusal, or counts it. Inside a transaction. */
export function recordDenial(sql: SqlStorage, denial: Denial, organizations: readonly string[], nowMs: number): void {
  const { actor, type, targets, operation, code, missing_permissions, request_id } = denial;
  const unrecorded = takeAllowance(sql, actor.id, nowMs);
  if (unrecorded === undefined) return;
  const payload = { operation, code, missing_permissions, targets, request_id, unrecorded_before: unrecorded };
  append(sql, "denials", nowMs, { actor, type, subject: targets[0] ?? operation, organizations, payload });
}

/** How many refusals of the caller were not recorded since the last that was; undefined if this one is not to be recorded either. */
export function takeAllowance(sql: SqlStorage, actorId: string, nowMs: number): number | undefined {
  const [row] = sql
    .exec<{ left_over: number; at_ms: number; unrecorded: number }>("SELECT * FROM denial_allowances WHERE actor_id = ?", actorId)
    .toArray();
  const refilled = row ? row.left_over + Math.max(0, nowMs - row.at_ms) / ALLOWANCE_REFILL_MS : ALLOWANCE;
  const available = Math.min(ALLOWANCE, refilled);
  const isRecorded = available >= 1;
  const unrecorded = row?.unrecorded ?? 0;
  sql.exec(
    "INSERT OR REPLACE INTO denial_allowances VALUES (?, ?, ?, ?)",
    actorId,
    isRecorded ? available - 1 : available,
    Math.max(nowMs, row?.at_ms ?? 0),
    isRecorded ? 0 : unrecorded + 1,
  );
  return isRecorded ? unrecorded : undefined;
}
