/** Whether limits were kept, from what was admitted when, as far as somebody outside can tell: never stricter than the promise. */
import type { Interval } from "./oracle.ts";
import type { SoakRoute } from "./world.ts";

/** The limits of the limited routes. */
export const LIMITS = {
  rate: { name: "calls", kind: "rate", per: "key", limit: 30, window: 5 },
  quota: { name: "daily", kind: "quota", per: "key", limit: 60, period: "day" },
  concurrency: { name: "at-once", kind: "concurrency", per: "key", limit: 3 },
} as const;

/** Which refusals each brings. */
export const LIMIT_CODES = { rate: "rate_limited", quota: "quota_exceeded", concurrency: "concurrency_exceeded" } as const;

type Kind = NonNullable<SoakRoute["limit"]>;

/** For how long units that an isolate holds are not there for others, beyond the window, in ms. */
const HELD_MS = 12_000;
/** A limit that refuses though nobody has asked for this share of it refuses for nothing. */
const SHARE_MIN = 1 / 6;

interface Use {
  readonly interval: Interval;
  isAdmitted: boolean;
}

/** All uses of limits. */
export class LimitWatch {
  readonly #uses = new Map<string, Use[]>();

  /** A request asks now. What is returned is told if it was admitted: of a concurrency limit, when it was certainly under way. */
  ask(kind: Kind, keyId: string, fromMs: number): (admitted: Interval) => void {
    const use: Use = { interval: { fromMs, toMs: fromMs }, isAdmitted: false };
    const name = `${kind} ${keyId}`;
    const uses = this.#uses.get(name) ?? [];
    uses.push(use);
    this.#uses.set(name, uses);
    return (interval) => {
      Object.assign(use, { interval, isAdmitted: true });
    };
  }

  /** Whether there is a reason for a refusal: others of the key have asked for so much lately. `unitsLost`: limiters were not well. */
  isRefusalDue(kind: Kind, keyId: string, atMs: number, unitsLost: boolean): boolean {
    if (unitsLost) return true;
    const sinceMs = kind === "quota" ? 0 : atMs - HELD_MS - (kind === "rate" ? LIMITS.rate.window * 1_000 : 0);
    const asked = (this.#uses.get(`${kind} ${keyId}`) ?? []).filter(({ interval }) => interval.fromMs >= sinceMs).length;
    return asked > Math.max(1, LIMITS[kind].limit * SHARE_MIN);
  }

  /** Breaches, in words. */
  breaches(): string[] {
    return [...this.#uses].flatMap(([name, uses]) => {
      const [kind] = name.split(" ") as [Kind];
      const most = mostAtOnce(
        kind,
        uses.filter(({ isAdmitted }) => isAdmitted).map(({ interval }) => interval),
      );
      return most > LIMITS[kind].limit ? [`${name}: ${most} admitted, ${LIMITS[kind].limit} are the limit`] : [];
    });
  }

  /** Requests that asked, and those admitted, by kind. */
  counts(kind: Kind): { readonly asked: number; readonly admitted: number } {
    const uses = [...this.#uses].flatMap(([name, each]) => (name.startsWith(`${kind} `) ? each : []));
    return { asked: uses.length, admitted: uses.filter(({ isAdmitted }) => isAdmitted).length };
  }
}

function mostAtOnce(kind: Kind, admitted: readonly Interval[]): number {
  switch (kind) {
    case "rate":
      return mostWithin(admitted, LIMITS.rate.window * 1_000);
    case "quota":
      return Math.max(
        0,
        ...[...Map.groupBy(admitted.filter(isWithinOneDay), ({ fromMs }) => dayOf(fromMs)).values()].map(({ length }) => length),
      );
    case "concurrency":
      return Math.max(0, ...admitted.map(({ fromMs }) => admitted.filter((each) => each.fromMs <= fromMs && fromMs < each.toMs).length));
  }
}

/** Most requests that lie within one window with all of the time in which they may have been admitted. */
export function mostWithin(admitted: readonly Interval[], windowMs: number): number {
  const sorted = admitted.toSorted((one, other) => one.fromMs - other.fromMs);
  let most = 0;
  for (const [at, { fromMs }] of sorted.entries()) {
    let within = 0;
    for (let next = at; next < sorted.length && (sorted[next]?.fromMs ?? 0) < fromMs + windowMs; next += 1)
      if ((sorted[next]?.toMs ?? 0) < fromMs + windowMs) within += 1;
    most = Math.max(most, within);
  }
  return most;
}

function dayOf(ms: number): number {
  return Math.floor(ms / 86_400_000);
}

function isWithinOneDay({ fromMs, toMs }: Interval): boolean {
  return dayOf(fromMs) === dayOf(toMs);
}
