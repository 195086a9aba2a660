/** What usage takes in rows that are written, in tables and indexes; a test counts them. */

/** For a line of usage that is known this hour: its count, the last use of its secret and of one permission. */
export const ROWS_PER_LINE = 3;
/** For a batch: its id, in a table and an index. */
export const ROWS_PER_BATCH = 2;
/** For the gateway's own counters, beside their batch. */
export const ROWS_OF_COUNTERS = 1;
