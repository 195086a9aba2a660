/** Bringing what the home cell has to every other cell: one round at a time, and who comes meanwhile takes part in the next. */

/** What one round has to deliver, as of its beginning. */
interface Round {
  /** The home cell's entry up to which everything is in it. */
  readonly homeSeq: number;
  readonly cells: readonly number[];
  /** Resolves when the cell has it, in force at every edge. */
  readonly deliver: (cell: number) => Promise<void>;
}

/** One kind of thing that is delivered. */
export class CellDelivery {
  readonly #begin: () => Round;
  readonly #arrivedEverywhere: (homeSeq: number) => void;
  #round: Promise<boolean> | undefined;

  constructor(begin: () => Round, arrivedEverywhere: (homeSeq: number) => void) {
    this.#begin = begin;
    this.#arrivedEverywhere = arrivedEverywhere;
  }

  /** Whether every cell has, in force, all that there was when this was called. What fails is for a later call. */
  async run(): Promise<boolean> {
    await this.#round;
    this.#round ??= this.#deliver().finally(() => (this.#round = undefined));
    return this.#round;
  }

  async #deliver(): Promise<boolean> {
    const { homeSeq, cells, deliver } = this.#begin();
    const delivered = await Promise.allSettled(cells.map(deliver));
    const isComplete = delivered.every(({ status }) => status === "fulfilled");
    if (isComplete) this.#arrivedEverywhere(homeSeq);
    return isComplete;
  }
}
