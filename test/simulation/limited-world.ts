/**
 * One meter, its limiter and some isolates, under virtual clocks that drift, and a network that loses, doubles and reorders. An
 * oracle sees every admission in true time.
 */
import { Holding, LIMITER_DEADLINE_MS, type Question, type Ticket } from "../../core/limits/holding.ts";
import type { MeterAnswer } from "../../core/limits/messages.ts";
import { freshMeter, Meter, revivedMeter } from "../../core/limits/meter.ts";
import { periodEndMs, type ClockAssumptions, type Terms } from "../../core/limits/terms.ts";

/** What is assumed of clocks, and kept to. */
export const CLOCKS: ClockAssumptions = { clockDriftMax: 0.005, clockLagMs: 25 };

/** Something that happens next. `at` picks among what there is. */
export type Happening =
  | { readonly kind: "requests"; readonly isolate: number; readonly count: number; readonly cost: number }
  | { readonly kind: "end"; readonly at: number; readonly wasUsed: boolean }
  | { readonly kind: "refill" | "give_back" | "crash"; readonly isolate: number }
  | { readonly kind: "arrive"; readonly at: number; readonly count: number; readonly isDoubled: boolean }
  | { readonly kind: "lose"; readonly at: number }
  | { readonly kind: "pass"; readonly ms: number }
  | { readonly kind: "restart"; readonly stepMs: number };

interface Isolate {
  holding: Holding;
  life: number;
  readonly rate: number;
}

interface Message {
  readonly isolate: Isolate;
  readonly life: number;
  readonly question: Question;
  /** Absent: on its way to the limiter. */
  readonly answer?: MeterAnswer;
}

interface Admission {
  readonly atMs: number;
  readonly cost: number;
  readonly isolate: Isolate;
  readonly life: number;
  readonly ticket: Ticket;
  state: "under_way" | "used" | "unused";
}

interface WorldOptions {
  readonly terms: Terms;
  /** -1 to 1: how much of the drift that is allowed; the limiter's first. */
  readonly drifts: readonly number[];
  readonly startMs: number;
  readonly isBudget: boolean;
}

/** The world. */
export class LimitedWorld {
  readonly #terms: Terms;
  readonly #isBudget: boolean;
  readonly #isolates: Isolate[];
  readonly #admissions: Admission[] = [];
  readonly #startMs: number;
  readonly #limiterRate: number;
  #messages: Message[] = [];
  #trueMs = 0;
  #stepMs = 0;
  #meter: Meter;

  constructor({ terms, drifts, startMs, isBudget }: WorldOptions) {
    const rateOf = (drift = 0) => 1 + drift * CLOCKS.clockDriftMax;
    this.#terms = terms;
    this.#isBudget = isBudget;
    this.#startMs = startMs;
    this.#limiterRate = rateOf(drifts[0]);
    this.#isolates = drifts.slice(1).map((drift) => ({ holding: new Holding(terms), life: 0, rate: rateOf(drift) }));
    this.#meter = new Meter(freshMeter(), CLOCKS);
  }

  /** Units admitted so far. */
  get admitted(): number {
    return this.#admissions.reduce((sum, { cost }) => sum + cost, 0);
  }

