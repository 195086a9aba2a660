/** Virtual time: events happen in the order of their time, and at the same time in the order they were asked for. Nothing else moves. */

/** Runs when its time has come. */
export type Event = () => void;

interface Scheduled {
  readonly atMs: number;
  readonly order: number;
  readonly event: Event;
}

/** The clock of the true time, which no process can read, and what is to happen. */
export class Engine {
  nowMs = 0;
  /** Events that have happened. */
  events = 0;
  readonly #heap: Scheduled[] = [];
  #order = 0;

  /** Has something happen at a time; not before now. */
  at(atMs: number, event: Event): void {
    this.#push({ atMs: Math.max(atMs, this.nowMs), order: this.#order++, event });
  }

  /** Has something happen after a while. */
  after(ms: number, event: Event): void {
    this.at(this.nowMs + ms, event);
  }

  /** Lets everything happen that is to happen until then. */
  run(untilMs: number): void {
    for (let next = this.#heap[0]; next !== undefined && next.atMs <= untilMs; next = this.#heap[0]) {
      this.#pop();
      this.nowMs = next.atMs;
      this.events += 1;
      next.event();
    }
    this.nowMs = untilMs;
  }

  #push(item: Scheduled): void {
    const heap = this.#heap;
    let at = heap.push(item) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent];
      if (above === undefined || isBefore(above, item)) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = item;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      const [left, right] = [heap[child], heap[child + 1]];
      if (left === undefined) break;
      let least = left;
      if (right !== undefined && isBefore(right, left)) {
        child += 1;
        least = right;
      }
      if (isBefore(last, least)) break;
      heap[at] = least;
      at = child;
    }
    heap[at] = last;
  }
}

function isBefore(one: Scheduled, other: Scheduled): boolean {
  return one.atMs < other.atMs || (one.atMs === other.atMs && one.order < other.order);
}
