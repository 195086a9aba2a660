/**
 * What answers say of limits: `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-11: lists of items of RFC 9651), and
 * `X-RateLimit-*`, which more clients read, of the limit that is nearest to its end.
 */
import type { Limit } from "./limit.ts";
import type { Terms } from "./terms.ts";

/** How a limit stands for one caller. */
export interface LimitStanding {
  readonly limit: Limit;
  readonly terms: Terms;
  readonly remaining: number;
  /** Milliseconds until all that is taken has come free; of a limit that denies, until it may admit again. */
  readonly resetMs: number;
}

/** Limits of which too much was wanted, and what the answer says of all of the route's. */
export interface LimitReport {
  readonly violated: readonly string[];
  readonly headers: Readonly<Record<string, string>>;
}

/** All headers that answers of a limited route may have: by these a client knows when to come again, in a browser too. */
export const LIMIT_HEADERS = [
  "RateLimit-Policy",
  "RateLimit",
  "X-RateLimit-Limit",
  "X-RateLimit-Remaining",
  "X-RateLimit-Reset",
  "Retry-After",
] as const;

const DAY_S = 86_400;

/** The headers, by name. */
export function limitHeaders(standings: readonly LimitStanding[]): Record<string, string> {
  const [first] = standings;
  if (!first) return {};
  const nearest = standings.reduce((least, each) => (shareLeft(each) < shareLeft(least) ? each : least), first);
  return {
    "RateLimit-Policy": standings.map(policyOf).join(", "),
    RateLimit: standings.map(serviceLimitOf).join(", "),
    "X-RateLimit-Limit": String(nearest.terms.limit),
    "X-RateLimit-Remaining": String(nearest.remaining),
    "X-RateLimit-Reset": String(seconds(nearest.resetMs)),
  };
}

/** Whole seconds, never too early. */
export function seconds(ms: number): number {
  return Math.max(1, Math.ceil(ms / 1_000));
}

function shareLeft({ remaining, terms }: LimitStanding): number {
  return remaining / terms.limit;
}

function policyOf({ limit, terms }: LimitStanding): string {
  const policy = `"${limit.name}";q=${terms.limit}`;
  switch (limit.kind) {
    case "rate":
      return `${policy};w=${limit.window}`;
    case "quota":
      return limit.period === "day" ? `${policy};w=${DAY_S}` : policy;
    case "budget":
      return `${policy};qu="portcullis-units"${limit.period === "day" ? `;w=${DAY_S}` : ""}`;
    case "concurrency":
      return `${policy};qu="concurrent-requests"`;
  }
}

function serviceLimitOf({ limit, remaining, resetMs }: LimitStanding): string {
  const item = `"${limit.name}";r=${remaining}`;
  return limit.kind === "concurrency" ? item : `${item};t=${seconds(resetMs)}`;
}
