/** How far a dispatcher has read in each cell, and how far there is something to read. */
import { PART_MAX } from "../../core/event.ts";
import type { LocalPlace } from "../ledger/event-walk.ts";

/** A cell with something to read. */
export interface CellPlace extends Record<string, SqlStorageValue> {
  cell: number;
  /** The last event read: entry, and part of the entry. */
  seq: number;
  part: number;
  /** The latest entry the cell has spoken of. */
  news_seq: number;
}

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS cells (
    cell INTEGER PRIMARY KEY, seq INTEGER NOT NULL, part INTEGER NOT NULL, news_seq INTEGER NOT NULL, due_at_ms INTEGER NOT NULL DEFAULT 0
  ) STRICT;`;

const HAS_NEWS = `(news_seq > seq OR (news_seq = seq AND part < ${PART_MAX}))`;

/** A dispatcher's places. */
export class CellPlaces {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    sql.exec(SCHEMA);
  }

  /** Whether the cell reports its events. */
  knows(cell: number): boolean {
    return this.#sql.exec("SELECT 1 FROM cells WHERE cell = ?", cell).toArray().length > 0;
  }

  /** The cell reports what comes after an entry. */
  begin(cell: number, fromSeq: number, latestSeq: number): void {
    this.#sql.exec(
      "INSERT INTO cells (cell, seq, part, news_seq) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
      cell,
      fromSeq,
      PART_MAX,
      latestSeq,
    );
  }

  /** The cell has events up to an entry; whether that could be noted, which it cannot before the cell was begun with. */
  noteNews(cell: number, seq: number): boolean {
    const query = "UPDATE cells SET news_seq = max(news_seq, ?) WHERE cell = ? RETURNING cell";
    return this.#sql.exec(query, seq, cell).toArray().length > 0;
  }

  /** The cells with something to read now. */
  withNews(nowMs: number): CellPlace[] {
    return this.#sql.exec<CellPlace>(`SELECT cell, seq, part, news_seq FROM cells WHERE ${HAS_NEWS} AND due_at_ms <= ?`, nowMs).toArray();
  }

  /** When a cell is to be read next, or null. */
  nextReadAtMs(): number | null {
    return this.#sql.exec<{ due: number | null }>(`SELECT min(due_at_ms) AS due FROM cells WHERE ${HAS_NEWS}`).one().due;
  }

  /** Read up to and with an event. */
  readTo(cell: number, { seq, part }: LocalPlace): void {
    this.#sql.exec("UPDATE cells SET seq = ?, part = ?, due_at_ms = 0 WHERE cell = ?", seq, part, cell);
  }

  /** Read everything up to an entry. */
  readAll(cell: number, seq: number): void {
    this.readTo(cell, { seq, part: PART_MAX });
  }

  /** Not before a time again. */
  retryAt(cell: number, atMs: number): void {
    this.#sql.exec("UPDATE cells SET due_at_ms = ? WHERE cell = ?", atMs, cell);
  }
}
