/**
 * A meter at its limiter: one limit for one subject. It leases units and takes accounts; docs/limits.md says what that keeps.
 *
 * - M1 At each grant, what is taken and what is leased is at most the limit.
 * - M2 A lease is closed once, or counts as used up when its time is over.
 * - M3 What was used stays taken: of a rate for a window, of a quota or budget until the end of its period, of a concurrency limit not at all.
 */
import type { MeterAnswer, MeterAsk } from "./messages.ts";
import { keptMsOf, leaseMsOf, periodEndMs, rateReleaseMs, type ClockAssumptions, type Terms } from "./terms.ts";

interface Lease {
  readonly id: number;
  units: number;
  /** When it counts as used up. */
  endsAtMs: number;
  /** Whether that was said by the clock of this life of the limiter: see {@link revivedMeter}. */
  isOwnTime: boolean;
  /** Of a quota or budget: when its period ends. */
  readonly periodEndsAtMs: number;
}

interface Taken {
  units: number;
  freeAtMs: number;
  /** Whether that is a duration counted by the clock of this life; false also for the end of a day or month. */
  isOwnTime: boolean;
}

/** All there is of a meter, as it is stored. Times are on the limiter's clock. */
export interface MeterState {
  nextLease: number;
  /** Latest time it has seen: it never goes back. */
  seenMs: number;
  /** When nothing of it counts any more. */
  idleAtMs: number;
  leases: Lease[];
  taken: Taken[];
}

/** S: by how much the clocks of two lives of a limiter may differ. */
const CLOCK_STEP_MAX_MS = 1_000;
/** Leases that are accounted for one by one; beyond that, the oldest counts as used up at once. */
const LEASES_MAX = 1_000;
/** After how many milliseconds a place may be free again, when requests under way are all that is in the way. */
const PLACE_RETRY_MS = 250;

/** A meter that has counted nothing. */
export function freshMeter(): MeterState {
  return { nextLease: 1, seenMs: 0, idleAtMs: 0, leases: [], taken: [] };
}

/** A stored meter as the limiter's next life takes it over: durations last longer, once, by what the clock may be ahead. */
export function revivedMeter(state: MeterState): MeterState {
  return {
    ...state,
    leases: state.leases.map((lease) =>
      lease.isOwnTime ? { ...lease, endsAtMs: lease.endsAtMs + CLOCK_STEP_MAX_MS, isOwnTime: false } : lease,
    ),
    taken: state.taken.map((part) => (part.isOwnTime ? { ...part, freeAtMs: part.freeAtMs + CLOCK_STEP_MAX_MS, isOwnTime: false } : part)),
  };
}

/** One meter in one life of its limiter. Changes the state it was made with. */
export class Meter {
  readonly state: MeterState;
  readonly #clocks: ClockAssumptions;

  constructor(state: MeterState, clocks: ClockAssumptions) {
    this.state = state;
    this.#clocks = clocks;
  }

