/**
 * What an edge knows of the cells it uses, and for how long it may decide by that.
 *
 * Invariants:
 * - E1 A view may be decided by until E after the edge began to ask, on the edge's clock; what is decided later asks again.
 * - E2 An answer that comes late or out of order never takes anything back: windows merge, and a lease only ever ends later
 *   because it was asked for later.
 * - E3 A question begun before a request arrived does not vouch for that request where the route asks for freshness 0.
 *
 * It holds values, never promises: a promise belongs to the request that made it and may hang when that request ends.
 */
import { FLOORS_KEPT_MAX, FloorWindow } from "./floor-window.ts";
import type { SyncAnswer, SyncRequest } from "./messages.ts";

/** Milliseconds for which a cell that no request has needed is still asked about. */
export const UNUSED_ASKED_MS = 10_000;
/** Milliseconds after which a question counts as lost: others ask, though its answer is welcome when it comes. */
const QUESTION_LOST_MS = 1_000;

/** A question to the replica. */
export interface Refresh {
  readonly request: SyncRequest;
  /** On the edge's clock, before the question leaves. */
  readonly askedAtMs: number;
  /** Counts the isolate's questions: tells what began before what without a clock. */
  readonly ordinal: number;
}

/** How recent a view must be: so old at most, or asked for after the request arrived. */
export interface Freshness {
  /** Milliseconds; 0: only what was asked for after the request arrived. At most the edge lease. */
  readonly maxAgeMs: number;
  /** {@link EdgeViews.questionsAsked} when the request arrived. */
  readonly questionsBefore: number;
}

/** One cell as the edge knows it. */
export interface CellView {
  readonly window: FloorWindow;
  /** When the question was asked that the present lease comes from, on the edge's clock. */
  readonly askedAtMs: number;
  readonly ordinal: number;
  readonly edgeLeaseMs: number;
}

interface UsedCell {
  view: CellView | undefined;
  usedAtMs: number;
  /** The latest question that came to nothing for this cell. */
  unansweredOrdinal: number;
}

/** A question that is on its way. */
interface RunningQuestion {
  readonly ordinal: number;
  readonly askedAtMs: number;
  readonly cells: readonly number[];
}

/** One isolate's views, by cell. Times are milliseconds on its clock. */
export class EdgeViews {
  protected readonly cells = new Map<number, UsedCell>();
  readonly #floorsKeptMax: number;
  #questions = 0;
  /** Questions that have not ended, oldest first: one, or more where one was lost or not about all cells. */
  #running: readonly RunningQuestion[] = [];

  constructor(floorsKeptMax: number = FLOORS_KEPT_MAX) {
    this.#floorsKeptMax = floorsKeptMax;
  }

  /** How many questions have been asked so far. */
  get questionsAsked(): number {
    return this.#questions;
  }

  /** Notes that a request needs the cell. */
  use(cell: number, nowMs: number): void {
    const used = this.cells.get(cell);
    if (used) used.usedAtMs = nowMs;
    else this.cells.set(cell, { view: undefined, usedAtMs: nowMs, unansweredOrdinal: 0 });
  }

  /** The cells that requests need, or have needed lately. */
  cellsInUse(nowMs: number): number[] {
    return [...this.cells].filter(([, { usedAtMs }]) => nowMs - usedAtMs <= UNUSED_ASKED_MS).map(([cell]) => cell);
  }

  /** What is known of a cell, however old. */
  view(cell: number): CellView | undefined {
    return this.cells.get(cell)?.view;
  }

  /** Whether a decision may be made by the view at this moment. */
  isLive(view: CellView | undefined, freshness: Freshness, nowMs: number): view is CellView {
    // A clock that has been set back tells nothing of how long ago that was.
    if (!view || nowMs < view.askedAtMs || nowMs >= view.askedAtMs + view.edgeLeaseMs) return false;
    return view.ordinal > freshness.questionsBefore || nowMs < view.askedAtMs + freshness.maxAgeMs;
  }

