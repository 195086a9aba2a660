/**
 * What something may have been at a time, as far as somebody outside can tell: a change took effect at some moment between the call that
 * made it and its return, or may take effect at any time from then on as long as nobody knows whether it was made.
 */

interface Change<Value> {
  readonly value: Value;
  /** Not in effect before. Milliseconds since the epoch, as all times here. */
  readonly fromMs: number;
  /** In effect from then on, for everybody; infinite while that is not known. */
  byMs: number;
}

/** A change that was asked for. */
export interface Asked {
  /** It was acknowledged: it is in effect by then. */
  done(byMs: number): void;
  /** It was refused, and certainly not made. */
  refused(): void;
}

/** The changes of one thing, one after the other. */
export class Timeline<Value> {
  #changes: Change<Value>[];

  constructor(initial: Value) {
    this.#changes = [{ value: initial, fromMs: Number.NEGATIVE_INFINITY, byMs: Number.NEGATIVE_INFINITY }];
  }

  /** What it was last asked to be. */
  get latest(): Value {
    const last = this.#changes.at(-1);
    if (!last) throw new Error("a timeline begins with a value");
    return last.value;
  }

  /** A change is being asked for that cannot be in effect before a time. One after the other. */
  ask(value: Value, fromMs: number): Asked {
    const change: Change<Value> = { value, fromMs, byMs: Number.POSITIVE_INFINITY };
    this.#changes.push(change);
    return {
      done: (atMs) => void (change.byMs = atMs),
      refused: () => void (this.#changes = this.#changes.filter((each) => each !== change)),
    };
  }

  /** All that it may have been at some moment from the one time to the other. */
  possible(fromMs: number, toMs: number): Value[] {
    const settled = this.#changes.findLastIndex(({ byMs }) => byMs <= fromMs);
    return this.#changes.slice(Math.max(0, settled)).flatMap((change) => (change.fromMs <= toMs ? [change.value] : []));
  }
}
