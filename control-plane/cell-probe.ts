/** Asking cells whether they answer: one question to a cell at a time, and what came of it is good for a second, so that whoever wants to know costs nothing more. */
import { withDeadline } from "../platform/deadline.ts";

/** Milliseconds from a question until the same cell is asked again. */
const GOOD_FOR_MS = 1_000;
/** Milliseconds after which a cell counts as not answering: clearly less than a gateway waits for a replica. */
const PATIENCE_MS = 1_500;

/** For a Durable Object: in a Worker a promise must not be waited for by other requests. */
export class CellProbe {
  readonly #ask: (cell: number) => Promise<unknown>;
  readonly #now: () => number;
  readonly #asked = new Map<number, { readonly atMs: number; readonly answers: Promise<boolean> }>();

  constructor(ask: (cell: number) => Promise<unknown>, now: () => number) {
    this.#ask = ask;
    this.#now = now;
  }

  /** Whether the cell answers, or did within the last second. Never rejects. */
  async answers(cell: number): Promise<boolean> {
    const nowMs = this.#now();
    const known = this.#asked.get(cell);
    if (known && nowMs >= known.atMs && nowMs < known.atMs + GOOD_FOR_MS) return known.answers;
    const answers = withDeadline(this.#ask(cell), PATIENCE_MS).then(
      () => true,
      () => false,
    );
    this.#asked.set(cell, { atMs: nowMs, answers });
    return answers;
  }
}
