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
export const UNUSED_KEPT_MS = 10_000;
/** Milliseconds after which a refresh in the background that has not reported counts as lost. */
const BACKGROUND_LOST_MS = 5_000;

/** A question to the replica. */
export interface Refresh {
  readonly request: SyncRequest;
  /** On the edge's clock, before the question leaves. */
  readonly askedAtMs: number;
  /** Counts the isolate's questions: tells what began before what without a clock. */
  readonly ordinal: number;
}

/** How recent a view must be. */
export interface Freshness {
  /** Milliseconds; 0: asked for after the request arrived. At most the edge lease. */
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
}

/** One isolate's views, by cell. Times are milliseconds on its clock. */
export class EdgeViews {
  protected readonly cells = new Map<number, UsedCell>();
  readonly #floorsKeptMax: number;
  #questions = 0;
  #backgroundSinceMs = Number.NEGATIVE_INFINITY;

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
    else this.cells.set(cell, { view: undefined, usedAtMs: nowMs });
  }

  /** What is known of a cell, however old. */
  view(cell: number): CellView | undefined {
    return this.cells.get(cell)?.view;
  }

  /** Whether a decision may be made by the view at this moment. */
  isLive(view: CellView | undefined, freshness: Freshness, nowMs: number): view is CellView {
    // A clock that has been set back tells nothing of how long ago that was.
    if (!view || nowMs < view.askedAtMs || nowMs >= view.askedAtMs + view.edgeLeaseMs) return false;
    return freshness.maxAgeMs === 0 ? view.ordinal > freshness.questionsBefore : nowMs < view.askedAtMs + freshness.maxAgeMs;
  }

  /** Begins a question about every cell in use: one call, whatever the request needs. */
  refresh(nowMs: number): Refresh {
    this.#questions += 1;
    for (const [cell, { usedAtMs }] of this.cells) if (nowMs - usedAtMs > UNUSED_KEPT_MS) this.cells.delete(cell);
    const cells = [...this.cells].map(([cell, { view }]) => ({ cell, since: view?.window.seq ?? null }));
    return { request: { cells }, askedAtMs: nowMs, ordinal: this.#questions };
  }

  /** Takes in an answer; of cells that were not answered for nothing changes. */
  refreshed(refresh: Refresh, answer: SyncAnswer, nowMs: number): void {
    for (const sync of answer.cells) {
      const used = this.cells.get(sync.cell);
      if (!sync.answered || !used) continue;
      used.view = this.viewAfter(used.view, refresh, sync, nowMs);
    }
  }

  /**
   * Whether this request should ask in the background, so that the next ones need not wait: the lease of a cell in use is past
   * half, and nobody else has begun. Who is told true must ask and then call {@link backgroundOver}.
   */
  beginBackground(cells: readonly number[], nowMs: number): boolean {
    if (nowMs - this.#backgroundSinceMs < BACKGROUND_LOST_MS) return false;
    const isAging = cells.some((cell) => {
      const view = this.view(cell);
      return view !== undefined && nowMs >= view.askedAtMs + view.edgeLeaseMs / 2;
    });
    if (isAging) this.#backgroundSinceMs = nowMs;
    return isAging;
  }

  /** The background question has ended, however. */
  backgroundOver(): void {
    this.#backgroundSinceMs = Number.NEGATIVE_INFINITY;
  }

  /** All it knows, to be looked at. */
  toJSON(): unknown {
    return { cells: [...this.cells], questions: this.#questions, backgroundSinceMs: this.#backgroundSinceMs };
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
