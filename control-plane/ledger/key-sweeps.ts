/**
 * What time does to keys and to requests for them, in the cell's alarm: notices before an end, the end, that of a rotation's overlap, warnings
 * that a key is not used, and its being disabled for that. Each sweep is one transaction of so many rows at most, found by index; what is left waits for the next alarm, which
 * is set at once. In that transaction stands also what was told, so each thing is told once, and what came due while the cell was away
 * is told when it is back.
 */
import { lookAt, type KeyMoment } from "../../core/key-calendar.ts";
import { unrevokedKey, type ApiKeyRow } from "./api-keys.ts";
import { INSTALLATION } from "./concerned-organizations.ts";
import type { EntryType } from "./event-catalogue.ts";
import { isoTime } from "./iso-time.ts";
import { noteChange } from "./key-change.ts";
import { policyOf } from "./key-policies.ts";
import { expireKeyRequests, nextRequestExpiryAtMs } from "./key-request-commands.ts";
import { onCalendar, remembered, schedule, writeSchedule } from "./key-schedule.ts";
import { latestSeq } from "./journal.ts";
import { nextSecretEndingAtMs, tellSecretEndings } from "./secret-endings.ts";
import { Transaction } from "./transaction.ts";

/** Keys, requests, and secrets, that one sweep deals with. */
const AT_ONCE = 100;
/** Keys whose time is worked out anew at once. */
const RESCHEDULED_AT_ONCE = 500;

const ACTOR = { type: "system", id: "api_key_policy" } as const;

/** How long before a sweep that failed is tried again, in ms. */
const RETRY_MS = 60_000;

/** A cell's sweeps. */
export class KeySweeps {
  readonly #storage: DurableObjectStorage;
  readonly #cell: number;
  #notBeforeMs = 0;

  constructor(storage: DurableObjectStorage, cell: number) {
    this.#storage = storage;
    this.#cell = cell;
  }

