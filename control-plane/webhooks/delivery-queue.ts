/**
 * The deliveries of one endpoint, in its dispatcher's SQLite. A delivery is pending until it has been accepted or its attempts are used
 * up; its row stays as the log.
 *
 * Order: `number` rises as events are read from a cell, in the order of its entries. A pending delivery is next only when no earlier
 * one about the same object is pending, so events about one object are accepted in the order in which they happened, and one that is not
 * accepted holds back only those about the same object.
 */
import type { Slice, Walk } from "../../core/page.ts";
import { nextAttemptAtMs } from "../../core/webhook/schedule.ts";
import { isoTime } from "../ledger/iso-time.ts";
import type { AttemptView, DeliveryView, EventView } from "../ledger/view.ts";
import { walkTable } from "../ledger/walk-table.ts";
import type { AttemptResult } from "./attempt.ts";

/** A delivery that is due. */
export interface DueDelivery extends Record<string, SqlStorageValue> {
  number: number;
  id: string;
  ordering: string;
  body: string;
}

interface DeliveryRow extends DueDelivery {
  event: string;
  status: "pending" | "delivered" | "failed";
  failures: number;
  due_at_ms: number;
  created_at_ms: number;
}

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS deliveries (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    event TEXT NOT NULL,
    ordering TEXT NOT NULL,
    body TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT 'pending',
    failures INTEGER NOT NULL DEFAULT 0,
    first_attempt_at_ms INTEGER,
    due_at_ms INTEGER NOT NULL,
    created_at_ms INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX IF NOT EXISTS deliveries_pending ON deliveries (ordering, number) WHERE status = 'pending';
  CREATE INDEX IF NOT EXISTS deliveries_due ON deliveries (due_at_ms, number) WHERE status = 'pending';
  CREATE INDEX IF NOT EXISTS deliveries_by_age ON deliveries (created_at_ms) WHERE status != 'pending';
  CREATE TABLE IF NOT EXISTS attempts (
    delivery INTEGER NOT NULL, at_ms INTEGER NOT NULL, duration_ms INTEGER NOT NULL, status INTEGER, error TEXT
  ) STRICT;
  CREATE INDEX IF NOT EXISTS attempts_of_delivery ON attempts (delivery, at_ms);`;

/** No earlier delivery about the same object is pending. */
const IS_NEXT = "NOT EXISTS (SELECT 1 FROM deliveries e WHERE e.status = 'pending' AND e.ordering = d.ordering AND e.number < d.number)";

/**
 * Most pending deliveries; what is beyond stays in the cells, so those that wait for an earlier one about their object must leave room for
 * others. Finding what is due looks past each of them, some milliseconds when all of these wait.
 */
const PENDING_MAX = 10_000;
/** How long the log is kept, in ms. */
const LOG_KEPT_MS = 30 * 24 * 60 * 60 * 1_000;
const FORGOTTEN_AT_ONCE = 1_000;

/** The deliveries of one endpoint. */
export class DeliveryQueue {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    sql.exec(SCHEMA);
  }

  /** How many more events there is room for. */
  get room(): number {
    const { pending } = this.#sql.exec<{ pending: number }>("SELECT count(*) AS pending FROM deliveries WHERE status = 'pending'").one();
    return Math.max(0, PENDING_MAX - pending);
  }

  /** Takes an event about an object, once, to be sent in order. */
  add(event: EventView, subject: string, nowMs: number): void {
    const query =
      "INSERT INTO deliveries (id, event, ordering, body, due_at_ms, created_at_ms) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING";
    this.#sql.exec(query, event.id, event.event, subject, JSON.stringify(event), nowMs, nowMs);
  }

  /** Takes an event to be sent at once, whatever else is pending and whether or not it has been sent before. */
  addOutOfOrder(event: EventView, nowMs: number): void {
    this.#sql.exec(
      `INSERT INTO deliveries (id, event, ordering, body, due_at_ms, created_at_ms) VALUES (?, ?, ?, ?, ?, ?)
       ON CONFLICT (id) DO UPDATE SET status = 'pending', failures = 0, first_attempt_at_ms = NULL,
         ordering = excluded.ordering, body = excluded.body, due_at_ms = excluded.due_at_ms`,
      event.id,
      event.event,
      event.id,
      JSON.stringify(event),
      nowMs,
      nowMs,
    );
  }

  /** The delivery to make next, none of the objects in `busy`; undefined when nothing is due. */
  nextDue(nowMs: number, busy: ReadonlySet<string>): DueDelivery | undefined {
    return this.#sql
      .exec<DueDelivery>(
        `SELECT number, id, ordering, body FROM deliveries d WHERE status = 'pending' AND due_at_ms <= ? AND ${IS_NEXT} ORDER BY due_at_ms, number LIMIT ?`,
        nowMs,
        busy.size + 1,
      )
      .toArray()
      .find(({ ordering }) => !busy.has(ordering));
  }

  /** When the next delivery is due, or null. */
  nextDueAtMs(): number | null {
    const query = `SELECT due_at_ms FROM deliveries d WHERE status = 'pending' AND ${IS_NEXT} ORDER BY due_at_ms, number LIMIT 1`;
    return this.#sql.exec<{ due_at_ms: number }>(query).toArray()[0]?.due_at_ms ?? null;
  }

  /** Whether a delivery is still wanted. */
  isPending(number: number): boolean {
    return this.#sql.exec("SELECT 1 FROM deliveries WHERE number = ? AND status = 'pending'", number).toArray().length > 0;
  }

  /** Notes that an event was accepted. The log does not need its body. */
  delivered(number: number, result: AttemptResult): void {
    this.#note(number, result);
    this.#sql.exec("UPDATE deliveries SET status = 'delivered', body = '' WHERE number = ?", number);
  }

  /** Notes that an attempt did not succeed, and when the next is due. Answers when the first was made if there is to be no other. */
  failed(number: number, result: AttemptResult, jitter: number): { readonly firstAttemptAtMs: number } | undefined {
    this.#note(number, result);
    const query = `UPDATE deliveries SET failures = failures + 1, first_attempt_at_ms = ifnull(first_attempt_at_ms, ?)
      WHERE number = ? RETURNING failures, first_attempt_at_ms`;
    const { failures, first_attempt_at_ms } = this.#sql
      .exec<{ failures: number; first_attempt_at_ms: number }>(query, result.atMs, number)
      .one();
    const next = nextAttemptAtMs(failures, result.atMs + result.durationMs, jitter);
    if (next === undefined) return { firstAttemptAtMs: first_attempt_at_ms };
    this.#sql.exec("UPDATE deliveries SET due_at_ms = ? WHERE number = ?", next, number);
    return undefined;
  }

  /** Gives an event up; those about the same object may follow. */
  giveUp(number: number): void {
    this.#sql.exec("UPDATE deliveries SET status = 'failed' WHERE number = ?", number);
  }

  /** Everything pending begins its attempts anew. */
  beginAnew(nowMs: number): void {
    this.#sql.exec("UPDATE deliveries SET failures = 0, first_attempt_at_ms = NULL, due_at_ms = ? WHERE status = 'pending'", nowMs);
  }

  /** Forgets what ended long ago, with its attempts. */
  forgetOld(nowMs: number): void {
    const old = "SELECT number FROM deliveries WHERE status != 'pending' AND created_at_ms < ? ORDER BY created_at_ms, number LIMIT ?";
    for (const [table, column] of [
      ["attempts", "delivery"],
      ["deliveries", "number"],
    ] as const)
      this.#sql.exec(`DELETE FROM ${table} WHERE ${column} IN (${old})`, nowMs - LOG_KEPT_MS, FORGOTTEN_AT_ONCE);
  }

  /** When something may be forgotten, or null. */
  nextForgettingAtMs(): number | null {
    const { oldest } = this.#sql
      .exec<{ oldest: number | null }>("SELECT min(created_at_ms) AS oldest FROM deliveries WHERE status != 'pending'")
      .one();
    return oldest === null ? null : oldest + LOG_KEPT_MS + 1;
  }

  /** Forgets everything. */
  clear(): void {
    this.#sql.exec("DELETE FROM deliveries");
    this.#sql.exec("DELETE FROM attempts");
  }

  /** One delivery as the log shows it, or null. `isEnabled`: whether anything is sent at all. */
  view(id: string, isEnabled: boolean): DeliveryView | null {
    const [row] = this.#sql.exec<DeliveryRow>("SELECT * FROM deliveries WHERE id = ?", id).toArray();
    return row ? this.#toDelivery(row, isEnabled) : null;
  }

  /** The log on a walk over event ids. */
  slice(walk: Walk, isEnabled: boolean): Slice<DeliveryView> {
    return walkTable<DeliveryRow, DeliveryView>(this.#sql, "deliveries", {}, walk, (row) => this.#toDelivery(row, isEnabled));
  }

  #note(number: number, { atMs, durationMs, status, error }: AttemptResult): void {
    this.#sql.exec("INSERT INTO attempts VALUES (?, ?, ?, ?, ?)", number, atMs, durationMs, status, error);
  }

  #toDelivery(row: DeliveryRow, isEnabled: boolean): DeliveryView {
    const isNext = isEnabled && row.status === "pending" && this.#isNext(row.number);
    return {
      object: "webhook_delivery",
      id: row.id,
      event: row.event,
      status: row.status,
      attempts: this.#attempts(row.number),
      next_attempt_at: isNext ? isoTime(row.due_at_ms) : null,
      created_at: isoTime(row.created_at_ms),
    };
  }

  #isNext(number: number): boolean {
    return this.#sql.exec(`SELECT 1 FROM deliveries d WHERE number = ? AND ${IS_NEXT}`, number).toArray().length > 0;
  }

  #attempts(number: number): AttemptView[] {
    return this.#sql
      .exec<{ at_ms: number; duration_ms: number; status: number | null; error: AttemptView["error"] }>(
        "SELECT * FROM attempts WHERE delivery = ? ORDER BY at_ms, rowid",
        number,
      )
      .toArray()
      .map(({ at_ms, duration_ms, status, error }) => ({ at: isoTime(at_ms), duration_ms, status, error }));
  }
}
