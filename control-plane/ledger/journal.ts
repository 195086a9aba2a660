/**
 * The append-only journals of a cell and their hash chains: the ledger's `entries`, and `denials`, the record of what was refused,
 * which has the same form. Each hash covers the hash before it and, over a digest, all of the entry, so no entry can be changed, dropped
 * or slipped in without every later hash giving it away. What the chain alone cannot show is that its last entries were cut off,
 * or that all of it was written anew by somebody who can write the database: for that, keep a hash you have seen, and compare.
 */
import { contentDigest, firstHash, linkHash } from "../../core/audit/chain.ts";
import { canonicalJson } from "../../core/audit/canonical-json.ts";
import type { Actor } from "./command.ts";
import type { EntryView } from "./view.ts";
import { isExpiredCustomerEvent } from "./customer-event-retention.ts";
import { isoTime } from "./iso-time.ts";

/** A journal's table. */
export type Journal = "entries" | "denials";

/** What a digest covers, besides the salt. `organizations` and `payload` are JSON. */
interface ContentRow {
  seq: number;
  at_ms: number;
  actor_type: string;
  actor_id: string;
  type: string;
  subject: string;
  organizations: string;
  payload: string;
}

/** An entry as stored. Without a salt its content is gone: the time and the links are left. */
export interface EntryRow extends ContentRow, Record<string, SqlStorageValue> {
  salt: string | null;
  digest: string;
  hash: string;
}

/** What an entry says. `payload` never holds a secret. */
export interface Entry {
  readonly actor: Actor;
  readonly type: string;
  readonly subject: string;
  /** Whom it concerns; none: the installation as a whole. */
  readonly organizations: readonly string[];
  readonly payload: Record<string, unknown>;
}

/** An entry's place in the chains. */
export interface Link {
  readonly seq: number;
  readonly digest: string;
}

const SALT_BYTES = 16;

/** Number of the latest entry, 0 before the first. */
export function latestSeq(sql: SqlStorage): number {
  return sql.exec<{ seq: number | null }>("SELECT max(seq) AS seq FROM entries").one().seq ?? 0;
}

/**
 * Appends an entry. Only inside a transaction together with the state it changes. Its time is the clock's, but never before that of the
 * entry before it, and always after what the cell's events are settled up to.
 */
export function append(sql: SqlStorage, journal: Journal, atMs: number, entry: Entry): Link {
  const [previous] = sql
    .exec<{ seq: number; at_ms: number; hash: string }>(`SELECT seq, at_ms, hash FROM ${journal} ORDER BY seq DESC LIMIT 1`)
    .toArray();
  const row = {
    seq: (previous?.seq ?? 0) + 1,
    at_ms: Math.max(atMs, previous?.at_ms ?? 0, journal === "entries" ? settledMs(sql) + 1 : 0),
    actor_type: entry.actor.type,
    actor_id: entry.actor.id,
    type: entry.type,
    subject: entry.subject,
    organizations: JSON.stringify(entry.organizations.toSorted()),
    payload: canonicalJson(entry.payload),
    salt: Buffer.from(crypto.getRandomValues(new Uint8Array(SALT_BYTES))).toString("hex"),
  };
  const digest = digestOf(row);
  sql.exec(
    `INSERT INTO ${journal} (seq, at_ms, actor_type, actor_id, type, subject, organizations, payload, salt, digest, hash)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    row.seq,
    row.at_ms,
    row.actor_type,
    row.actor_id,
    row.type,
    row.subject,
    row.organizations,
    row.payload,
    row.salt,
    digest,
    linkHash(previous?.hash ?? firstHash(CHAIN_OF[journal]), digest),
  );
  return { seq: row.seq, digest };
}

function settledMs(sql: SqlStorage): number {
  return sql.exec<{ settled_ms: number }>("SELECT settled_ms FROM event_horizon").one().settled_ms;
}

/** Entries of the ledger after a seq whose content is there, oldest first. */
export function readEntries(sql: SqlStorage, afterSeq: number, limit: number): EntryView[] {
  return sql
    .exec<EntryRow>("SELECT * FROM entries WHERE seq > ? AND salt IS NOT NULL ORDER BY seq LIMIT ?", afterSeq, limit)
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

/** A place in a chain up to which it has been found whole. */
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

/** The chain that all entries of a journal make up. */
export const CHAIN_OF = { entries: "ledger", denials: "denials" } as const;

/** Before the first entry of the ledger. */
export const CHAIN_START: ChainPosition = { seq: 0, hash: firstHash("ledger") };

/**
 * Recomputes at most `limit` entries of the ledger after a position: a part at a time, so that the cell goes on answering. Where content
 * has been dropped in its time, the digest stands for it; anywhere else it is missing.
 */
export function verifyChain(sql: SqlStorage, from: ChainPosition, limit: number): ChainCheck {
  let { seq, hash } = from;
  const dropped = droppedThrough(sql, "entries");
  for (const row of sql.exec<EntryRow>("SELECT * FROM entries WHERE seq > ? ORDER BY seq LIMIT ?", from.seq, limit)) {
    const { salt, digest } = row;
    const saysSo = salt === null ? row.seq <= dropped || isExpiredCustomerEvent(sql, row.seq) : digestOf({ ...row, salt }) === digest;
    if (row.seq !== seq + 1 || !saysSo || linkHash(hash, digest) !== row.hash) return { seq, hash, brokenAt: seq + 1, isEnd: true };
    ({ seq, hash } = row);
  }
  const isEnd = seq < from.seq + limit;
  return { seq, hash, brokenAt: isEnd && seq < latestSeqMentioned(sql) ? seq + 1 : null, isEnd };
}

/** Up to which seq the content of a journal has been dropped, 0 for nothing. */
export function droppedThrough(sql: SqlStorage, journal: Journal): number {
  const [row] = sql.exec<{ seq: number }>("SELECT dropped_through AS seq FROM audit_retention WHERE journal = ?", journal).toArray();
  return row?.seq ?? 0;
}

/** The digest of an entry's content as it is stored. */
export function digestOf(row: ContentRow & { readonly salt: string }): string {
  const { seq, at_ms, actor_type, actor_id, type, subject, organizations, payload, salt } = row;
  const actor = { type: actor_type, id: actor_id };
  const concerned = JSON.parse(organizations) as string[];
  return contentDigest({ seq, at: isoTime(at_ms), actor, type, subject, organizations: concerned, payload, salt });
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