  /**
   * Does what is due. Answers the entry with which keys were taken out of use, to be brought to every edge; null if none were. A failure is
   * noted for a later try and never thrown: it must not keep the cell from anything else.
   */
  run(): number | null {
    const nowMs = Date.now();
    if (nowMs < this.#notBeforeMs) return null;
    try {
      return sweep(this.#storage, nowMs);
    } catch (error) {
      this.#notBeforeMs = nowMs + RETRY_MS;
      console.log(JSON.stringify({ event: "sweep_failed", cell: this.#cell, reason: error instanceof Error ? error.name : "unknown" }));
      return null;
    }
  }

  /** When there is something to do next, or null. */
  nextAtMs(): number | null {
    const { sql } = this.#storage;
    const { due } = sql.exec<{ due: number | null }>("SELECT min(due_at_ms) AS due FROM api_key_schedule").one();
    const isRescheduling = sql.exec("SELECT 1 FROM api_key_reschedulings LIMIT 1").toArray().length > 0;
    const waiting = [due, nextRequestExpiryAtMs(sql), nextSecretEndingAtMs(sql), isRescheduling ? 0 : null].filter((at) => at !== null);
    return waiting.length === 0 ? null : Math.max(this.#notBeforeMs, Math.min(...waiting));
  }
}

function sweep(storage: DurableObjectStorage, nowMs: number): number | null {
  const { sql } = storage;
  storage.transactionSync(() => rescheduleSome(sql, nowMs));
  storage.transactionSync(() => expireKeyRequests(new Transaction(sql, nowMs, ACTOR), AT_ONCE));
  storage.transactionSync(() => tellSecretEndings(new Transaction(sql, nowMs, ACTOR), AT_ONCE));
  return storage.transactionSync(() => lookAtDueKeys(sql, nowMs));
}

function lookAtDueKeys(sql: SqlStorage, nowMs: number): number | null {
  const due = sql
    .exec<{ key_id: string }>("SELECT key_id FROM api_key_schedule WHERE due_at_ms <= ? ORDER BY due_at_ms LIMIT ?", nowMs, AT_ONCE)
    .toArray();
  const disabled = due.filter(({ key_id }) => lookAtKey(sql, key_id, nowMs)).map(({ key_id }) => key_id);
  if (disabled.length === 0) return null;
  // One entry for each key, so that each organization has its own in its log; one receipt for all of them.
  const seq = latestSeq(sql);
  const transaction = new Transaction(sql, nowMs, ACTOR);
  for (const id of disabled) {
    transaction.raise(`key:${id}`, "superseded", seq);
    transaction.publishKey(id, seq);
  }
  return seq;
}

/** Tells and does what has become of one key; whether it was disabled. A key that has ended otherwise needs no look any more. */
function lookAtKey(sql: SqlStorage, id: string, nowMs: number): boolean {
  const key = unrevokedKey(sql, id);
  if (!key) {
    writeSchedule(sql, id, null);
    return false;
  }
  const policy = policyOf(sql, key.organization_id);
  const memory = remembered(sql, key, nowMs);
  const { moments, nextMs, idle_end_told_ms } = lookAt(policy, onCalendar(sql, key, memory), nowMs);
  for (const moment of moments) happen(sql, key, moment, policy.idle_days_max, nowMs);
  writeSchedule(sql, id, { memory: { ...memory, told_until_ms: nowMs, idle_end_told_ms }, dueAtMs: nextMs });
  return moments.some(({ type }) => type === "disabled_for_idleness");
}

function happen(sql: SqlStorage, key: ApiKeyRow, moment: KeyMoment, idleDays: number | null, nowMs: number): void {
  const { id, organization_id, user_id, name } = key;
  const named = { id, organization_id, user_id, name };
  const tell = (type: EntryType, more: Record<string, unknown>, reason?: string) =>
    new Transaction(sql, nowMs, ACTOR, reason).append(type, id, { ...named, ...more });
  switch (moment.type) {
    case "expired":
      return void tell("api_key.expired", { expires_at_ms: key.expires_at_ms });
    case "expiring_soon":
      return void tell("api_key.expiring_soon", { notice: { days: moment.days } });
    case "idle":
      return void tell("api_key.idle", { notice: { disabled_at: isoTime(moment.disabled_at_ms), idle_days_max: idleDays } });
    case "disabled_for_idleness": {
      tell(
        "api_key.disabled",
        { notice: { idle_days_max: idleDays } },
        `Unused for ${idleDays} days, which is all that the policy allows.`,
      );
      sql.exec("UPDATE api_keys SET disabled_at_ms = ? WHERE id = ?", nowMs, id);
      return noteChange(new Transaction(sql, nowMs, ACTOR), id);
    }
  }
}

/** After a policy has changed, or for keys from before there were any: works out when each key is to be looked at, so many at a time. */
function rescheduleSome(sql: SqlStorage, nowMs: number): void {
  const [work] = sql.exec<{ scope: string; after_key_id: string }>("SELECT * FROM api_key_reschedulings LIMIT 1").toArray();
  if (!work) return;
  const { scope, after_key_id } = work;
  const keys =
    scope === INSTALLATION
      ? sql.exec<{ id: string }>("SELECT id FROM api_keys WHERE id > ? ORDER BY id LIMIT ?", after_key_id, RESCHEDULED_AT_ONCE)
      : sql.exec<{ id: string }>(
          "SELECT id FROM api_keys WHERE organization_id = ? AND revoked_seq IS NULL AND id > ? ORDER BY id LIMIT ?",
          scope,
          after_key_id,
          RESCHEDULED_AT_ONCE,
        );
  const ids = keys.toArray().map(({ id }) => id);
  for (const id of ids) schedule(sql, id, {}, nowMs);
  const last = ids.at(-1);
  if (last === undefined || ids.length < RESCHEDULED_AT_ONCE) sql.exec("DELETE FROM api_key_reschedulings WHERE scope = ?", scope);
  else sql.exec("UPDATE api_key_reschedulings SET after_key_id = ? WHERE scope = ?", last, scope);
}
