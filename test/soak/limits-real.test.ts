/** `npm run limits:load -- --real` for a few seconds, all within one window, so that what may be admitted is exact. */
import { expect, it } from "vitest";
import { runRealLimitLoad } from "./limits-real.ts";

it("admits no more than the limit over 20 isolates in workerd", { timeout: 300_000 }, async () => {
  const limit = 60;
  const { admitted, other, worstWindow, questions, requests } = await runRealLimitLoad({
    isolates: 20,
    seconds: 5,
    requestsPerSecond: 100,
    limit,
    windowS: 3_600,
  });
  expect(admitted).toBeLessThanOrEqual(limit);
  expect(worstWindow).toBe(admitted);
  // It is no art to admit nothing.
  expect(admitted).toBeGreaterThan(limit / 3);
  expect(other).toBe(0);
  expect(questions).toBeLessThan(requests);
});
