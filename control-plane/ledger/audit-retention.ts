/**
 * How long the audit log keeps what entries say. Afterwards only time, digest and hashes are left: the chains still hold, and nobody can
 * find out from a digest what was said, because the salt is gone, too. Nothing that decides anything reads entries' content.
 */
import type { Journal } from "./journal.ts";
import { droppedThrough } from "./journal.ts";

/** Entries dropped at once. */
const BATCH = 500;
const DAY_MS = 86_400_000;

/** Drops what is older than so many days, a batch of each journal at a time; null keeps everything. Inside a transaction. */
export function dropOldContent(sql: SqlStorage, keptDays: number | null, nowMs: number): void {
  if (keptDays === null) return;
  for (const journal of ["entries", "denials"] as const) dropFrom(sql, journal, nowMs - keptDays * DAY_MS);
}

/** When the next entry becomes too old, or null. */
export function nextDroppingAtMs(sql: SqlStorage, keptDays: number | null): number | null {
  if (keptDays === null) return null;
  const oldest = (["entries", "denials"] as const).map((journal) => oldestKeptMs(sql, journal)).filter((at) => at !== null);
  return oldest.length === 0 ? null : Math.min(...oldest) + keptDays * DAY_MS;
}

function dropFrom(sql: SqlStorage, journal: Journal, olderThanMs: number): void {
  const from = droppedThrough(sql, journal);
  const { through } = sql
    .exec<{ through: number | null }>(
      `SELECT max(seq) AS through FROM (SELECT seq, at_ms FROM ${journal} WHERE seq > ? ORDER BY seq LIMIT ?) WHERE at_ms <= ?`,
      from,
      BATCH,
      olderThanMs,
    )
    .one();
  if (through === null) return;
  const between = "WHERE seq > ? AND seq <= ?";
  sql.exec(
    `UPDATE ${journal} SET actor_type = '', actor_id = '', type = '', subject = '', organizations = '[]', payload = '{}', salt = NULL ${between}`,
    from,
    through,
  );
  if (journal === "entries") {
    sql.exec(`UPDATE entry_organizations SET actor_id = '', type = '', subject = '' ${between}`, from, through);
    // They tell again what the entries told.
    sql.exec(`DELETE FROM events ${between}`, from, through);
  }
  sql.exec("INSERT OR REPLACE INTO audit_retention VALUES (?, ?)", journal, through);
}

function oldestKeptMs(sql: SqlStorage, journal: Journal): number | null {
  const query = `SELECT at_ms FROM ${journal} WHERE seq > ? ORDER BY seq LIMIT 1`;
  return sql.exec<{ at_ms: number }>(query, droppedThrough(sql, journal)).toArray()[0]?.at_ms ?? null;
}