  /** Takes the accounts of a question, then grants what it can. */
  exchange(ask: MeterAsk, clockMs: number): MeterAnswer {
    const { terms } = ask;
    const nowMs = this.#pass(terms, clockMs);
    for (const { lease, used } of ask.closed) this.#close(lease, used, terms, nowMs);
    const kept = terms.kind === "concurrency" ? ask.kept.filter(({ lease, units }) => this.#keep(lease, units, terms, nowMs)) : [];
    const granted = this.#grant(ask, nowMs);
    this.state.idleAtMs = Math.max(nowMs, ...this.#releases(terms).map(({ atMs }) => atMs));
    return {
      granted,
      kept: kept.map(({ lease }) => lease),
      keptMs: leaseMsOf(terms),
      remaining: Math.max(0, terms.limit - this.#occupied()),
      resetMs: this.#resetMs(terms, nowMs),
      retryAfterMs: granted || ask.need === 0 ? 0 : this.#retryAfterMs(ask, nowMs),
    };
  }

  /** Whether nothing of it counts any more, on this clock or on that of the life before, so that it may be forgotten. */
  isIdle(nowMs: number): boolean {
    return nowMs >= this.state.idleAtMs + CLOCK_STEP_MAX_MS;
  }

  /** Lets time pass: leases run out, units come free. */
  #pass(terms: Terms, clockMs: number): number {
    const { state } = this;
    const nowMs = Math.max(clockMs, state.seenMs);
    state.seenMs = nowMs;
    // Whatever is still told of a lease of another day is of no consequence for this one.
    const isOver = ({ endsAtMs, periodEndsAtMs }: Lease) => endsAtMs <= nowMs || (terms.kind === "period" && periodEndsAtMs <= nowMs);
    const over = state.leases.filter(isOver);
    state.leases = state.leases.filter((lease) => !isOver(lease));
    for (const lease of over) this.#take(lease, lease.units, terms, lease.endsAtMs);
    state.taken = state.taken.filter(({ freeAtMs }) => freeAtMs > nowMs);
    return nowMs;
  }

  #close(id: number, used: number, terms: Terms, nowMs: number): void {
    const { state } = this;
    const lease = state.leases.find((each) => each.id === id);
    if (!lease) return;
    state.leases = state.leases.filter((each) => each !== lease);
    this.#take(lease, Math.min(used, lease.units), terms, nowMs);
  }

  /** Units never grow, so that an old message does no harm. */
  #keep(id: number, units: number, terms: Terms, nowMs: number): boolean {
    const lease = this.state.leases.find((each) => each.id === id);
    if (!lease) return false;
    lease.units = Math.min(lease.units, units);
    lease.endsAtMs = nowMs + keptMsOf(terms, this.#clocks);
    lease.isOwnTime = true;
    if (lease.units === 0) this.#close(id, 0, terms, nowMs);
    return true;
  }

  /** What was given out of a lease by a time stays taken. */
  #take(lease: Lease, units: number, terms: Terms, byMs: number): void {
    if (units === 0 || terms.kind === "concurrency") return;
    const freeAtMs = terms.kind === "rate" ? rateReleaseMs(byMs, terms.windowMs, this.#clocks) : lease.periodEndsAtMs;
    const isOwnTime = terms.kind === "rate";
    const same = this.state.taken.find((each) => each.freeAtMs === freeAtMs && each.isOwnTime === isOwnTime);
    if (same) same.units += units;
    else this.state.taken.push({ units, freeAtMs, isOwnTime });
  }

  #grant({ terms, need, want }: MeterAsk, nowMs: number): MeterAnswer["granted"] {
    const available = terms.limit - this.#occupied();
    if (available <= 0 || available < need) return null;
    // Half of what is left beyond what is needed stays for others.
    const units = Math.min(Math.max(want, need), need + Math.floor((available - need) / 2));
    if (units === 0) return null;
    if (this.state.leases.length < LEASES_MAX) return this.#lease(units, terms, nowMs);
    // Places in use cannot be told from free ones before their lease is over.
    if (terms.kind === "concurrency") return null;
    this.#useUpOldest(terms);
    return this.#lease(units, terms, nowMs);
  }

  #lease(units: number, terms: Terms, nowMs: number): MeterAnswer["granted"] {
    const id = this.state.nextLease++;
    const periodEndsAtMs = terms.kind === "period" ? periodEndMs(nowMs, terms.period) : 0;
    this.state.leases.push({ id, units, endsAtMs: nowMs + keptMsOf(terms, this.#clocks), isOwnTime: true, periodEndsAtMs });
    const leaseMs = leaseMsOf(terms);
    return { lease: id, units, leaseMs: terms.kind === "period" ? Math.min(leaseMs, periodEndsAtMs - nowMs) : leaseMs };
  }

  #useUpOldest(terms: Terms): void {
    const oldest = this.state.leases.shift();
    if (oldest) this.#take(oldest, oldest.units, terms, oldest.endsAtMs);
  }

  #occupied(): number {
    return sumOf(this.state.leases) + sumOf(this.state.taken);
  }

  #resetMs(terms: Terms, nowMs: number): number {
    if (terms.kind === "period") return periodEndMs(nowMs, terms.period) - nowMs;
    return Math.max(0, ...this.#releases(terms).map(({ atMs }) => atMs - nowMs));
  }

  /** When what is wanted may be there: when enough has come free, or sooner where leases may come back. */
  #retryAfterMs({ terms, need }: MeterAsk, nowMs: number): number {
    const freeMs = this.#freeMs(terms, need, nowMs);
    if (sumOf(this.state.taken) + need > terms.limit) return freeMs;
    return Math.min(freeMs, terms.kind === "concurrency" ? PLACE_RETRY_MS : leaseMsOf(terms));
  }

  #freeMs(terms: Terms, need: number, nowMs: number): number {
    let available = terms.limit - this.#occupied();
    for (const { units, atMs } of this.#releases(terms).toSorted((one, other) => one.atMs - other.atMs)) {
      available += units;
      if (available >= need) return atMs - nowMs;
    }
    return Math.max(this.#resetMs(terms, nowMs), leaseMsOf(terms));
  }

  /** When what is not available now comes free, if no lease is closed before its time. */
  #releases(terms: Terms): { readonly units: number; readonly atMs: number }[] {
    const { leases, taken } = this.state;
    return [
      ...taken.map(({ units, freeAtMs }) => ({ units, atMs: freeAtMs })),
      ...leases.map(({ units, endsAtMs, periodEndsAtMs }) => {
        if (terms.kind === "rate") return { units, atMs: rateReleaseMs(endsAtMs, terms.windowMs, this.#clocks) };
        return { units, atMs: terms.kind === "period" ? periodEndsAtMs : endsAtMs };
      }),
    ];
  }
}

function sumOf(parts: readonly { readonly units: number }[]): number {
  return parts.reduce((sum, { units }) => sum + units, 0);
}
