/**
 * What a cell owes the webhook dispatchers: in every cell, word that there are new events; in the home cell, the endpoints' settings as well.
 * Both are rows that stay due until a dispatcher has confirmed, so nothing depends on who is awake. A dispatcher answers before it
 * sends anything, so a receiver that hangs never holds up a cell.
 *
 * Invariant: for every subscription, either the dispatcher has confirmed the cell's latest event, or the row is due and the alarm set.
 */
import { withDeadline } from "../../platform/deadline.ts";
import type { DispatcherContract, EndpointSettings } from "../webhooks/contract.ts";
import { latestEventSeq } from "./events.ts";
import { confirmSettings, untoldSettings } from "./webhook-endpoints.ts";

/** What a dispatcher may take to answer, in ms. */
const DISPATCHER_TIMEOUT_MS = 10_000;
/** How long before settings that were not taken are told again, in ms. */
const SETTINGS_RETRY_MS = 1_000;
const BACKOFF_MS_MAX = 60_000;

interface OutboxPorts {
  readonly sql: SqlStorage;
  readonly cell: number;
  readonly dispatcher: (endpointId: string) => DispatcherContract;
  readonly now: () => number;
}

/** From where on a dispatcher reads the cell's entries, and how far they go now. */
export interface Subscription {
  readonly fromSeq: number;
  readonly latestSeq: number;
}

/** One cell's outbox. */
export class WebhookOutbox {
  readonly #ports: OutboxPorts;
  #telling: Promise<boolean> | undefined;

  constructor(ports: OutboxPorts) {
    this.#ports = ports;
  }

  /** Reports to an endpoint what is committed from now on; asked again, it answers as before. */
  subscribe(endpointId: string): Subscription {
    const { sql } = this.#ports;
    const latestSeq = latestEventSeq(sql);
    const query = "INSERT INTO webhook_subscriptions (endpoint_id, from_seq, notified_seq) VALUES (?, ?, ?) ON CONFLICT DO NOTHING";
    sql.exec(query, endpointId, latestSeq, latestSeq);
    const { from_seq } = sql
      .exec<{ from_seq: number }>("SELECT from_seq FROM webhook_subscriptions WHERE endpoint_id = ?", endpointId)
      .one();
    return { fromSeq: from_seq, latestSeq };
  }

  /** Tells dispatchers their endpoints' settings; whether all know them. One round at a time; who comes meanwhile takes part in the next. */
  async tellSettings(): Promise<boolean> {
    await this.#telling;
    this.#telling ??= this.#tellAll().finally(() => (this.#telling = undefined));
    return this.#telling;
  }

  /** Lets the dispatchers that are due know that there are events. Failures are noted for a later try and never thrown. */
  async notify(): Promise<void> {
    const { sql, now } = this.#ports;
    const seq = latestEventSeq(sql);
    // Due again only when the dispatcher has had its time: the alarm may come back before it answers.
    const due = sql
      .exec<{ endpoint_id: string; failures: number }>(
        "UPDATE webhook_subscriptions SET due_at_ms = ? WHERE notified_seq < ? AND due_at_ms <= ? RETURNING endpoint_id, failures",
        now() + DISPATCHER_TIMEOUT_MS,
        seq,
        now(),
      )
      .toArray();
    await Promise.all(due.map(({ endpoint_id, failures }) => this.#notifyOne(endpoint_id, seq, failures)));
  }

  /** When something is due next, or null. */
  nextDueAtMs(): number | null {
    const { sql, now } = this.#ports;
    const query = "SELECT min(due_at_ms) AS due FROM webhook_subscriptions WHERE notified_seq < ?";
    const { due } = sql.exec<{ due: number | null }>(query, latestEventSeq(sql)).one();
    const settings = untoldSettings(sql).length > 0 ? now() + SETTINGS_RETRY_MS : null;
    return due === null || settings === null ? (due ?? settings) : Math.min(due, settings);
  }

  async #tellAll(): Promise<boolean> {
    const told = await Promise.all(untoldSettings(this.#ports.sql).map((settings) => this.#tell(settings)));
    return told.every(Boolean);
  }

  async #tell(settings: EndpointSettings): Promise<boolean> {
    const { sql, dispatcher } = this.#ports;
    const answered = dispatcher(settings.id).configure(settings);
    const isTaken = await withDeadline(answered, DISPATCHER_TIMEOUT_MS).then(
      () => true,
      () => false,
    );
    if (isTaken) confirmSettings(sql, settings);
    return isTaken;
  }

  async #notifyOne(endpointId: string, seq: number, failures: number): Promise<void> {
    const { sql, cell, dispatcher, now } = this.#ports;
    try {
      const isWanted = await withDeadline(dispatcher(endpointId).wake(cell, seq), DISPATCHER_TIMEOUT_MS);
      if (isWanted) {
        const query =
          "UPDATE webhook_subscriptions SET notified_seq = max(notified_seq, ?), failures = 0, due_at_ms = 0 WHERE endpoint_id = ?";
        sql.exec(query, seq, endpointId);
      } else sql.exec("DELETE FROM webhook_subscriptions WHERE endpoint_id = ?", endpointId);
    } catch {
      const dueAtMs = now() + Math.min(BACKOFF_MS_MAX, 1_000 * 2 ** failures);
      sql.exec(
        "UPDATE webhook_subscriptions SET failures = min(failures + 1, 16), due_at_ms = ? WHERE endpoint_id = ?",
        dueAtMs,
        endpointId,
      );
    }
  }
}
