/**
 * What an isolate holds of a meter: leased units, which it gives out without asking, and what it knows of denials and outages.
 *
 * - H1 A unit is given out once (concurrency: once at a time), and only within T of the moment before its lease was asked for.
 * - H2 Nothing is given out of a lease whose use has been told.
 *
 * How much is asked for follows demand: twice as much when a lease lasted less than half of T, half as much when half was left.
 */
import type { MeterAnswer, MeterAsk } from "./messages.ts";
import { leaseMsOf, type Terms } from "./terms.ts";

/** How long, in milliseconds, a limiter may take to answer. */
export const LIMITER_DEADLINE_MS = 2_000;
/** Milliseconds between two questions to a limiter that did not answer, and after which it is forgotten that it did not. */
const OUTAGE_MS = { pause: 1_000, forgotten: 10_000 } as const;
/** Units asked for at once, beyond what one request needs. */
const BATCH_MAX = 10_000;
/** From this batch on the next lease is fetched before it is needed. */
const REFILLED_FROM = 8;
/** How often, in milliseconds, it is looked whether places were not used since the last look. */
const IDLE_PLACE_MS = 1_000;
/** What is not settled by then, in milliseconds, is charged by the limiter, too. */
const SETTLED_WITHIN_MS = 70_000;
/** Accounts that are kept until they have been told; what is never told counts as used. */
const ACCOUNTS_MAX = 100;

/** A lease, on the isolate's clock. */
interface HeldLease {
  readonly id: number;
  units: number;
  /** Given out; of a concurrency limit: and not back yet. */
  used: number;
  /** Given out and not settled. */
  open: number;
  /** Most that was used at a time since somebody last looked for idle places. */
  peak: number;
  readonly askedAtMs: number;
  endsAtMs: number;
}

/** Units that were taken for one request, until they are settled. */
export interface Ticket {
  readonly lease: HeldLease;
  readonly cost: number;
  /** When its request last showed that it goes on. */
  aliveMs: number;
}

/** Whether a request may have its units: at once; when the limiter has been asked, or somebody else's question was answered; or not. */
export type Standing =
  | "held"
  | "ask"
  | "wait"
  | { readonly deniedUntilMs: number }
  /** The limiter does not answer since then. */
  | { readonly silentSinceMs: number };

/** A question on its way. */
export interface Question {
  readonly ask: Omit<MeterAsk, "meter">;
  readonly askedAtMs: number;
}

/** One isolate's holding of one meter. Times are on the isolate's clock. */
export class Holding {
  readonly #terms: Terms;
  /** Of a concurrency limit, whose units come back. */
  readonly #isPlaces: boolean;
  readonly #leaseMs: number;
  #leases: HeldLease[] = [];
  /** Tickets of places: a request whose client has gone may end without a word. */
  readonly #places = new Set<Ticket>();
  #accounts: { readonly lease: number; readonly used: number }[] = [];
  #newest: HeldLease | undefined;
  #batch = 1;
  #asking: Question | undefined;
  #refillAfterMs = 0;
  #denied: { readonly cost: number; readonly untilMs: number } | undefined;
  #failed: { readonly sinceMs: number; readonly lastMs: number } | undefined;
  #told = { remaining: 0, resetAtMs: 0 };

  constructor(terms: Terms) {
    this.#terms = terms;
    this.#isPlaces = terms.kind === "concurrency";
    this.#leaseMs = leaseMsOf(terms);
  }

