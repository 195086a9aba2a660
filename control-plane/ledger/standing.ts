/** How a cell stands, for operators. */
import { latestSeq } from "./journal.ts";

/** Things that are counted at most: it must cost little when there is much of them. This many means "at least". */
export const COUNTED_MAX = 1_000;

/** What a cell says of itself. Counts end at {@link COUNTED_MAX}. */
export interface CellStanding {
  /** Its latest entry. */
  readonly seq: number;
  /** Records that are not in KV yet as they should be. */
  readonly publications: number;
  /** The most often that one of those next in turn has been tried in vain. */
  readonly publication_attempts: number;
  /** Entries that are not in force everywhere yet. */
  readonly receipts: number;
  /** Milliseconds since the oldest of these was committed; 0 where there is none. */
  readonly oldest_receipt_ms: number;
  /** Replicas that may be answering for the cell. */
  readonly replicas: number;
}

/** As of now. */
export function standingOf(sql: SqlStorage, nowMs: number): CellStanding {
  const publications = sql
    .exec<{ count: number; attempts: number }>(
      `SELECT count(*) AS count, coalesce(max(attempts), 0) AS attempts FROM
         (SELECT attempts FROM publications WHERE wanted_seq > published_seq ORDER BY due_at_ms LIMIT ?)`,
      COUNTED_MAX,
    )
    .one();
  const receipts = sql
    .exec<{ count: number; oldest: number | null }>(
      `SELECT count(*) AS count, min(committed_at_ms) AS oldest FROM
         (SELECT committed_at_ms FROM receipts WHERE in_force_at_ms IS NULL ORDER BY seq LIMIT ?)`,
      COUNTED_MAX,
    )
    .one();
  return {
    seq: latestSeq(sql),
    publications: publications.count,
    publication_attempts: publications.attempts,
    receipts: receipts.count,
    oldest_receipt_ms: receipts.oldest === null ? 0 : Math.max(0, nowMs - receipts.oldest),
    replicas: sql.exec<{ count: number }>("SELECT count(*) AS count FROM lease_holders").one().count,
  };
}