  /**
   * A question on its way about all of these cells, for a request that came when so many had been asked: the first one begun after that,
   * or else the latest. It stays the same until it ends or a first one is begun.
   */
  running(cells: readonly number[], questionsBefore: number, nowMs: number): RunningQuestion | undefined {
    const about = this.#running.filter((question) => !isLost(question, nowMs) && cells.every((cell) => question.cells.includes(cell)));
    return about.find(({ ordinal }) => ordinal > questionsBefore) ?? about.at(-1);
  }

  /** Whether one of the cells was not answered for, by a question that is this one or a later one. */
  isUnanswered(cells: readonly number[], ordinal: number): boolean {
    return cells.some((cell) => {
      const used = this.cells.get(cell);
      return used !== undefined && used.unansweredOrdinal >= ordinal;
    });
  }

  /**
   * Begins a question about every cell in use: one call, whatever the request needs. Views of cells that are not in use are kept, for
   * routes that bear an outage. Whoever begins it must report to {@link refreshed}, and keep the question alive when the client
   * hangs up: others wait for it.
   */
  refresh(nowMs: number): Refresh {
    this.#questions += 1;
    const cells = this.cellsInUse(nowMs).map((cell) => ({ cell, since: this.view(cell)?.window.seq ?? null }));
    const question = { ordinal: this.#questions, askedAtMs: nowMs, cells: cells.map(({ cell }) => cell) };
    this.#running = [...this.#running.filter((other) => !isLost(other, nowMs)), question];
    return { request: { cells }, askedAtMs: nowMs, ordinal: this.#questions };
  }

  /** Takes in an answer, or that there is none; of cells that were not answered for nothing changes. */
  refreshed(refresh: Refresh, answer: SyncAnswer | undefined, nowMs: number): void {
    const { ordinal, request } = refresh;
    this.#running = this.#running.filter((question) => question.ordinal !== ordinal);
    const synced = new Map(answer?.cells.map((sync) => [sync.cell, sync]));
    for (const { cell } of request.cells) {
      const [used, sync] = [this.cells.get(cell), synced.get(cell)];
      if (used && sync?.answered === true) used.view = this.viewAfter(used.view, refresh, sync, nowMs);
      else if (used) used.unansweredOrdinal = Math.max(used.unansweredOrdinal, ordinal);
    }
  }

  /**
   * Whether this request should ask in the background, so that the next ones need not wait: the lease of a cell in use is past
   * half, and nobody asks yet.
   */
  isRenewalDue(cells: readonly number[], nowMs: number): boolean {
    const isAging = cells.some((cell) => {
      const view = this.view(cell);
      return view !== undefined && nowMs >= view.askedAtMs + view.edgeLeaseMs / 2;
    });
    return isAging && !this.running(cells, this.#questions, nowMs);
  }

  /** All it knows, to be looked at. */
  toJSON(): unknown {
    return { cells: [...this.cells], questions: this.#questions, running: this.#running };
  }

  /** A cell's view with an answer taken in. */
  protected viewAfter(
    held: CellView | undefined,
    { askedAtMs, ordinal }: Refresh,
    { window, edgeLeaseMs }: Extract<SyncAnswer["cells"][number], { answered: true }>,
    _nowMs: number,
  ): CellView {
    if (!held) return { window: new FloorWindow(window, this.#floorsKeptMax), askedAtMs, ordinal, edgeLeaseMs };
    held.window.merge(window);
    return ordinal > held.ordinal ? { window: held.window, askedAtMs, ordinal, edgeLeaseMs } : held;
  }
}

/** A clock that has been set back tells nothing of how long a question has been on its way. */
function isLost({ askedAtMs }: RunningQuestion, nowMs: number): boolean {
  return nowMs < askedAtMs || nowMs >= askedAtMs + QUESTION_LOST_MS;
}
