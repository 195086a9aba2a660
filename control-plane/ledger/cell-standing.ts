/** How a cell stands, as it is told to operators. */

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
