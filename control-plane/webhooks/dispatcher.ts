/**
 * The WebhookDispatcher Durable Object: one for each webhook endpoint, so that a receiver that hangs or fails delays nobody else's
 * deliveries and no ledger. It reads events from the cells, keeps its place in each, and drives deliveries from its alarm.
 *
 * Invariant: every event of a subscribed cell after the place the subscription began at is either beyond the place noted in `cells`, or a row
 * of the queue; both change in one transaction. A crash can only repeat an attempt.
 */
import { DurableObject } from "cloudflare:workers";
import { sha256Hex } from "../../core/digest.ts";
import { placeOfEvent } from "../../core/event.ts";
import { HOME_CELL } from "../../core/identifier.ts";
import type { Slice, Walk } from "../../core/page.ts";
import { isSustainedFailure } from "../../core/webhook/schedule.ts";
import type { SigningSecrets } from "../../core/webhook/signature.ts";
import { withDeadline } from "../../platform/deadline.ts";
import { controlPlaneConfiguration, type ControlPlaneConfiguration } from "../configuration.ts";
import { cellName } from "../ledger/cell-name.ts";
import type { LedgerContract } from "../ledger/contract.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { DeliveryView } from "../ledger/view.ts";
import { attempt, type AttemptResult } from "./attempt.ts";
import { CellPlaces, type CellPlace } from "./cell-places.ts";
import type { DispatcherContract, EndpointSettings, Redelivery } from "./contract.ts";
import { DeliveryQueue, type DueDelivery } from "./delivery-queue.ts";
import { Destinations, type Fetch } from "./destinations.ts";
import { EndpointState } from "./endpoint-state.ts";
import { openWebhookSecret } from "./secret.ts";

/** Bindings a dispatcher needs, besides the control plane's settings. */
export interface DispatcherEnv {
  readonly LEDGER: DurableObjectNamespace<Ledger>;
}

/** The world outside, which tests replace. */
export interface DispatcherPorts {
  readonly fetch: Fetch;
  readonly timeout: (ms: number) => AbortSignal;
  readonly now: () => number;
  /** 0 to 1. */
  readonly random: () => number;
}

const REAL_PORTS: DispatcherPorts = {
  fetch: (url, init) => fetch(url, init),
  timeout: (ms) => AbortSignal.timeout(ms),
  now: () => Date.now(),
  random: () => Math.random(),
};

/** Simultaneous attempts; Workers allow six open connections. */
const LANES = 5;
/** An alarm takes up new work for so long, in ms, and then comes back: it must not run for ever. */
const TURN_MS = 60_000;
/** Events read from a cell at once. */
const READ_AT_ONCE = 100;
/** What a cell may take to answer, in ms. */
const CELL_TIMEOUT_MS = 5_000;
/** How long before a cell that did not answer is asked again, in ms. */
const CELL_RETRY_MS = 5_000;

/** One endpoint's dispatcher. What its methods answer is said at {@link DispatcherContract}. */
export class WebhookDispatcher extends DurableObject<DispatcherEnv> implements DispatcherContract {
  readonly #storage: DurableObjectStorage;
  readonly #configuration: ControlPlaneConfiguration;
  readonly #ports: DispatcherPorts;
  readonly #destinations: Destinations;
  readonly #state: EndpointState;
  readonly #places: CellPlaces;
  readonly #queue: DeliveryQueue;

  constructor(ctx: DurableObjectState, env: DispatcherEnv, ports: DispatcherPorts = REAL_PORTS) {
    super(ctx, env);
    this.#storage = ctx.storage;
    this.#configuration = controlPlaneConfiguration(env);
    this.#ports = ports;
    this.#destinations = new Destinations({ ...this.#configuration.webhooks, fetch: ports.fetch });
    this.#state = new EndpointState(ctx.storage.sql);
    this.#places = new CellPlaces(ctx.storage.sql);
    this.#queue = new DeliveryQueue(ctx.storage.sql);
  }

