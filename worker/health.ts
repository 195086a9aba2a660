/**
 * Whether this isolate can do its work: it asks KV, the region's replica and, through that, every cell it has to do with, as it would for a
 * request. A report is good for a second and one question at a time is asked, so whoever asks for it often costs the ledger nothing more; and
 * the replica asks each cell once a second at most, however many isolates there are.
 *
 * It keeps values, never promises: a promise belongs to the request that made it and may hang when that request ends.
 */
import { HOME_CELL } from "../core/identifier.ts";
import type { Edge } from "../core/edge/request.ts";
import { DEADLINES_MS } from "../core/protocol/tunables.ts";
import { ROUTES_RECORD_NAME } from "../core/route.ts";
import type { TagKeys } from "../core/token.ts";
import { withDeadline } from "../platform/deadline.ts";
import { readKv } from "./kv.ts";
import type { Asker, LedgerAccess } from "./ledger-access.ts";
import type { GatewayPorts } from "./ports.ts";

/** `pass`: it works. `warn`: requests are decided, but not all of it works. `fail`: requests are refused. */
export type HealthStatus = "pass" | "warn" | "fail";

/** What a cell is to this isolate. */
export interface CellHealth {
  readonly cell: number;
  /** Whether the cell itself answered; null: it could not be asked, as the replica did not answer. */
  readonly answers: boolean | null;
  /** What requests are decided by; null: nothing has been heard of the cell yet. */
  readonly lease: LeaseHealth | null;
}

/** The view that requests are decided by. */
interface LeaseHealth {
  /** Whether a request may be decided by it now. */
  readonly live: boolean;
  /** Whether the replica answered for the cell just now. */
  readonly renewed: boolean;
  /** Milliseconds since it was asked for. */
  readonly ageMs: number;
  /** When it runs out, in ms since the epoch. */
  readonly untilMs: number;
  /** Latest entry of the cell that is taken into account. */
  readonly seq: number;
}

/** One examination. */
export interface HealthReport {
  readonly status: HealthStatus;
  /** When it was made, in ms since the epoch. */
  readonly atMs: number;
  readonly kv: { readonly answers: boolean; readonly ms: number };
  readonly replica: { readonly name: string; readonly answers: boolean; readonly ms: number };
  /** Those in use, the home cell always. */
  readonly cells: readonly CellHealth[];
}

/** Milliseconds for which a report is good. */
const GOOD_FOR_MS = 1_000;
/** Milliseconds after which an examination counts as lost with its request. */
const LOST_AFTER_MS = DEADLINES_MS.replica * 2 + 1_000;
/** Milliseconds between two looks at an examination that another request makes. */
const LOOK_MS = 20;

/** One isolate's health. */
export class HealthCheck {
  readonly #ports: GatewayPorts;
  readonly #edge: Edge;
  readonly #ledger: LedgerAccess;
  readonly #tagKeys: TagKeys;
  #latest: HealthReport | undefined;
  /** When the examination began that is under way. */
  #askedAtMs: number | undefined;

  constructor(ports: GatewayPorts, edge: Edge, ledger: LedgerAccess, tagKeys: TagKeys) {
    this.#ports = ports;
    this.#edge = edge;
    this.#ledger = ledger;
    this.#tagKeys = tagKeys;
  }

  /** A report that is a second old at most. Never rejects. */
  async report(asker: Asker): Promise<HealthReport> {
    for (;;) {
      const nowMs = this.#ports.now();
      const latest = this.#latest;
      if (latest && isWithin(nowMs, latest.atMs, GOOD_FOR_MS)) return latest;
      if (this.#askedAtMs === undefined || !isWithin(nowMs, this.#askedAtMs, LOST_AFTER_MS)) return this.#examine(asker, nowMs);
      await this.#pause();
    }
  }

  async #examine(asker: Asker, nowMs: number): Promise<HealthReport> {
    this.#askedAtMs = nowMs;
    const examining = this.#ask(asker).then((report) => {
      this.#latest = report;
      this.#askedAtMs = undefined;
      return report;
    });
    asker.context.waitUntil(examining);
    return examining;
  }

  async #ask(asker: Asker): Promise<HealthReport> {
    const { now } = this.#ports;
    this.#edge.views.use(HOME_CELL, now());
    const inUse = this.#edge.views.cellsInUse(now());
    const [kv, probe, leases] = await Promise.all([this.#askKv(), this.#probe(asker.replica, inUse), this.#renew(asker, inUse)]);
    const { answering, ms } = probe;
    const cells = inUse.map((cell, at) => ({ cell, answers: answering && answering.includes(cell), lease: leases[at] ?? null }));
    const report = { atMs: now(), kv, replica: { name: asker.replica, answers: answering !== null, ms }, cells };
    return { ...report, status: statusOf(report) };
  }

  async #askKv(): Promise<HealthReport["kv"]> {
    const askedAtMs = this.#ports.now();
    const { answered } = await readKv(this.#ports, ROUTES_RECORD_NAME, this.#tagKeys);
    return { answers: answered, ms: this.#ports.now() - askedAtMs };
  }

  /** Which cells answer the replica; null where it does not answer itself. */
  async #probe(replica: string, cells: readonly number[]) {
    const { ledger, now } = this.#ports;
    const askedAtMs = now();
    const answering = await withDeadline(ledger.probe(replica, cells), DEADLINES_MS.replica).catch(() => null);
    return { answering: Array.isArray(answering) ? answering : null, ms: now() - askedAtMs };
  }

  /** What the leases are the moment they have been renewed, or not: what else is asked may take longer than they last. */
  async #renew(asker: Asker, cells: readonly number[]): Promise<readonly (LeaseHealth | null)[]> {
    const { views } = this.#edge;
    const renewing = this.#ledger.refresh(asker);
    const ordinal = views.questionsAsked;
    // What cannot be read is no renewal either.
    const isAnswered = await renewing.then(
      () => true,
      () => false,
    );
    return cells.map((cell) => this.#lease(cell, isAnswered && !views.isUnanswered([cell], ordinal)));
  }

  #lease(cell: number, renewed: boolean): LeaseHealth | null {
    const { views } = this.#edge;
    const nowMs = this.#ports.now();
    const view = views.view(cell);
    if (!view) return null;
    return {
      live: views.isLive(view, { maxAgeMs: Number.POSITIVE_INFINITY, questionsBefore: 0 }, nowMs),
      renewed,
      ageMs: nowMs - view.askedAtMs,
      untilMs: view.askedAtMs + view.edgeLeaseMs,
      seq: view.window.seq,
    };
  }

  async #pause(): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

/** Without a lease that runs, what a cell speaks for is refused. Whatever else is wrong only costs time, or may cost the next lease. */
function statusOf({ kv, replica, cells }: Pick<HealthReport, "kv" | "replica" | "cells">): HealthStatus {
  if (cells.some(({ lease }) => lease?.live !== true)) return "fail";
  const isWhole = kv.answers && replica.answers && cells.every(({ answers, lease }) => answers === true && lease?.renewed === true);
  return isWhole ? "pass" : "warn";
}

/** A clock that has been set back tells nothing of how long ago something was. */
function isWithin(nowMs: number, sinceMs: number, ms: number): boolean {
  return nowMs >= sinceMs && nowMs < sinceMs + ms;
}
