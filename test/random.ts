/** Chance that can be had again: everything random in the fault tests and in the simulation follows from one seed. */

/** A seeded generator (mulberry32): the same seed gives the same numbers on every machine. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** A number from 0 up to, not including, 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number, both ends included. */
  between(low: number, high: number): number {
    return low + Math.floor(this.next() * (high - low + 1));
  }

  /** True this often in the long run, 0 to 1. */
  chance(probability: number): boolean {
    return this.next() < probability;
  }

  /** One of the choices; undefined when there are none. */
  pick<Choice>(choices: readonly Choice[]): Choice | undefined {
    return choices[this.between(0, choices.length - 1)];
  }

  /** The same things in another order, each order as likely as any. */
  shuffled<Thing>(things: readonly Thing[]): Thing[] {
    const left = [...things];
    return things.flatMap(() => left.splice(this.between(0, left.length - 1), 1));
  }

  /** A generator of its own: how often it is asked does not change what this one gives. */
  fork(): Random {
    return new Random(this.between(0, 2 ** 32 - 1));
  }
}
