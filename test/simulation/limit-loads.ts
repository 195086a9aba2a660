/** The loads that are run: with enough room, with too little, and on a bad day. */
import type { LimitLoad } from "./limit-load.ts";

const fair: LimitLoad = {
  terms: { kind: "rate", limit: 1_000, windowMs: 10_000 },
  isolates: 20,
  seconds: 60,
  requestsPerSecond: 1_000,
  lost: 0,
  crashEveryMs: 0,
  restartEveryMs: 0,
  seed: 1,
};

/** By name. */
export const LIMIT_LOADS: Readonly<Record<string, LimitLoad>> = {
  "within the limit": { ...fair, terms: { kind: "rate", limit: 1_000_000, windowMs: 10_000 } },
  "ten times the limit": fair,
  "a limit per second": { ...fair, terms: { kind: "rate", limit: 100, windowMs: 1_000 } },
  "a limit per minute": { ...fair, terms: { kind: "rate", limit: 6_000, windowMs: 60_000 }, seconds: 240 },
  "with losses and crashes": { ...fair, lost: 0.05, crashEveryMs: 900, restartEveryMs: 7_000 },
};
