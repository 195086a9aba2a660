/**
 * Something that runs on a machine of its own: with a clock that drifts and lags, and that nobody else can read; it may pause,
 * and it may die. What it does between two events it does at once.
 */
import type { Random } from "../random.ts";
import type { Engine, Event } from "./engine.ts";
import type { SimulatedRegion } from "./latency.ts";

/** How wrong a clock is. */
export interface ClockFault {
  /** Milliseconds that pass on it in one of true time. */
  readonly rate: number;
  /** What it shows at the beginning. */
  readonly offsetMs: number;
  /** By how much, at most, what it says in an event lags behind. */
  readonly lagMaxMs: number;
}

/** A process. One life of it: what is started again is another process. */
export class Process {
  readonly name: string;
  readonly region: SimulatedRegion;
  protected readonly engine: Engine;
  readonly #clock: ClockFault;
  readonly #random: Random;
  #isOver = false;
  #pausedUntilMs = 0;
  #deferred: Event[] = [];
  #readAtMs = -1;
  #reading = Number.NEGATIVE_INFINITY;

  constructor(engine: Engine, name: string, region: SimulatedRegion, clock: ClockFault, random: Random) {
    this.engine = engine;
    this.name = name;
    this.region = region;
    this.#clock = clock;
    this.#random = random;
  }

  /** Whether it has died. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Milliseconds that pass on its clock in one of true time. */
  protected get clockRate(): number {
    return this.#clock.rate;
  }

  /** What its clock says in this event: it stands still in an event, and never goes back. */
  now(): number {
    if (this.#readAtMs !== this.engine.nowMs) {
      this.#readAtMs = this.engine.nowMs;
      const { rate, offsetMs, lagMaxMs } = this.#clock;
      const seen = Math.max(0, this.engine.nowMs - this.#random.next() * lagMaxMs);
      this.#reading = Math.max(this.#reading, offsetMs + seen * rate);
    }
    return this.#reading;
  }

  /** Has something happen in it: now, or when it goes on, or never if it has died. */
  deliver(event: Event): void {
    if (this.#isOver) return;
    if (this.engine.nowMs < this.#pausedUntilMs) this.#deferred.push(event);
    else event();
  }

  /** Has something happen in it after so long on its own clock, or a little later. */
  timer(ms: number, event: Event): void {
    const trueMs = Math.max(0, ms) / this.#clock.rate + this.#random.next() * 2;
    this.engine.after(trueMs, () => this.deliver(event));
  }

  /** Stops it for a while; what comes meanwhile waits. */
  pause(ms: number): void {
    const untilMs = this.engine.nowMs + ms;
    if (untilMs <= this.#pausedUntilMs) return;
    this.#pausedUntilMs = untilMs;
    this.engine.at(untilMs, () => this.#resume());
  }

  /** Ends it: nothing happens in it any more. */
  die(): void {
    this.#isOver = true;
    this.#deferred = [];
  }

  #resume(): void {
    if (this.engine.nowMs < this.#pausedUntilMs) return;
    for (const event of this.#deferred.splice(0)) this.deliver(event);
  }
}
