/**
 * The keys that an entry ended besides its subject. Their rows say which entry that was. Of an organization that was deleted they may say so
 * only later, in parts: until then its keys are those that nothing else has ended, for none can be made any more. Either way they
 * are the same keys for ever, and since rows are never removed, the number of a key's row is its part of the entry.
 */

/** A key that an entry ended. */
export interface EndedKey {
  /** Number of its row. */
  readonly part: number;
  readonly id: string;
}

/** Which of them; both ends inclusive. */
interface KeyWalk {
  readonly first: number;
  readonly last: number;
  readonly ascending: boolean;
  readonly organization_id?: string | undefined;
  readonly limit: number;
}

/** An entry that may have ended keys. */
interface Ending {
  readonly seq: number;
  readonly type: string;
  readonly subject: string;
}

/** Keys that an entry ended, by the numbers of their rows. */
export function endedKeys(sql: SqlStorage, { seq, type, subject }: Ending, walk: KeyWalk): EndedKey[] {
  const { first, last, ascending, organization_id, limit } = walk;
  const order = ascending ? "ASC" : "DESC";
  const find = (condition: string, ...values: (string | number)[]) =>
    sql
      .exec<{ part: number; id: string }>(
        `SELECT rowid AS part, id FROM api_keys WHERE ${condition} AND rowid >= ? AND rowid <= ? ORDER BY rowid ${order} LIMIT ?`,
        ...values,
        first,
        last,
        limit,
      )
      .toArray();
  const noted =
    organization_id === undefined
      ? find("revoked_seq = ? AND id != ?", seq, subject)
      : find("revoked_seq = ? AND id != ? AND organization_id = ?", seq, subject, organization_id);
  const unnoted = type === "organization.deleted" ? find("organization_id = ? AND revoked_seq IS NULL", subject) : [];
  return [...noted, ...unnoted].toSorted((a, b) => (ascending ? a.part - b.part : b.part - a.part)).slice(0, limit);
}