  happen(happening: Happening): void {
    switch (happening.kind) {
      case "requests":
        for (let made = 0; made < happening.count; made += 1) this.#request(this.#isolate(happening.isolate), this.#costOf(happening.cost));
        return;
      case "end":
        return this.#end(happening.at, happening.wasUsed);
      case "refill": {
        const isolate = this.#isolate(happening.isolate);
        if (isolate.holding.isRefillDue(this.#clockOf(isolate))) this.#send(isolate, isolate.holding.refill(this.#clockOf(isolate)));
        return;
      }
      case "give_back": {
        const isolate = this.#isolate(happening.isolate);
        const question = isolate.holding.giveBack(this.#clockOf(isolate));
        if (question) this.#send(isolate, question);
        return;
      }
      case "arrive":
        for (let made = 0; made < happening.count; made += 1) this.#arrive(happening.at, happening.isDoubled);
        return;
      case "lose":
        return this.#lose(happening.at);
      case "pass":
        this.#trueMs += happening.ms;
        for (const { state, isolate, life, ticket } of this.#admissions)
          if (state === "under_way" && isolate.life === life) isolate.holding.goesOn(ticket, this.#clockOf(isolate));
        return;
      case "crash": {
        const isolate = this.#isolate(happening.isolate);
        isolate.life += 1;
        isolate.holding = new Holding(this.#terms);
        return;
      }
      case "restart":
        this.#stepMs = happening.stepMs;
        this.#meter = new Meter(revivedMeter(structuredClone(this.#meter.state)), CLOCKS);
    }
  }

  /** What is promised and does not hold, or undefined. */
  breach(): string | undefined {
    switch (this.#terms.kind) {
      case "rate":
        return this.#rateBreach(this.#terms.limit, this.#terms.windowMs);
      case "period":
        return this.#isBudget || this.#isOneDay() ? this.#sumBreach() : undefined;
      case "concurrency":
        return this.#placesBreach();
    }
  }

  #request(isolate: Isolate, cost: number): void {
    const nowMs = this.#clockOf(isolate);
    const standing = isolate.holding.standing(cost, nowMs);
    if (standing === "ask") this.#send(isolate, isolate.holding.question(cost, nowMs));
    if (standing !== "held") return;
    const ticket = isolate.holding.take(cost, nowMs);
    this.#admissions.push({ atMs: this.#trueMs, cost, isolate, life: isolate.life, ticket, state: "under_way" });
    if (this.#terms.kind !== "concurrency" && !this.#isBudget) this.#end(this.#admissions.length - 1, true);
  }

  #end(at: number, wasUsed: boolean): void {
    const open = this.#admissions.filter(({ state, isolate, life }) => state === "under_way" && isolate.life === life);
    const admission = open[at % Math.max(1, open.length)];
    if (!admission) return;
    admission.isolate.holding.settle(admission.ticket, wasUsed);
    admission.state = wasUsed ? "used" : "unused";
  }

  #arrive(at: number, isDoubled: boolean): void {
    const message = this.#messages[at % Math.max(1, this.#messages.length)];
    if (!message) return;
    // An answer comes once: a call is answered or it is not.
    if (!isDoubled || message.answer) this.#messages = this.#messages.filter((each) => each !== message);
    const { isolate, life, question, answer } = message;
    if (!answer) {
      const told = this.#meter.exchange({ meter: "one", ...question.ask }, this.#limiterClock());
      this.#messages.push({ isolate, life, question, answer: structuredClone(told) });
    } else if (isolate.life === life) this.#answered(isolate, question, answer);
  }

  /** As the shell does: what comes too late is not listened to. */
  #answered(isolate: Isolate, question: Question, answer: MeterAnswer): void {
    const nowMs = this.#clockOf(isolate);
    if (nowMs - question.askedAtMs < LIMITER_DEADLINE_MS) isolate.holding.answered(question, answer, nowMs);
    else isolate.holding.failed(question, nowMs);
  }

  #lose(at: number): void {
    const message = this.#messages[at % Math.max(1, this.#messages.length)];
    this.#messages = this.#messages.filter((each) => each !== message);
    if (message && message.isolate.life === message.life) message.isolate.holding.failed(message.question, this.#clockOf(message.isolate));
  }

  #send(isolate: Isolate, question: Question): void {
    this.#messages.push({ isolate, life: isolate.life, question });
  }

  #rateBreach(limit: number, windowMs: number): string | undefined {
    const end = this.#trueMs;
    const inWindow = this.#admissions.filter(({ atMs }) => atMs > end - windowMs);
    const sum = inWindow.reduce((units, { cost }) => units + cost, 0);
    return sum > limit ? `${sum} of ${limit} in ${windowMs} ms` : undefined;
  }

  /** Whether nothing has happened outside of one day, whichever clock is asked. */
  #isOneDay(): boolean {
    const [first, last] = [this.#startMs, this.#startMs + this.#trueMs * 1.01 + 2_000];
    return periodEndMs(first, "day") === periodEndMs(last, "day");
  }

  #sumBreach(): string | undefined {
    const { limit } = this.#terms;
    if (!this.#isOneDay()) return undefined;
    const spent = this.#admissions.filter(({ state }) => state !== "unused").reduce((units, { cost }) => units + cost, 0);
    return spent > limit ? `${spent} of ${limit}` : undefined;
  }

  /** Of requests whose isolate has died nothing goes on; those whose lease has run out at its isolate are the ones that are not promised. */
  #placesBreach(): string | undefined {
    const { limit } = this.#terms;
    const sure = this.#admissions.filter(
      ({ state, isolate, life, ticket }) =>
        state === "under_way" && isolate.life === life && this.#clockOf(isolate) < ticket.lease.endsAtMs,
    );
    return sure.length > limit ? `${sure.length} of ${limit} at a time` : undefined;
  }

  #costOf(cost: number): number {
    return this.#terms.kind === "concurrency" ? 1 : cost;
  }

  #isolate(at: number): Isolate {
    const isolate = this.#isolates[at % this.#isolates.length];
    if (!isolate) throw new Error("a world without isolates");
    return isolate;
  }

  #clockOf({ rate }: Isolate): number {
    return 1_000_000 + this.#trueMs * rate;
  }

  #limiterClock(): number {
    return this.#startMs + this.#trueMs * this.#limiterRate + this.#stepMs;
  }
}
