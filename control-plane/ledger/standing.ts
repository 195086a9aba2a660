/** Finding out how a cell stands, for operators. */
import { COUNTED_MAX, type CellStanding } from "./cell-standing.ts";
import { latestSeq } from "./journal.ts";

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