  async configure(settings: EndpointSettings): Promise<void> {
    const wasStanding = this.#state.settings !== undefined && !this.#state.isSending;
    this.#storage.transactionSync(() => {
      if (!this.#state.take(settings)) return;
      if (settings.status === "deleted") this.#queue.clear();
      if (settings.status === "enabled" && wasStanding) this.#queue.beginAnew(this.#ports.now());
    });
    if (this.#state.settings?.status !== "deleted") await this.#subscribe();
    await this.#arm();
  }

  async wake(cell: number, seq: number): Promise<boolean> {
    const { settings } = this.#state;
    if (!settings || settings.status === "deleted") return false;
    // Its subscription is on its way back to here: what the cell said then may be older than this.
    if (!this.#places.noteNews(cell, seq)) throw new Error(`cell ${cell} is not yet subscribed to`);
    await this.#arm();
    return true;
  }

  async deliveries(walk: Walk): Promise<Slice<DeliveryView>> {
    return this.#queue.slice(walk, this.#state.isSending);
  }

  async redeliver(eventId: string): Promise<Redelivery> {
    const cell = placeOfEvent(eventId)?.cell;
    const isCell = cell !== undefined && cell < this.#configuration.cells;
    const event = isCell ? await withDeadline(this.#ledger(cell).event(eventId), CELL_TIMEOUT_MS) : null;
    if (!event) return { ok: false, reason: "no_such_event" };
    if (!this.#state.isSending) return { ok: false, reason: "endpoint_disabled" };
    this.#queue.addOutOfOrder(event, this.#ports.now());
    await this.#arm();
    const delivery = this.#queue.view(eventId, true);
    return delivery ? { ok: true, delivery } : { ok: false, reason: "no_such_event" };
  }

  /** Reads what is new, delivers what is due, and sets the next alarm, also after a failure. */
  override async alarm(): Promise<void> {
    const untilMs = this.#ports.now() + TURN_MS;
    try {
      await this.#reportGivenUp();
      if (this.#state.isSending) {
        await this.#read();
        await this.#deliver(untilMs);
        await this.#reportGivenUp();
      }
      this.#queue.forgetOld(this.#ports.now());
    } finally {
      await this.#arm();
    }
  }

  /** Has every cell report its events from now on; a cell that does already answers as it did. */
  async #subscribe(): Promise<void> {
    const id = this.#state.settings?.id;
    if (id === undefined) return;
    const missing = Array.from({ length: this.#configuration.cells }, (_, cell) => cell).filter((cell) => !this.#places.knows(cell));
    await Promise.all(
      missing.map(async (cell) => {
        const { fromSeq, latestSeq } = await withDeadline(this.#ledger(cell).subscribeWebhook(id), CELL_TIMEOUT_MS);
        this.#places.begin(cell, fromSeq, latestSeq);
      }),
    );
  }

  /** Reads what the cells have, in turn, as long as there is room. A cell that does not answer is asked again later. */
  async #read(): Promise<void> {
    for (const place of this.#places.withNews(this.#ports.now())) {
      if (this.#queue.room === 0) return;
      try {
        await this.#readCell(place);
      } catch {
        this.#places.retryAt(place.cell, this.#ports.now() + CELL_RETRY_MS);
      }
    }
  }

  async #readCell({ cell, seq, part, news_seq }: CellPlace): Promise<void> {
    const types = this.#state.settings?.events ?? [];
    const limit = Math.min(READ_AT_ONCE, this.#queue.room);
    const events = await withDeadline(this.#ledger(cell).eventsAfter({ seq, part }, types, limit), CELL_TIMEOUT_MS);
    this.#storage.transactionSync(() => {
      for (const { event, subject } of events) this.#queue.add(event, subject, this.#ports.now());
      const last = events.at(-1);
      if (events.length === limit && last) this.#places.readTo(cell, last.place);
      else this.#places.readAll(cell, news_seq);
    });
  }

  /** Makes the attempts that are due, several at a time, each about another object. */
  async #deliver(untilMs: number): Promise<void> {
    const busy = new Set<string>();
    const lane = async () => {
      while (this.#state.isSending && this.#ports.now() < untilMs) {
        const due = this.#queue.nextDue(this.#ports.now(), busy);
        if (!due) return;
        busy.add(due.ordering);
        await this.#deliverOne(due).finally(() => busy.delete(due.ordering));
      }
    };
    await Promise.all(Array.from({ length: LANES }, lane));
  }

  async #deliverOne({ number, id, body }: DueDelivery): Promise<void> {
    const { settings } = this.#state;
    if (!settings) return;
    const secrets = await this.#secrets(settings);
    const isCurrent = () => this.#state.settings?.version === settings.version;
    const what = { url: settings.endpoint_url, eventId: id, body, secrets, isWanted: () => isCurrent() && this.#state.isSending };
    const result = await attempt(what, { ...this.#ports, destinations: this.#destinations });
    if (result) this.#storage.transactionSync(() => this.#settle(number, result, isCurrent()));
  }

  /** Notes how an attempt went. What it met under settings that have changed since does not speak against the present ones. */
  #settle(number: number, result: AttemptResult, isCurrent: boolean): void {
    if (!this.#queue.isPending(number)) return;
    if (result.error === null) {
      this.#queue.delivered(number, result);
      this.#state.accepted(result.atMs);
      return;
    }
    const exhausted = this.#queue.failed(number, result, this.#ports.random());
    if (!isCurrent) return exhausted && this.#queue.beginAnew(this.#ports.now());
    if (result.error === "gone") this.#state.giveUp("gone");
    else if (exhausted && isSustainedFailure(exhausted.firstAttemptAtMs, this.#state.lastSuccessAtMs))
      this.#state.giveUp("sustained_failure");
    else if (exhausted) this.#queue.giveUp(number);
  }

  /** Has the home cell disable an endpoint that was given up. Until it has, nothing is sent, and this is tried again. */
  async #reportGivenUp(): Promise<void> {
    const { settings, givenUp } = this.#state;
    if (!settings || givenUp === null) return;
    const { id, version } = settings;
    const commandId = sha256Hex(`disable webhook endpoint ${id} ${version}`);
    try {
      // A refusal says that the endpoint has been changed or deleted meanwhile: then the new settings are on their way.
      await withDeadline(
        this.#ledger(HOME_CELL).execute({
          command: { type: "disable_webhook_endpoint", id, version, reason: givenUp },
          actor: { type: "system", id: "webhook_dispatcher" },
          commandId,
          fingerprint: commandId,
          sealedReply: null,
          untilInForce: false,
        }),
        CELL_TIMEOUT_MS,
      );
      this.#state.reported(version);
    } catch {
      this.#state.reportAgainAt(this.#ports.now() + CELL_RETRY_MS);
    }
  }

  async #secrets(settings: EndpointSettings): Promise<SigningSecrets | null> {
    const { id, sealed_secret, sealed_previous_secret, previous_secret_ends_at_ms } = settings;
    const { replySealKey } = this.#configuration;
    const current = await openWebhookSecret(replySealKey, id, sealed_secret);
    if (current === null) return null;
    const overlaps = sealed_previous_secret !== null && (previous_secret_ends_at_ms ?? 0) > this.#ports.now();
    return { current, previous: overlaps ? await openWebhookSecret(replySealKey, id, sealed_previous_secret) : null };
  }

  #ledger(cell: number): LedgerContract {
    return this.env.LEDGER.getByName(cellName(cell));
  }

  /** Sets the alarm for the earliest thing that is waiting. */
  async #arm(): Promise<void> {
    const isSending = this.#state.isSending;
    const waiting = [
      this.#state.nextReportAtMs(),
      isSending && this.#queue.room > 0 ? this.#places.nextReadAtMs() : null,
      isSending ? this.#queue.nextDueAtMs() : null,
      this.#queue.nextForgettingAtMs(),
    ].filter((at) => at !== null);
    if (waiting.length > 0) await this.#storage.setAlarm(Math.max(this.#ports.now(), Math.min(...waiting)));
    else await this.#storage.deleteAlarm();
  }
}
