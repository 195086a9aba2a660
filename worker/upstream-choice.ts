/**
 * Which of a route's upstreams gets a request: each its share, by weight; and one that keeps failing none for a while.
 *
 * What an isolate has seen itself is all it knows. An upstream is out for {@link OUT_MS} after {@link FAILURES_MAX} requests in a row got no
 * answer from it; after that one more failure puts it out again. An answer is an answer, whatever its status: nobody can put an upstream out
 * by making it say 500. When all are out, all are tried as if none was.
 */
import type { Fetch } from "./ports.ts";

/** One upstream, and how it has fared. */
export interface Target {
  /** Origin and base path. */
  readonly base: string;
  readonly fetch: Fetch;
  /** 0: only when no other can be had. */
  readonly weight: number;
  /** Requests in a row without an answer. */
  failures: number;
  outUntilMs: number;
}

/** Failures in a row that put an upstream out. */
export const FAILURES_MAX = 3;
/** For how long. */
export const OUT_MS = 10_000;

/** A route's upstreams. */
export class UpstreamChoice {
  readonly #only: Target | undefined;
  /** Those with a weight, each as often as it is due, evenly spread. */
  readonly #rotation: readonly Target[];
  readonly #fallbacks: readonly Target[];
  #next: number;

  constructor(targets: readonly Target[]) {
    this.#only = targets.length === 1 ? targets[0] : undefined;
    this.#rotation = rotationOf(targets.filter(({ weight }) => weight > 0));
    this.#fallbacks = targets.filter(({ weight }) => weight === 0);
    // Isolates that begin at the same place would all begin with the same upstream.
    this.#next = Math.floor(Math.random() * this.#rotation.length);
  }

  /** Whether a request has anywhere else to go. */
  get isSingle(): boolean {
    return this.#only !== undefined;
  }

  /** The next one that was not tried yet; undefined when all were. */
  choose(nowMs: number, tried: readonly Target[]): Target | undefined {
    if (this.#only) return this.#only;
    const isUntried = (target: Target) => !tried.includes(target);
    const isIn = (target: Target) => isUntried(target) && nowMs >= target.outUntilMs;
    return this.#inTurn(isIn) ?? this.#fallbacks.find(isIn) ?? this.#inTurn(isUntried) ?? this.#fallbacks.find(isUntried);
  }

  #inTurn(suits: (target: Target) => boolean): Target | undefined {
    for (let looked = 0; looked < this.#rotation.length; looked += 1) {
      const target = this.#rotation[this.#next];
      this.#next = (this.#next + 1) % this.#rotation.length;
      if (target && suits(target)) return target;
    }
    return undefined;
  }
}

/** An upstream has answered. */
export function noteAnswer(target: Target): void {
  target.failures = 0;
}

/** An upstream has not answered a request that nobody else can have spoiled. */
export function noteFailure(target: Target, nowMs: number): void {
  target.failures += 1;
  if (target.failures < FAILURES_MAX) return;
  target.failures = FAILURES_MAX - 1;
  target.outUntilMs = nowMs + OUT_MS;
}

/** Smooth weighted round robin: each time the one that is furthest behind its share. */
function rotationOf(targets: readonly Target[]): Target[] {
  const divisor = targets.map(({ weight }) => weight).reduce(greatestCommonDivisor, 0);
  const shares = targets.map((target) => ({ target, weight: target.weight / divisor, credit: 0 }));
  const total = shares.reduce((sum, { weight }) => sum + weight, 0);
  return Array.from({ length: total }, () => {
    for (const share of shares) share.credit += share.weight;
    const due = shares.reduce((best, share) => (share.credit > best.credit ? share : best));
    due.credit -= total;
    return due.target;
  });
}

function greatestCommonDivisor(one: number, other: number): number {
  return other === 0 ? one : greatestCommonDivisor(other, one % other);
}
