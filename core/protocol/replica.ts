/**
 * A replica: answers edges of its region from memory, for every cell it holds a lease of.
 *
 * Invariants:
 * - R1 It answers for a cell only while its lease runs, counted on its own clock from before it asked for it.
 * - R2 What it has acknowledged is in every answer it gives afterwards: its windows only grow.
 * - R3 Its memory is one life: a new life starts with no window and no lease, under a higher epoch.
 *
 * No I/O and no clock of its own.
 */
import type { FloorView } from "../floor.ts";
import { FLOORS_KEPT_MAX, FloorWindow } from "./floor-window.ts";
import type { Acknowledgement, CellSync, LeaseGrant, LeaseRequest, Push, SyncAnswer, SyncRequest } from "./messages.ts";

/** A lease that is being asked for. */
export interface Renewal {
  readonly cell: number;
  readonly request: LeaseRequest;
  /** On the replica's clock, before the request leaves. */
  readonly askedAtMs: number;
}

/** Which leases are to be asked for. */
export interface DueRenewals {
  /** These have run out: nothing can be answered for them before, so they are waited for. */
  readonly waited: readonly number[];
  /** For how long at most, in milliseconds. */
  readonly waitMs: number;
  /** These are asked for meanwhile: half of their time is left; or it has run out, but the cell has kept us waiting already. */
  readonly meanwhile: readonly number[];
}

/** Questions that a cell has left without an answer, on the replica's clock. */
interface Unanswered {
  readonly sinceMs: number;
  readonly lastMs: number;
}

/**
 * Milliseconds for which a cell that does not answer is waited for. Clearly less than an edge waits for the replica: an answer to
 * an edge is about all cells it uses, and those that work must not stand still for one that does not.
 */
const PATIENCE_MS = 1_500;
/** Milliseconds without a question after which it is forgotten that a cell did not answer. */
const FORGIVEN_AFTER_MS = 10_000;

/** What is held of one cell. */
interface CellLease {
  readonly window: FloorWindow;
  /** On the replica's clock. */
  leaseEndsAtMs: number;
  leaseMs: number;
  edgeLeaseMs: number;
}

/** One life of a replica. Times are milliseconds on its clock. */
export class Replica {
  readonly #name: string;
  readonly #epoch: number;
  readonly #floorsKeptMax: number;
  protected readonly cells = new Map<number, CellLease>();
  readonly #unanswered = new Map<number, Unanswered>();

  /** `epoch` is higher than in any life of this replica before. */
  constructor(name: string, epoch: number, floorsKeptMax: number = FLOORS_KEPT_MAX) {
    this.#name = name;
    this.#epoch = epoch;
    this.#floorsKeptMax = floorsKeptMax;
  }

  /** Which of the cells asked for need a lease first, and which should have theirs renewed. */
  due({ cells }: SyncRequest, nowMs: number): DueRenewals {
    const [waited, meanwhile]: [number[], number[]] = [[], []];
    let waitMs = 0;
    for (const { cell } of cells) {
      const held = this.cells.get(cell);
      const remainingMs = held ? this.remainingMs(held, nowMs) : 0;
      const patienceMs = this.#patienceMs(cell, nowMs);
      if (remainingMs <= 0 && patienceMs > 0) {
        waited.push(cell);
        waitMs = Math.max(waitMs, patienceMs);
      } else if (!held || remainingMs <= held.leaseMs / 2) meanwhile.push(cell);
    }
    return { waited, waitMs, meanwhile };
  }

  /** Asks for a lease. `nowMs` was read before the request leaves. */
  renewal(cell: number, nowMs: number): Renewal {
    const unanswered = this.#unansweredBy(cell, nowMs);
    this.#unanswered.set(cell, { sinceMs: unanswered?.sinceMs ?? nowMs, lastMs: nowMs });
    const since = this.cells.get(cell)?.window.seq ?? null;
    return { cell, request: { replica: this.#name, epoch: this.#epoch, since }, askedAtMs: nowMs };
  }

  /** A lease has been granted; it may have run out on the way. */
  granted({ cell, askedAtMs }: Renewal, grant: LeaseGrant, nowMs: number): void {
    this.#unanswered.delete(cell);
    const held = this.#learn(cell, grant.window);
    held.leaseEndsAtMs = Math.max(held.leaseEndsAtMs, this.leaseEndsAtMs(askedAtMs, grant.leaseMs, nowMs));
    held.leaseMs = grant.leaseMs;
    held.edgeLeaseMs = grant.edgeLeaseMs;
  }

  /** Takes in floors that were raised. What this answers is a promise for all answers to come. */
  pushed({ cell, window }: Push): Acknowledgement {
    return { epoch: this.#epoch, knows: this.#learn(cell, window).window.seq };
  }

  /** What may be said at this moment. */
  answer({ cells }: SyncRequest, nowMs: number): SyncAnswer {
    return { cells: cells.map(({ cell, since }) => this.answerOf(cell, since, nowMs)) };
  }

  /** All it knows, to be looked at. */
  toJSON(): unknown {
    return { name: this.#name, epoch: this.#epoch, cells: [...this.cells], unanswered: [...this.#unanswered] };
  }

  /** What may be said of one cell. */
  protected answerOf(cell: number, since: number | null, nowMs: number): CellSync {
    const held = this.cells.get(cell);
    if (!held || this.remainingMs(held, nowMs) <= 0) return { cell, answered: false };
    return { cell, answered: true, edgeLeaseMs: held.edgeLeaseMs, window: held.window.view(since) };
  }

  /** When a lease ends that was asked for at `askedAtMs`. */
  protected leaseEndsAtMs(askedAtMs: number, leaseMs: number, _nowMs: number): number {
    return askedAtMs + leaseMs;
  }

  /** How much of a lease is left; zero or less: none. */
  protected remainingMs(held: CellLease, nowMs: number): number {
    return held.leaseEndsAtMs - nowMs;
  }

  /** How long a cell is still waited for. */
  #patienceMs(cell: number, nowMs: number): number {
    return PATIENCE_MS - (nowMs - (this.#unansweredBy(cell, nowMs)?.sinceMs ?? nowMs));
  }

  #unansweredBy(cell: number, nowMs: number): Unanswered | undefined {
    const unanswered = this.#unanswered.get(cell);
    return unanswered && nowMs - unanswered.lastMs < FORGIVEN_AFTER_MS ? unanswered : undefined;
  }

  #learn(cell: number, window: FloorView): CellLease {
    const held = this.cells.get(cell);
    if (held) {
      held.window.merge(window);
      return held;
    }
    const fresh = {
      window: new FloorWindow(window, this.#floorsKeptMax),
      leaseEndsAtMs: Number.NEGATIVE_INFINITY,
      leaseMs: 0,
      edgeLeaseMs: 0,
    };
    this.cells.set(cell, fresh);
    return fresh;
  }
}
