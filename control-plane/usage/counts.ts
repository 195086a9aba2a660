/** Counting batches: each once, however often it comes. */
import { HOUR_MS, type UsageBatch, type UsageEntry } from "../../core/usage/batch.ts";

/** For how long, in ms, a batch that comes again is recognised. Gateways send again for minutes; a queue may keep messages for half a day. */
const BATCH_KNOWN_MS = 24 * HOUR_MS;
/** Rows that are deleted at once. */
const SWEPT_AT_ONCE = 5_000;
const DAY_MS = 24 * HOUR_MS;

/** Counts a batch; false when it was counted before. Inside a transaction. */
export function countBatch(sql: SqlStorage, batch: UsageBatch, nowMs: number): boolean {
  if (sql.exec("INSERT OR IGNORE INTO batches VALUES (?, ?) RETURNING id", batch.id, nowMs).toArray().length === 0) return false;
  // The hour of a gateway whose clock is ahead has not come yet.
  const hourMs = Math.min(batch.hour_ms, nowMs - (nowMs % HOUR_MS));
  for (const entry of batch.entries) {
    countEntry(sql, entry, hourMs);
    noteUse(sql, entry);
  }
  return true;
}

/** The permissions that a count's requests made use of: none were used by what was refused. */
export function permissionsOfCount(entry: UsageEntry, refusal: string | null): readonly string[] {
  return refusal === null ? entry.permissions : [];
}

/** Forgets old batches and counts, a stretch at a time; whether there is more to forget. */
export function sweep(sql: SqlStorage, retentionDays: number, nowMs: number): boolean {
  const batches = sql.exec(
    "DELETE FROM batches WHERE id IN (SELECT id FROM batches WHERE at_ms <= ? LIMIT ?)",
    nowMs - BATCH_KNOWN_MS,
    SWEPT_AT_ONCE,
  );
  const counts = sql.exec(
    "DELETE FROM usage WHERE rowid IN (SELECT rowid FROM usage WHERE hour_ms <= ? LIMIT ?)",
    nowMs - retentionDays * DAY_MS - HOUR_MS,
    SWEPT_AT_ONCE,
  );
  return batches.rowsWritten >= SWEPT_AT_ONCE || counts.rowsWritten >= SWEPT_AT_ONCE;
}

/** When the next thing becomes old enough to be forgotten, or null. */
export function nextSweepAtMs(sql: SqlStorage, retentionDays: number): number | null {
  const { batch, hour } = sql
    .exec<{ batch: number | null; hour: number | null }>(
      "SELECT (SELECT min(at_ms) FROM batches) AS batch, (SELECT min(hour_ms) FROM usage) AS hour",
    )
    .one();
  const due = [batch === null ? null : batch + BATCH_KNOWN_MS, hour === null ? null : hour + HOUR_MS + retentionDays * DAY_MS];
  const known = due.filter((at) => at !== null);
  return known.length === 0 ? null : Math.min(...known);
}

function countEntry(sql: SqlStorage, entry: UsageEntry, hourMs: number): void {
  for (const { status, refusal, requests } of entry.counts)
    sql.exec(
      `INSERT INTO usage VALUES (?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (organization_id, hour_ms, key_id, route, permissions, refusal, status) DO UPDATE SET requests = requests + excluded.requests`,
      entry.organization_id,
      hourMs,
      entry.key_id,
      entry.route,
      JSON.stringify(permissionsOfCount(entry, refusal)),
      refusal ?? "",
      status,
      requests,
    );
}

/** To be told to the ledger. */
function noteUse(sql: SqlStorage, { token_id, key_id, permissions, used_at_ms }: UsageEntry): void {
  if (used_at_ms === null) return;
  const later = "ON CONFLICT DO UPDATE SET at_ms = max(at_ms, excluded.at_ms)";
  sql.exec(`INSERT INTO untold_secret_uses VALUES (?, ?) ${later}`, token_id, used_at_ms);
  for (const permission of permissions)
    sql.exec(`INSERT INTO untold_permission_uses VALUES (?, ?, ?) ${later}`, key_id, permission, used_at_ms);
}
