/** What the two parties of a meter, limiter and isolate, must agree on: how much, and how long things last. */
import { z } from "zod";
import { leaseBoundMs, type Tunables } from "../protocol/tunables.ts";

const units = z.number().int().min(1).max(1_000_000_000);

/** How a meter counts, told with every question, so that a new route table needs to be told to nobody. */
export const termsSchema = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("rate"), limit: units, windowMs: z.number().int().min(1_000).max(86_400_000) }),
  z.strictObject({ kind: z.literal("period"), limit: units, period: z.enum(["day", "month"]) }),
  z.strictObject({ kind: z.literal("concurrency"), limit: units }),
]);

/** A meter's terms. */
export type Terms = z.infer<typeof termsSchema>;

/** T: how long, in milliseconds since it asked, an isolate may give out leased units. Of a rate, a tenth of the window within these. */
const LEASE_MS = { least: 200, most: 2_000, concurrency: 10_000 } as const;
/** How long units of a day or month may be accounted for: work that takes longer is charged, whatever came of it. */
const SETTLEMENT_MS = 60_000;
/** A window's units come free in so many steps at most, each rounded up. */
const STEPS_PER_WINDOW = 64;

/** What is assumed about clocks: see {@link Tunables}. */
export type ClockAssumptions = Pick<Tunables, "clockDriftMax" | "clockLagMs">;

/** T of these terms. */
export function leaseMsOf(terms: Terms): number {
  switch (terms.kind) {
    case "rate":
      return Math.min(Math.max(terms.windowMs / 10, LEASE_MS.least), LEASE_MS.most);
    case "period":
      return LEASE_MS.most;
    case "concurrency":
      return LEASE_MS.concurrency;
  }
}

/** How long, on the limiter's clock, a lease is kept that is not accounted for. */
export function keptMsOf(terms: Terms, clocks: ClockAssumptions): number {
  return leaseBoundMs(terms.kind === "period" ? SETTLEMENT_MS : leaseMsOf(terms), clocks);
}

/** When units of a rate come free that were given out by `spentByMs`: one true window later at the earliest, on a fast clock too. */
export function rateReleaseMs(spentByMs: number, windowMs: number, { clockDriftMax, clockLagMs }: ClockAssumptions): number {
  const step = windowMs / STEPS_PER_WINDOW;
  return Math.ceil((spentByMs + windowMs * (1 + clockDriftMax) + 2 * clockLagMs) / step) * step;
}

/** The end of the day or month of UTC, in milliseconds since the epoch. */
export function periodEndMs(nowMs: number, period: "day" | "month"): number {
  const now = new Date(nowMs);
  const [year, month, day] = [now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate()];
  return period === "day" ? Date.UTC(year, month, day + 1) : Date.UTC(year, month + 1, 1);
}
