/**
 * When each key is to be looked at next. A row says so for every key to which something will happen by time alone; an index finds those that are
 * due. When a key was used is not written here: who looks too early looks again later.
 *
 * Invariant: whatever is to be told or done of a key has a row that is due by then, or a rescheduling is on its way to the key.
 */
import { lookAt, type KeyOnCalendar } from "../../core/key-calendar.ts";
import { unrevokedKey, type ApiKeyRow } from "./api-keys.ts";
import { LAST_USED } from "./key-filter.ts";
import { policyOf } from "./key-policies.ts";
import type { Transaction } from "./transaction.ts";

/** What is remembered of a key between one look and the next. */
export interface KeyMemory {
  readonly told_until_ms: number;
  /** It counts as unused from here on at the earliest. */
  readonly idle_from_ms: number;
  readonly idle_end_told_ms: number | null;
}

/** A key was made, or its end was set: of that, only what comes from now on is told. */
export function scheduleFromNow(sql: SqlStorage, keyId: string, nowMs: number): void {
  schedule(sql, keyId, { told_until_ms: nowMs }, nowMs);
}

/** A key was enabled: that it was not used until now does not count. */
export function scheduleEnabled(sql: SqlStorage, keyId: string, nowMs: number): void {
  schedule(sql, keyId, { idle_from_ms: nowMs }, nowMs);
}

/** Works out anew when a key is to be looked at: now, if there is something to be seen. What changes in what is remembered of it is given. */
export function schedule(sql: SqlStorage, keyId: string, change: Partial<KeyMemory>, nowMs: number): void {
  const key = unrevokedKey(sql, keyId);
  if (!key) return writeSchedule(sql, keyId, null);
  const memory = { ...remembered(sql, key, nowMs), ...change };
  const { moments, nextMs, idle_end_told_ms } = lookAt(policyOf(sql, key.organization_id), onCalendar(sql, key, memory), nowMs);
  const isDue = moments.length > 0;
  writeSchedule(sql, keyId, isDue ? { memory, dueAtMs: nowMs } : { memory: { ...memory, idle_end_told_ms }, dueAtMs: nextMs });
}

/** An organization was resumed, or a membership reactivated. What its keys were not used until now does not count; they are many, and find out when they are looked at. */
export function noteRelease({ sql, nowMs }: Transaction, id: string): void {
  sql.exec("INSERT OR REPLACE INTO owner_releases VALUES (?, ?)", id, nowMs);
}

/** Writes a key's row; without a time to look again there is none. */
export function writeSchedule(
  sql: SqlStorage,
  keyId: string,
  row: { readonly memory: KeyMemory; readonly dueAtMs: number | null } | null,
): void {
  if (!row || row.dueAtMs === null) {
    sql.exec("DELETE FROM api_key_schedule WHERE key_id = ?", keyId);
    return;
  }
  const { told_until_ms, idle_from_ms, idle_end_told_ms } = row.memory;
  const query = "INSERT OR REPLACE INTO api_key_schedule VALUES (?, ?, ?, ?, ?)";
  sql.exec(query, keyId, row.dueAtMs, told_until_ms, idle_from_ms, idle_end_told_ms);
}

/** What is remembered of a key; of one without a row, that all has been told. Nobody can be blamed for not using a key that they are kept from. */
export function remembered(sql: SqlStorage, key: ApiKeyRow, nowMs: number): KeyMemory {
  const [row] = sql
    .exec<{ told_until_ms: number; idle_from_ms: number; idle_end_told_ms: number | null }>(
      "SELECT told_until_ms, idle_from_ms, idle_end_told_ms FROM api_key_schedule WHERE key_id = ?",
      key.id,
    )
    .toArray();
  const memory = row ?? { told_until_ms: nowMs, idle_from_ms: 0, idle_end_told_ms: null };
  const keptUntilMs = isOwnerKept(sql, key) ? nowMs : releasedAtMs(sql, key);
  return { ...memory, idle_from_ms: Math.max(memory.idle_from_ms, keptUntilMs) };
}

/** A key with what is remembered of it, as its calendar is made. */
export function onCalendar(sql: SqlStorage, key: ApiKeyRow, memory: KeyMemory): KeyOnCalendar {
  const { used } = sql.exec<{ used: number | null }>(`SELECT ${LAST_USED} AS used FROM api_keys WHERE id = ?`, key.id).one();
  return {
    expires_at_ms: key.expires_at_ms,
    unused_since_ms: Math.max(used ?? key.created_at_ms, memory.idle_from_ms),
    isEnabled: key.disabled_at_ms === null,
    told_until_ms: memory.told_until_ms,
    idle_end_told_ms: memory.idle_end_told_ms,
  };
}

/** Whether no key of the owner works for the time being: the organization is suspended, or the membership inactive. */
function isOwnerKept(sql: SqlStorage, { organization_id, user_id }: ApiKeyRow): boolean {
  const kept = `SELECT 1 FROM organizations WHERE id = ?1 AND suspended_at_ms IS NOT NULL
    UNION ALL SELECT 1 FROM memberships WHERE organization_id = ?1 AND user_id = ?2 AND status != 'active'`;
  return sql.exec(kept, organization_id, user_id).toArray().length > 0;
}

/** When the owner was last let use keys again; 0 for one who was never kept from it. */
function releasedAtMs(sql: SqlStorage, { organization_id, user_id }: ApiKeyRow): number {
  const released = `SELECT ifnull(max(at_ms), 0) AS at_ms FROM owner_releases
    WHERE id = ?1 OR id = (SELECT id FROM memberships WHERE organization_id = ?1 AND user_id = ?2)`;
  return sql.exec<{ at_ms: number }>(released, organization_id, user_id).one().at_ms;
}
