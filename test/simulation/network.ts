/** Calls between processes, over a network that delays, loses, doubles, reorders and cuts. */
import type { Random } from "../random.ts";
import type { Coverage } from "./coverage.ts";
import type { Engine } from "./engine.ts";
import { roundTripMs, type SimulatedRegion } from "./latency.ts";
import type { Process } from "./process.ts";

/** How bad the network is. Shares from 0 to 1. */
export interface NetworkFaults {
  readonly loss: number;
  readonly duplication: number;
  /** Messages that take many times as long. */
  readonly stragglers: number;
  /** By how much delays vary, as a share of the usual delay. */
  readonly jitter: number;
}

/** Answers a call: with something, or as having failed. */
export type Answer<Result> = (result: Result | undefined) => void;

const STRAGGLER_FACTOR_MAX = 40;
/** Milliseconds after which the double of a message may still come: when much has been said since. */
const ECHO_MS_MAX = 4_000;

/** The network between the regions. */
export class Network {
  readonly #engine: Engine;
  readonly #random: Random;
  readonly #coverage: Coverage;
  /** Can be changed while the simulation runs. */
  faults: NetworkFaults;
  /** Regions that are cut off from each other, as "one other". */
  readonly #cut = new Set<string>();
  /** What is asked in vain for the time being, by what it is about. */
  readonly muted = new Set<string>();
  /** Messages sent, by what they are about. */
  readonly sent = new Map<string, number>();

  constructor(engine: Engine, random: Random, coverage: Coverage, faults: NetworkFaults) {
    this.#engine = engine;
    this.#random = random;
    this.#coverage = coverage;
    this.faults = faults;
  }

  /** Cuts or mends the way between two regions. */
  setCut(one: SimulatedRegion, other: SimulatedRegion, isCut: boolean): void {
    for (const way of [`${one} ${other}`, `${other} ${one}`])
      if (isCut) this.#cut.add(way);
      else this.#cut.delete(way);
  }

  /** Mends every way. */
  mend(): void {
    this.#cut.clear();
    this.muted.clear();
  }

  /**
   * Calls a process. `route` says which process has the address when the request arrives; `handle` runs there and may answer
   * later. `done` is told the result, or undefined when there was none in `timeoutMs` on the caller's clock; at most once.
   */
  call<Callee extends Process, Result>(
    about: string,
    caller: Process,
    route: () => Callee | undefined,
    handle: (callee: Callee, answer: Answer<Result>) => void,
    timeoutMs: number,
    done: (result: Result | undefined) => void,
  ): void {
    this.sent.set(about, (this.sent.get(about) ?? 0) + 1);
    let isSettled = false;
    const settle = (result: Result | undefined) => {
      if (isSettled) return;
      isSettled = true;
      done(result);
    };
    caller.timer(timeoutMs, () => {
      if (!isSettled) this.#coverage.hit("call: timed out");
      settle(undefined);
    });
    const target = route();
    const to = target?.region ?? caller.region;
    const answer: Answer<Result> = (result) => this.#send(to, caller.region, () => caller.deliver(() => settle(result)));
    if (this.muted.has(about)) return this.#coverage.hit("network: muted");
    this.#send(caller.region, to, () => {
      const callee = route();
      // Nobody there: the platform tells the caller so.
      if (!callee || callee.isOver) return answer(undefined);
      callee.deliver(() => handle(callee, answer));
    });
  }

  /** Sends one message: it may arrive never, once or twice. */
  #send(from: SimulatedRegion, to: SimulatedRegion, arrive: () => void): void {
    if (this.#cut.has(`${from} ${to}`)) return this.#coverage.hit("network: cut");
    if (this.#random.chance(this.faults.loss)) return this.#coverage.hit("network: lost");
    this.#engine.after(this.#delayMs(from, to), arrive);
    if (!this.#random.chance(this.faults.duplication)) return;
    this.#coverage.hit("network: doubled");
    const echoMs = this.#random.chance(0.5) ? this.#random.next() * ECHO_MS_MAX : 0;
    this.#engine.after(this.#delayMs(from, to) + echoMs, arrive);
  }

  #delayMs(from: SimulatedRegion, to: SimulatedRegion): number {
    const usual = (roundTripMs(from, to) / 2) * (1 + this.#random.next() * this.faults.jitter);
    if (!this.#random.chance(this.faults.stragglers)) return usual;
    this.#coverage.hit("network: straggler");
    return usual * (1 + this.#random.next() * STRAGGLER_FACTOR_MAX);
  }
}
