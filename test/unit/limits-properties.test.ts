/** What limits promise, under any interleaving of requests, messages, losses, crashes and restarts, with clocks that drift. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Terms } from "../../core/limits/terms.ts";
import { LimitedWorld, type Happening } from "../simulation/limited-world.ts";

const isolate = fc.nat(3);
const at = fc.nat(20);
/** Mostly moments; now and then long enough for leases, windows and accounts to run out. */
const passing = fc.oneof(
  { weight: 6, arbitrary: fc.nat(40) },
  { weight: 4, arbitrary: fc.integer({ min: 150, max: 320 }) },
  { weight: 2, arbitrary: fc.integer({ min: 500, max: 1_200 }) },
  { weight: 2, arbitrary: fc.integer({ min: 1_900, max: 12_000 }) },
  { weight: 1, arbitrary: fc.integer({ min: 50_000, max: 70_000 }) },
);
const happening: fc.Arbitrary<Happening> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      kind: fc.constant("requests" as const),
      isolate,
      count: fc.integer({ min: 1, max: 6 }),
      cost: fc.integer({ min: 1, max: 3 }),
    }),
  },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant("end" as const), at, wasUsed: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("refill" as const), isolate }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("give_back" as const), isolate }) },
  {
    weight: 14,
    arbitrary: fc.record({ kind: fc.constant("arrive" as const), at, count: fc.integer({ min: 1, max: 8 }), isDoubled: fc.boolean() }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("lose" as const), at }) },
  { weight: 8, arbitrary: fc.record({ kind: fc.constant("pass" as const), ms: passing }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("crash" as const), isolate }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("restart" as const), stepMs: fc.integer({ min: 0, max: 1_000 }) }) },
);
const story = fc.record({
  happenings: fc.array(happening, { minLength: 60, maxLength: 300 }),
  /** Of the limiter and of each isolate. */
  drifts: fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: 5, maxLength: 5 }),
  startMs: fc.nat(86_400_000),
});

function holds(terms: Terms, options: { readonly isBudget?: boolean } = {}, runs = 400): void {
  fc.assert(
    fc.property(story, ({ happenings, drifts, startMs }) => {
      const world = new LimitedWorld({ terms, drifts, startMs, isBudget: options.isBudget === true });
      for (const each of happenings) {
        world.happen(each);
        expect(world.breach()).toBeUndefined();
      }
    }),
    { numRuns: runs },
  );
}

describe("however messages, clocks, crashes and restarts fall", () => {
  it("a rate admits no more than its limit in any window", () => {
    holds({ kind: "rate", limit: 5, windowMs: 1_000 });
    holds({ kind: "rate", limit: 20, windowMs: 3_000 });
  });

  it("a quota gives out no more than its limit in a day", () => holds({ kind: "period", limit: 20, period: "day" }));

  it("a budget is not overspent by what was used and what is under way", () =>
    holds({ kind: "period", limit: 20, period: "day" }, { isBudget: true }));

  it("a concurrency limit has no more requests under way than places, while limiters are reached", () =>
    holds({ kind: "concurrency", limit: 4 }));
});
