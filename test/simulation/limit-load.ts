/**
 * Many isolates' traffic against one key for a while, under a virtual clock: the machines that ship, a network that takes time and loses
 * messages, isolates that come and go, and a limiter that is restarted. Tells what was admitted in the worst window, and at what cost.
 */
import { Holding, LIMITER_DEADLINE_MS, type Question } from "../../core/limits/holding.ts";
import { freshMeter, Meter, revivedMeter } from "../../core/limits/meter.ts";
import type { Terms } from "../../core/limits/terms.ts";
import { Random } from "../random.ts";
import { CLOCKS } from "./limited-world.ts";

/** What is sent, and what goes wrong. */
export interface LimitLoad {
  readonly terms: Extract<Terms, { kind: "rate" }>;
  readonly isolates: number;
  readonly seconds: number;
  /** Of all isolates together. */
  readonly requestsPerSecond: number;
  /** Share of messages that are lost, either way. */
  readonly lost: number;
  /** Milliseconds between a new life of a random isolate, and of the limiter; 0: never. */
  readonly crashEveryMs: number;
  readonly restartEveryMs: number;
  readonly seed: number;
}

/** What came of it. */
export interface LimitLoadResult {
  readonly requests: number;
  readonly admitted: number;
  /** Most that was admitted in any window. */
  readonly worstWindow: number;
  /** Of all windows after the first and before the last, the least that was admitted. */
  readonly leastWindow: number;
  readonly questions: number;
}

/** Milliseconds one way. */
const LATENCY_MS = { least: 2, most: 60 } as const;
const TICK_MS = 1;

interface Event {
  readonly atMs: number;
  readonly run: () => void;
}

/** Runs it; the same seed gives the same result. */
export function runLimitLoad(load: LimitLoad): LimitLoadResult {
  return new LimitLoadRun(load).run();
}

class LimitLoadRun {
  readonly #load: LimitLoad;
  readonly #random: Random;
  readonly #rates: number[];
  readonly #holdings: Holding[];
  readonly #admittedAtMs: number[] = [];
  #events: Event[] = [];
  #meter = new Meter(freshMeter(), CLOCKS);
  #requests = 0;
  #questions = 0;
  #nowMs = 0;

  constructor(load: LimitLoad) {
    this.#load = load;
    this.#random = new Random(load.seed);
    this.#holdings = Array.from({ length: load.isolates }, () => new Holding(load.terms));
    this.#rates = this.#holdings.map(() => 1 + (this.#random.next() * 2 - 1) * CLOCKS.clockDriftMax);
  }

  run(): LimitLoadResult {
    const { seconds, requestsPerSecond, crashEveryMs, restartEveryMs } = this.#load;
    let due = 0;
    for (; this.#nowMs < seconds * 1_000; this.#nowMs += TICK_MS) {
      this.#runEvents();
      if (isTime(this.#nowMs, crashEveryMs)) this.#holdings[this.#anIsolate()] = new Holding(this.#load.terms);
      if (isTime(this.#nowMs, restartEveryMs)) this.#meter = new Meter(revivedMeter(structuredClone(this.#meter.state)), CLOCKS);
      for (due += (requestsPerSecond * TICK_MS) / 1_000; due >= 1; due -= 1) this.#request(this.#anIsolate());
    }
    return this.#result();
  }

  #request(at: number): void {
    const holding = this.#holdings[at];
    if (!holding) return;
    this.#requests += 1;
    this.#serve(at, holding, LIMITER_DEADLINE_MS);
  }

  /** As the gateway does: what is not at hand is asked for or waited for, and then tried again. */
  #serve(at: number, holding: Holding, patienceMs: number): void {
    const nowMs = this.#clockOf(at);
    const standing = holding.standing(1, nowMs);
    if (standing === "held") {
      holding.settle(holding.take(1, nowMs), true);
      this.#admittedAtMs.push(this.#nowMs);
    } else if ((standing === "ask" || standing === "wait") && patienceMs > 0) {
      if (standing === "ask") this.#ask(at, holding, holding.question(1, nowMs));
      this.#later(5, () => this.#serve(at, holding, patienceMs - 5));
    }
    if (holding.isRefillDue(nowMs)) this.#ask(at, holding, holding.refill(nowMs));
  }

  #ask(at: number, holding: Holding, question: Question): void {
    this.#questions += 1;
    let isAnswered = false;
    this.#later(LIMITER_DEADLINE_MS, () => {
      if (!isAnswered) holding.failed(question, this.#clockOf(at));
    });
    this.#send(() => {
      const answer = this.#meter.exchange({ meter: "calls", ...question.ask }, this.#nowMs);
      this.#send(() => {
        if (this.#clockOf(at) - question.askedAtMs >= LIMITER_DEADLINE_MS) return;
        isAnswered = true;
        holding.answered(question, answer, this.#clockOf(at));
        this.#later(holding.giveBackAfterMs, () => this.#giveBack(at, holding));
      });
    });
  }

  #giveBack(at: number, holding: Holding): void {
    const question = holding.giveBack(this.#clockOf(at));
    if (question) this.#ask(at, holding, question);
  }

  #send(arrive: () => void): void {
    if (this.#random.next() < this.#load.lost) return;
    this.#later(LATENCY_MS.least + this.#random.next() * (LATENCY_MS.most - LATENCY_MS.least), arrive);
  }

  #later(ms: number, run: () => void): void {
    this.#events.push({ atMs: this.#nowMs + ms, run });
  }

  #runEvents(): void {
    const due = this.#events.filter(({ atMs }) => atMs <= this.#nowMs);
    if (due.length === 0) return;
    this.#events = this.#events.filter(({ atMs }) => atMs > this.#nowMs);
    for (const { run } of due.toSorted((one, other) => one.atMs - other.atMs)) run();
  }

  #anIsolate(): number {
    return Math.floor(this.#random.next() * this.#load.isolates);
  }

  #clockOf(at: number): number {
    return 1_000_000 + this.#nowMs * (this.#rates[at] ?? 1);
  }

  #result(): LimitLoadResult {
    const { terms, seconds } = this.#load;
    const inWindowFrom = (fromMs: number) => this.#admittedAtMs.filter((atMs) => atMs >= fromMs && atMs < fromMs + terms.windowMs).length;
    const whole: number[] = [];
    for (let fromMs = terms.windowMs; fromMs + 2 * terms.windowMs <= seconds * 1_000; fromMs += terms.windowMs)
      whole.push(inWindowFrom(fromMs));
    return {
      requests: this.#requests,
      admitted: this.#admittedAtMs.length,
      worstWindow: this.#worstWindow(terms.windowMs),
      leastWindow: Math.min(...whole),
      questions: this.#questions,
    };
  }

  #worstWindow(windowMs: number): number {
    let [worst, from] = [0, 0];
    for (const [at, atMs] of this.#admittedAtMs.entries()) {
      while ((this.#admittedAtMs[from] ?? 0) <= atMs - windowMs) from += 1;
      worst = Math.max(worst, at - from + 1);
    }
    return worst;
  }
}

function isTime(nowMs: number, everyMs: number): boolean {
  return everyMs > 0 && nowMs > 0 && nowMs % everyMs === 0;
}