  /** How a request that costs so much stands. */
  standing(cost: number, nowMs: number): Standing {
    if (this.#leaseFor(cost, nowMs)) return "held";
    if (this.#denied && cost >= this.#denied.cost && nowMs < this.#denied.untilMs) return { deniedUntilMs: this.#denied.untilMs };
    if (this.#failed && nowMs - this.#failed.lastMs < OUTAGE_MS.forgotten) return { silentSinceMs: this.#failed.sinceMs };
    return this.#isAsking(nowMs) ? "wait" : "ask";
  }

  /** Takes units that are held; they are settled later. */
  take(cost: number, nowMs: number): Ticket {
    const lease = this.#leaseFor(cost, nowMs);
    if (!lease) throw new Error("took what was not held");
    lease.used += cost;
    lease.open += 1;
    lease.peak = Math.max(lease.peak, lease.used);
    const ticket = { lease, cost, aliveMs: nowMs };
    if (this.#isPlaces) this.#places.add(ticket);
    return ticket;
  }

  /** Its request is still under way. */
  goesOn(ticket: Ticket, nowMs: number): void {
    ticket.aliveMs = nowMs;
  }

  /** What was taken was used, or was not; a place that was taken is free again either way. */
  settle(ticket: Ticket, wasUsed: boolean): void {
    const { lease, cost } = ticket;
    if (this.#isPlaces && !this.#places.delete(ticket)) return;
    lease.open -= 1;
    if (!wasUsed || this.#isPlaces) lease.used -= cost;
  }

  /** Asks for what a request needs. */
  question(need: number, nowMs: number): Question {
    this.#adapt(need, nowMs);
    return this.#ask(need, Math.max(need, Math.min(this.#batch, this.#terms.limit)), nowMs);
  }

  /** Whether the limiter should be asked beside the requests: the lease is about to end, or it did not answer a while ago. */
  isRefillDue(nowMs: number): boolean {
    if (this.#isAsking(nowMs)) return false;
    if (this.#failed) return nowMs - this.#failed.lastMs >= OUTAGE_MS.pause;
    if (this.#isPlaces) return this.#leases.some((lease) => lease.units > 0 && this.#isPastHalf(lease, nowMs));
    if (this.#denied && nowMs < this.#denied.untilMs) return false;
    if (this.#batch < REFILLED_FROM || nowMs < this.#refillAfterMs || !this.#newest) return false;
    return this.#free(this.#newest, nowMs) < this.#batch / 4 || this.#isPastHalf(this.#newest, nowMs);
  }

  /** Asks for the next lease before it is needed. */
  refill(nowMs: number): Question {
    this.#refillAfterMs = nowMs + this.#leaseMs / 4;
    this.#adapt(1, nowMs);
    const want = this.#isPlaces ? 0 : Math.min(this.#batch, this.#terms.limit);
    return this.#ask(0, want, nowMs);
  }

  /** After how many milliseconds it is worth looking whether something can be given back. */
  get giveBackAfterMs(): number {
    return this.#isPlaces ? IDLE_PLACE_MS : this.#leaseMs;
  }

  /** Whether there are units here that nobody uses; it is worth looking again, until there are none. */
  get hasUnused(): boolean {
    return this.#leases.some(({ units, used }) => used < units);
  }

  /** Looks for units that nobody here will use, and gives them back; undefined when there are none, or not yet. */
  giveBack(nowMs: number): Question | undefined {
    if (this.#isAsking(nowMs)) return undefined;
    this.#settleTheDead(nowMs);
    const isUnused = (lease: HeldLease) =>
      this.#isPlaces ? lease.peak < lease.units : lease.used < lease.units && lease.open === 0 && this.#isOver(lease, nowMs);
    const isDue = this.#leases.some(isUnused);
    for (const lease of this.#isPlaces ? this.#leases : []) {
      lease.units = Math.min(lease.units, lease.peak);
      lease.peak = lease.used;
    }
    return isDue ? this.#ask(0, 0, nowMs) : undefined;
  }

  /** The limiter has answered. */
  answered(question: Question, answer: MeterAnswer, nowMs: number): void {
    const { ask, askedAtMs } = question;
    if (this.#asking === question) this.#asking = undefined;
    this.#failed = undefined;
    this.#accounts = this.#accounts.filter((account) => !ask.closed.includes(account));
    this.#learnKept(question, answer);
    this.#told = { remaining: answer.remaining, resetAtMs: nowMs + answer.resetMs };
    if (answer.granted) {
      const { lease, units, leaseMs } = answer.granted;
      this.#newest = { id: lease, units, used: 0, open: 0, peak: 0, askedAtMs, endsAtMs: askedAtMs + leaseMs };
      this.#leases.push(this.#newest);
      this.#denied = undefined;
    } else if (ask.need > 0) {
      // Where units come free one by one it is not worth asking for each.
      this.#denied = { cost: ask.need, untilMs: nowMs + Math.max(answer.retryAfterMs, this.#leaseMs / 4) };
    }
  }

  /** The limiter has not answered in time, or with an error. */
  failed(question: Question, nowMs: number): void {
    if (this.#asking === question) this.#asking = undefined;
    const isSame = this.#failed && nowMs - this.#failed.lastMs < OUTAGE_MS.forgotten;
    this.#failed = { sinceMs: isSame && this.#failed ? this.#failed.sinceMs : question.askedAtMs, lastMs: nowMs };
  }

  /** Units that are left, as far as is known here. */
  remaining(nowMs: number): number {
    return this.#leases.reduce((sum, lease) => sum + this.#free(lease, nowMs), this.#told.remaining);
  }

  /** Milliseconds until all that is taken has come free, as far as is known here. */
  resetMs(nowMs: number): number {
    return Math.max(0, this.#told.resetAtMs - nowMs);
  }

  #ask(need: number, want: number, nowMs: number): Question {
    const isPlaces = this.#isPlaces;
    this.#settleTheDead(nowMs);
    if (!isPlaces) this.#closeLeases(need, nowMs);
    const kept = isPlaces ? this.#leases.map(({ id, units }) => ({ lease: id, units })) : [];
    const question = { ask: { terms: this.#terms, need, want, closed: [...this.#accounts], kept }, askedAtMs: nowMs };
    this.#asking = question;
    return question;
  }

  /** Places of requests that have shown no life for longer than a lease. */
  #settleTheDead(nowMs: number): void {
    for (const ticket of this.#places) if (nowMs - ticket.aliveMs > this.#leaseMs) this.settle(ticket, true);
  }

  /** Draws the account of leases that are over or too small for what is needed. */
  #closeLeases(need: number, nowMs: number): void {
    const isDone = (lease: HeldLease) =>
      (lease.open === 0 && this.#free(lease, nowMs) < Math.max(need, 1)) || nowMs - lease.askedAtMs > SETTLED_WITHIN_MS;
    for (const lease of this.#leases.filter(isDone)) this.#accounts.push({ lease: lease.id, used: lease.used });
    this.#leases = this.#leases.filter((lease) => !isDone(lease));
    this.#accounts.splice(0, this.#accounts.length - ACCOUNTS_MAX);
  }

  /** A lease that the limiter has not kept is void: what is under way goes on, and no more is given out of it. */
  #learnKept({ ask, askedAtMs }: Question, { kept, keptMs }: MeterAnswer): void {
    for (const { lease: id } of ask.kept) {
      const lease = this.#leases.find((each) => each.id === id);
      if (lease && kept.includes(id)) lease.endsAtMs = Math.max(lease.endsAtMs, askedAtMs + keptMs);
      else if (lease) lease.units = 0;
    }
    if (this.#isPlaces) this.#leases = this.#leases.filter(({ units, open }) => units > 0 || open > 0);
  }

  #adapt(need: number, nowMs: number): void {
    const newest = this.#newest;
    const ageMs = newest ? nowMs - newest.askedAtMs : Number.POSITIVE_INFINITY;
    if (!newest || ageMs > 4 * this.#leaseMs) this.#batch = need;
    else if (ageMs < this.#leaseMs / 2) this.#batch = Math.min(Math.max(this.#batch, need) * 2, BATCH_MAX);
    else if (newest.used * 2 < newest.units) this.#batch = Math.ceil(this.#batch / 2);
  }

  #leaseFor(cost: number, nowMs: number): HeldLease | undefined {
    for (const lease of this.#leases) if (this.#free(lease, nowMs) >= cost) return lease;
    return undefined;
  }

  #free(lease: HeldLease, nowMs: number): number {
    return this.#isOver(lease, nowMs) ? 0 : Math.max(0, lease.units - lease.used);
  }

  /** A clock that stands before the moment it was asked for was set back: nothing is known then. */
  #isOver({ askedAtMs, endsAtMs }: HeldLease, nowMs: number): boolean {
    return nowMs >= endsAtMs || nowMs < askedAtMs;
  }

  #isPastHalf({ endsAtMs }: HeldLease, nowMs: number): boolean {
    return endsAtMs - nowMs < this.#leaseMs / 2;
  }

  #isAsking(nowMs: number): boolean {
    return this.#asking !== undefined && nowMs - this.#asking.askedAtMs < LIMITER_DEADLINE_MS;
  }
}
