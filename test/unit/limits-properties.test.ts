/** What limits promise, under any interleaving of requests, messages, losses, crashes and restarts, with clocks that drift. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Terms } from "../../core/limits/terms.ts";
import { LimitedWorld, type Happening } from "../simulation/limited-world.ts";

const happening: fc.Arbitrary<Happening> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant("request" as const), isolate: fc.nat(3), cost: fc.integer({ min: 1, max: 3 }) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("end" as const), at: fc.nat(20), wasUsed: fc.boolean() }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("refill" as const), isolate: fc.nat(3) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("give_back" as const), isolate: fc.nat(3) }) },
  { weight: 8, arbitrary: fc.record({ kind: fc.constant("arrive" as const), at: fc.nat(20), isDoubled: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("lose" as const), at: fc.nat(20) }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("pass" as const), ms: fc.oneof(fc.nat(50), fc.nat(2_500), fc.nat(70_000)) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("crash" as const), isolate: fc.nat(3) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("restart" as const), stepMs: fc.integer({ min: 0, max: 1_000 }) }) },
);
const story = fc.record({
  happenings: fc.array(happening, { minLength: 20, maxLength: 250 }),
  /** Of the limiter and of each isolate. */
  drifts: fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: 5, maxLength: 5 }),
  startMs: fc.nat(86_400_000),
});

function holds(terms: Terms, options: { readonly isBudget?: boolean } = {}, runs = 300): void {
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
    holds({ kind: "rate", limit: 40, windowMs: 10_000 });
  });

  it("a quota gives out no more than its limit in a day", () => holds({ kind: "period", limit: 20, period: "day" }));

  it("a budget is not overspent by what was used and what is under way", () => holds({ kind: "period", limit: 20, period: "day" }, { isBudget: true }));

  it("a concurrency limit has no more requests under way than places, while limiters are reached", () => holds({ kind: "concurrency", limit: 4 }));
});
