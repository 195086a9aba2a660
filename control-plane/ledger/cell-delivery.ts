/**
 * Bringing what the home cell has to every other cell. To each cell one flight at a time, which takes along all there is when it
 * begins; who comes meanwhile takes part in the next. No cell waits for another.
 */

/** One kind of thing that is delivered. */
export interface Deliverable {
  /** The home cell's entry up to which everything is there to be delivered. */
  readonly latestSeq: () => number;
  /** The cells that do not have everything. */
  readonly cellsBehind: () => readonly number[];
  /** Brings a cell all there is now; resolves when it has it, in force at every edge. */
  readonly deliver: (cell: number) => Promise<void>;
  /** Every cell has what there was up to an entry. */
  readonly arrivedEverywhere: (seq: number) => void;
}

/** Its deliveries. */
export class CellDelivery {
  readonly #what: Deliverable;
  /** By cell: whether it will have arrived. */
  readonly #flights = new Map<number, Promise<boolean>>();

  constructor(what: Deliverable) {
    this.#what = what;
  }

  /** Whether every cell has, in force, all that there was when this was called. What fails is for a later call. */
  async run(): Promise<boolean> {
    const seq = this.#what.latestSeq();
    const arrived = await Promise.all(this.#what.cellsBehind().map((cell) => this.#bring(cell)));
    const isComplete = arrived.every(Boolean);
    if (isComplete) this.#what.arrivedEverywhere(seq);
    return isComplete;
  }

  async #bring(cell: number): Promise<boolean> {
    // What is under way may have set out before what is wanted was there.
    await this.#flights.get(cell);
    if (!this.#what.cellsBehind().includes(cell)) return true;
    return this.#flights.get(cell) ?? this.#setOut(cell);
  }

  #setOut(cell: number): Promise<boolean> {
    const flight = this.#what
      .deliver(cell)
      .then(
        () => true,
        () => false,
      )
      .finally(() => this.#flights.delete(cell));
    this.#flights.set(cell, flight);
    return flight;
  }
}
