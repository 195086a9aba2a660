/**
 * Ids of entries in the audit log. An id is the entry's place in the order of all entries (by time, then cell, then seq), so that it is a
 * cursor by itself, in every cell and for ever.
 */
import { crockford, isId, readCrockford } from "../identifier.ts";

/** Where an entry is. */
export interface AuditPlace {
  /** Time of the entry by its cell's clock, ms since the epoch; never falls from one entry of a cell to the next. */
  readonly atMs: number;
  readonly cell: number;
  readonly seq: number;
}

/** The two lists that have such ids. */
export type AuditIdPrefix = "audit_log_entry" | "audit_log_denial";

/** A ULID's 26 characters: time, cell, seq. */
const TIME_LENGTH = 10;
const SEQ_AT = 11;
const LENGTH = 26;

/** The id of the entry at a place. */
export function auditId(prefix: AuditIdPrefix, { atMs, cell, seq }: AuditPlace): string {
  return `${prefix}_${crockford(atMs, TIME_LENGTH)}${crockford(cell, 1)}${crockford(seq, LENGTH - SEQ_AT)}`;
}

/** The place an id tells, or undefined for what is no such id. */
export function placeOfAuditId(prefix: AuditIdPrefix, id: string): AuditPlace | undefined {
  if (!isId(prefix, id)) return undefined;
  const ulid = id.slice(prefix.length + 1);
  return {
    atMs: readCrockford(ulid.slice(0, TIME_LENGTH)),
    cell: readCrockford(ulid.slice(TIME_LENGTH, SEQ_AT)),
    seq: readCrockford(ulid.slice(SEQ_AT)),
  };
}
