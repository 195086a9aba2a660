/**
 * The record of what was refused to callers that are known: a journal of its own, hash-chained like the ledger and apart from it, for
 * a refusal changes nothing and must not move what is stamped by the ledger's entries. A caller can fill it only slowly, and so can
 * all callers together whom one customer can make: what is beyond the allowance is counted, and the caller's next record says how many there were.
 */
import type { Actor } from "./command.ts";
import { append } from "./journal.ts";

/** How many refusals are recorded at once, and how long until there may be one more, in ms. */
interface Allowance {
  readonly atOnce: number;
  readonly refillMs: number;
}

/** After so long, in ms, every allowance is whole again. */
const WHOLE_AFTER_MS = 20 * 60_000;
/** How long it is kept that some refusals of a caller were not recorded, in ms. */
const UNRECORDED_KEPT_MS = 90 * 86_400_000;
/** Allowances that go when one is noted: more than can come, so that there are never more than are needed. */
const FORGOTTEN_AT_ONCE = 3;

const OF_CALLER: Allowance = { atOnce: 20, refillMs: 60_000 };
/** Of all together who come through one organization's widgets: whoever can make users there can make as many callers. */
const OF_WIDGETS: Allowance = { atOnce: 200, refillMs: 6_000 };

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
  const { self_serve } = actor;
  const ofCaller = meter(sql, actor.id, OF_CALLER, nowMs);
  const ofWidgets = self_serve && meter(sql, `widgets of ${self_serve.organization_id}`, OF_WIDGETS, nowMs);
  const isRecorded = [ofCaller, ofWidgets].every((each) => each === undefined || each.available >= 1);
  for (const each of [ofCaller, ofWidgets]) if (each) note(sql, each, isRecorded, nowMs);
  if (!isRecorded) return;
  const payload = { operation, code, missing_permissions, targets, request_id, unrecorded_before: ofCaller.unrecorded };
  append(sql, "denials", nowMs, {
    actor: { type: actor.type, id: actor.id },
    type,
    subject: targets[0] ?? operation,
    organizations,
    payload,
  });
}

/** How many refusals of a caller were not recorded since the last that was; undefined if this one is not to be recorded either. */
export function takeAllowance(sql: SqlStorage, name: string, nowMs: number): number | undefined {
  const own = meter(sql, name, OF_CALLER, nowMs);
  const isRecorded = own.available >= 1;
  note(sql, own, isRecorded, nowMs);
  return isRecorded ? own.unrecorded : undefined;
}

/** What is left of an allowance. */
interface Meter {
  readonly name: string;
  readonly available: number;
  /** Refusals that were not recorded since the last one that was. */
  readonly unrecorded: number;
}

function meter(sql: SqlStorage, name: string, { atOnce, refillMs }: Allowance, nowMs: number): Meter {
  const [row] = sql
    .exec<{ left_over: number; at_ms: number; unrecorded: number }>("SELECT * FROM denial_allowances WHERE actor_id = ?", name)
    .toArray();
  if (!row) return { name, available: atOnce, unrecorded: 0 };
  const refilled = row.left_over + Math.max(0, nowMs - row.at_ms) / refillMs;
  return { name, available: Math.min(atOnce, refilled), unrecorded: row.unrecorded };
}

function note(sql: SqlStorage, { name, available, unrecorded }: Meter, isRecorded: boolean, nowMs: number): void {
  const [left, since] = isRecorded ? [available - 1, 0] : [available, unrecorded + 1];
  sql.exec(
    `INSERT INTO denial_allowances VALUES (?, ?, ?, ?) ON CONFLICT (actor_id)
     DO UPDATE SET left_over = excluded.left_over, at_ms = max(at_ms, excluded.at_ms), unrecorded = excluded.unrecorded`,
    name,
    left,
    nowMs,
    since,
  );
  forgetWhole(sql, nowMs);
}

/** Forgets a few allowances that are as good as new ones, and such counts as are old. */
function forgetWhole(sql: SqlStorage, nowMs: number): void {
  const forget = "DELETE FROM denial_allowances WHERE actor_id IN (SELECT actor_id FROM denial_allowances";
  const wholeSinceMs = nowMs - WHOLE_AFTER_MS;
  sql.exec(`${forget} WHERE unrecorded = 0 AND at_ms < ? ORDER BY at_ms LIMIT ?)`, wholeSinceMs, FORGOTTEN_AT_ONCE);
  sql.exec(`${forget} WHERE unrecorded > 0 AND at_ms < ? ORDER BY at_ms LIMIT ?)`, nowMs - UNRECORDED_KEPT_MS, FORGOTTEN_AT_ONCE);
}
