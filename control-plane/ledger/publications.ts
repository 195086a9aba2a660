/**
 * The outbox of KV records. A row per KV name says which seq is wanted there and which was last published. What is put
 * is always the record as it is at that moment, so several changes in a row cost one write, a repeat is harmless, and
 * records of one name go out in order: the next put of a name starts only when the one before has ended.
 *
 * Invariant: for every name, either KV was last sent the record of the latest change (`published_seq` = `wanted_seq`),
 * or the row is pending and the alarm is set. A crash between put and bookkeeping leaves the row pending: at least once.
 */
import { signPublished } from "../../core/published.ts";
import { KV_CACHE_TTL_S, recordName } from "../../core/record.ts";
import { ROUTES_RECORD_NAME } from "../../core/route.ts";
import type { TagKeys } from "../../core/token.ts";
import { withDeadline } from "../../platform/deadline.ts";
import { hmacSha256 } from "../../core/digest.ts";
import { resolveToken } from "./resolve.ts";
import { routeTable } from "./route-table.ts";

/** KV takes one write per second and name (429 beyond). */
const PUT_INTERVAL_MS = 1_000;
const BACKOFF_MS_MAX = 60_000;
/** A put that has not answered by then counts as failed. */
const PUT_TIMEOUT_MS = 10_000;
const BATCH = 60;
/** Simultaneous puts; Workers allow six open connections. */
const LANES = 6;
/** A location may show its older copy for so long, and KV takes about a minute to spread: before that an older copy is no reason to publish again. */
const HEAL_AFTER_MS = (KV_CACHE_TTL_S + 120) * 1_000;

interface PendingRow extends Record<string, SqlStorageValue> {
  name: string;
  token_id: string | null;
  wanted_seq: number;
  attempts: number;
}

/** What is to be published: a token's record, or the route table. */
type Publishable = { readonly tokenId: string } | "routes";

/** Notes that what KV holds is out of date as of `seq`. Only inside the transaction that makes it so. */
export function requestPublication(sql: SqlStorage, what: Publishable, seq: number, nowMs: number): void {
  const tokenId = what === "routes" ? null : what.tokenId;
  const name = tokenId === null ? ROUTES_RECORD_NAME : recordName(tokenId);
  sql.exec(
    `INSERT INTO publications (name, token_id, wanted_seq, due_at_ms) VALUES (?, ?, ?, ?)
     ON CONFLICT (name) DO UPDATE SET wanted_seq = excluded.wanted_seq, due_at_ms = max(excluded.due_at_ms, published_at_ms + ${PUT_INTERVAL_MS})`,
    name,
    tokenId,
    seq,
    nowMs,
  );
}

/** The same for the tokens of all keys that one entry has revoked. Only inside its transaction. */
export function requestPublicationOfRevoked(sql: SqlStorage, seq: number, nowMs: number): void {
  sql.exec(
    `INSERT INTO publications (name, token_id, wanted_seq, due_at_ms)
     SELECT ? || t.token_id, t.token_id, ?, ? FROM api_keys k JOIN tokens t ON t.key_id = k.id WHERE k.revoked_seq = ? AND t.revoked_seq IS NULL
     ON CONFLICT (name) DO UPDATE SET wanted_seq = excluded.wanted_seq, due_at_ms = max(excluded.due_at_ms, published_at_ms + ${PUT_INTERVAL_MS})`,
    recordName(""),
    seq,
    nowMs,
    seq,
  );
}

/** When the next pending record is due, or null when KV has everything. */
export function nextPublicationAtMs(sql: SqlStorage): number | null {
  return sql.exec<{ due: number | null }>("SELECT min(due_at_ms) AS due FROM publications WHERE wanted_seq > published_seq").one().due;
}

/**
 * A gateway found KV behind (`seenStamp`, null for a miss). Publishes again when KV has had its time, or when it shows
 * our latest publication and that is what was superseded. Returns whether there is now something to publish.
 */
export function healPublication(sql: SqlStorage, name: string, seenStamp: number | null, seq: number, nowMs: number): boolean {
  const changed = sql.exec(
    `UPDATE publications SET wanted_seq = ?, published_seq = 0, due_at_ms = max(?, published_at_ms + ${PUT_INTERVAL_MS})
     WHERE name = ? AND wanted_seq <= published_seq AND (published_at_ms < ? OR (published_seq < ? AND ? >= published_seq))`,
    seq,
    nowMs,
    name,
    nowMs - HEAL_AFTER_MS,
    seq,
    seenStamp ?? -1,
  );
  return changed.rowsWritten > 0;
}

/** Where records go. */
interface PublicationPorts {
  readonly kv: Pick<KVNamespace, "put">;
  /** Sign what is published. */
  readonly tagKeys: TagKeys;
  readonly now: () => number;
}

/** Publishes what is due, at most one batch. Failures are noted for a later try and never thrown. */
export async function publishDue(storage: DurableObjectStorage, ports: PublicationPorts): Promise<void> {
  const due = storage.sql
    .exec<PendingRow>(
      "SELECT name, token_id, wanted_seq, attempts FROM publications WHERE wanted_seq > published_seq AND due_at_ms <= ? ORDER BY due_at_ms LIMIT ?",
      ports.now(),
      BATCH,
    )
    .toArray();
  const lanes = Array.from({ length: LANES }, async () => {
    for (let row = due.shift(); row; row = due.shift()) await publish(storage.sql, ports, row);
  });
  await Promise.all(lanes);
}

async function publish(sql: SqlStorage, { kv, tagKeys, now }: PublicationPorts, row: PendingRow): Promise<void> {
  const value = row.token_id === null ? routeTable(sql) : resolveToken(sql, row.token_id, now());
  const stamp = value?.stamp ?? row.wanted_seq;
  try {
    if (value) await withDeadline(kv.put(row.name, signPublished(row.name, value, tagKeys, hmacSha256)), PUT_TIMEOUT_MS);
    sql.exec(
      "UPDATE publications SET published_seq = max(published_seq, ?), published_at_ms = ?, attempts = 0, due_at_ms = ? WHERE name = ?",
      stamp,
      now(),
      now() + PUT_INTERVAL_MS,
      row.name,
    );
  } catch (error) {
    const delayMs = Math.min(BACKOFF_MS_MAX, PUT_INTERVAL_MS * 2 ** row.attempts);
    sql.exec(
      "UPDATE publications SET attempts = min(attempts + 1, 16), published_at_ms = ?, due_at_ms = ? WHERE name = ?",
      now(),
      now() + delayMs,
      row.name,
    );
    console.log(
      JSON.stringify({
        event: "publication_failed",
        attempts: row.attempts + 1,
        retry_in_ms: delayMs,
        reason: error instanceof Error ? error.name : "unknown",
      }),
    );
  }
}
