/**
 * The append-only entries and their hash chain. Each hash covers the hash before it and all of the entry, so no entry
 * can be changed, dropped or slipped in without every later hash giving it away. What the chain alone cannot show is that its
 * last entries were cut off, or that all of it was written anew by somebody who can write the database: for that, keep a
 * hash you have seen, and compare.
 */
import { sha256Hex } from "../../core/digest.ts";
import type { Actor } from "./command.ts";
import type { EntryView } from "./view.ts";
import { isoTime } from "./iso-time.ts";

/** The hash before the first entry. */
const GENESIS_HASH = "0".repeat(64);

/** What an entry's hash covers, besides the hash before it. */
interface HashedFields {
  seq: number;
  at_ms: number;
  actor_type: string;
  actor_id: string;
  type: string;
  subject: string;
  payload: string;
}

interface EntryRow extends HashedFields, Record<string, SqlStorageValue> {
  hash: string;
}

/** What an entry says. `payload` never holds a secret. */
interface Entry {
  readonly actor: Actor;
  readonly type: string;
  readonly subject: string;
  readonly payload: Record<string, unknown>;
}

/** Number of the latest entry, 0 before the first. */
export function latestSeq(sql: SqlStorage): number {
  return sql.exec<{ seq: number | null }>("SELECT max(seq) AS seq FROM entries").one().seq ?? 0;
}

/**
 * Appends an entry and returns its seq. Only inside a transaction together with the state it changes. Its time is the clock's, but never
 * before that of the entry before it, and always after what the cell's events are settled up to.
 */
export function append(sql: SqlStorage, atMs: number, entry: Entry): number {
  const [previous] = sql.exec<EntryRow>("SELECT * FROM entries ORDER BY seq DESC LIMIT 1").toArray();
  const { settled_ms } = sql.exec<{ settled_ms: number }>("SELECT settled_ms FROM event_horizon").one();
  const row = {
    seq: (previous?.seq ?? 0) + 1,
    at_ms: Math.max(atMs, previous?.at_ms ?? 0, settled_ms + 1),
    actor_type: entry.actor.type,
    actor_id: entry.actor.id,
    type: entry.type,
    subject: entry.subject,
    payload: JSON.stringify(entry.payload),
  };
  sql.exec(
    "INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    row.seq,
    row.at_ms,
    row.actor_type,
    row.actor_id,
    row.type,
    row.subject,
    row.payload,
    entryHash(previous?.hash ?? GENESIS_HASH, row),
  );
  return row.seq;
}

/** Entries after a seq, oldest first. */
export function readEntries(sql: SqlStorage, afterSeq: number, limit: number): EntryView[] {
  return sql
    .exec<EntryRow>("SELECT * FROM entries WHERE seq > ? ORDER BY seq LIMIT ?", afterSeq, limit)
    .toArray()
    .map((row) => ({
      seq: row.seq,
      at: isoTime(row.at_ms),
      actor: { type: row.actor_type, id: row.actor_id },
      type: row.type,
      subject: row.subject,
      payload: JSON.parse(row.payload) as Record<string, unknown>,
      hash: row.hash,
    }));
}

/** A place in the chain up to which it has been found whole. */
export interface ChainPosition {
  readonly seq: number;
  readonly hash: string;
}

/** How far a part of the chain holds. `brokenAt` is the first seq that is missing or does not fit. */
export interface ChainCheck extends ChainPosition {
  readonly brokenAt: number | null;
  /** The whole chain has been checked. */
  readonly isEnd: boolean;
}

/** Before the first entry. */
export const CHAIN_START: ChainPosition = { seq: 0, hash: GENESIS_HASH };

/** Recomputes at most `limit` entries after a position: a part at a time, so that the cell goes on answering. */
export function verifyChain(sql: SqlStorage, from: ChainPosition, limit: number): ChainCheck {
  let { seq, hash } = from;
  for (const row of sql.exec<EntryRow>("SELECT * FROM entries WHERE seq > ? ORDER BY seq LIMIT ?", from.seq, limit)) {
    if (row.seq !== seq + 1 || entryHash(hash, row) !== row.hash) return { seq, hash, brokenAt: seq + 1, isEnd: true };
    ({ seq, hash } = row);
  }
  const isEnd = seq < from.seq + limit;
  return { seq, hash, brokenAt: isEnd && seq < latestSeqMentioned(sql) ? seq + 1 : null, isEnd };
}

/** The highest entry that anything else in the cell speaks of: a chain that ends before it has lost its end. */
function latestSeqMentioned(sql: SqlStorage): number {
  const query = `SELECT max(
    (SELECT ifnull(max(seq), 0) FROM commands),
    (SELECT ifnull(max(max(revoked_below, superseded_below)), 0) FROM floors),
    (SELECT ifnull(max(wanted_seq), 0) FROM publications),
    (SELECT ifnull(max(seq), 0) FROM events)
  ) AS seq`;
  return sql.exec<{ seq: number }>(query).one().seq;
}

function entryHash(previousHash: string, row: HashedFields): string {
  return sha256Hex(JSON.stringify([previousHash, row.seq, row.at_ms, row.actor_type, row.actor_id, row.type, row.subject, row.payload]));
}
