/** What `npm run limits:load` shows, for a few seconds of each. */
import { expect, it } from "vitest";
import { runLimitLoad } from "./limit-load.ts";
import { LIMIT_LOADS } from "./limit-loads.ts";

it.each(Object.entries(LIMIT_LOADS))("%s: admits within the limit in any window, for far fewer questions than requests", (_, load) => {
  const windowMs = Math.min(load.terms.windowMs, 5_000);
  for (const seed of [1, 2, 3]) {
    const { admitted, worstWindow, questions, requests } = runLimitLoad({ ...load, terms: { ...load.terms, windowMs }, seconds: 12, seed });
    expect(worstWindow).toBeLessThanOrEqual(load.terms.limit);
    // It is no art to admit nothing.
    const most = Math.min(requests, (load.terms.limit * 12_000) / windowMs);
    expect(admitted).toBeGreaterThan(most / 2);
    expect(questions).toBeLessThan(requests / 2);
  }
});
