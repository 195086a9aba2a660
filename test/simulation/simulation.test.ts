/** A few hundred seeds in every test run, and some wrong protocols that must be found; `npm run simulate` does the rest. */
import { expect, it } from "vitest";
import { explore } from "./exhaustive.ts";
import { PRODUCT } from "./machines.ts";
import { MUTANTS } from "./mutants.ts";
import { runBatch } from "./pool.ts";
import { simulate, type RunResult } from "./simulation.ts";

const SEEDS = 200;
/** Found soon, each by another part of the check. */
const CANARIES = ["ignores_edge_leases", "takes_silence_for_consent", "forgets_what_it_knew", "checks_only_once", "raises_the_dead"];
const CANARY_SEEDS = 200;

it(`holds over ${SEEDS} seeds`, async () => {
  const failed: RunResult[] = [];
  let done = 0;
  await runBatch({ from: 1, count: SEEDS }, (result) => {
    done += 1;
    if (result.violations.length > 0) failed.push(result);
  });
  expect(failed.map(({ seed, violations }) => `npm run simulate -- --trace ${seed}: ${JSON.stringify(violations[0])}`)).toEqual([]);
  expect(done).toBe(SEEDS);
});

it.each(CANARIES)("finds the wrong protocol that %s", (name) => {
  const mutant = MUTANTS.find((each) => each.name === name);
  const found = Array.from({ length: CANARY_SEEDS }, (_, at) => at + 1).find(
    (seed) => simulate(seed, mutant?.machines).violations.length > 0,
  );
  expect(found).toBeDefined();
});

it("does the same again for the same seed", () => {
  const [one, other]: [string[], string[]] = [[], []];
  simulate(7, PRODUCT, (line) => one.push(line));
  simulate(7, PRODUCT, (line) => other.push(line));
  expect(one.length).toBeGreaterThan(100);
  expect(one).toEqual(other);
});

it("holds in everything that can happen in a small system, six steps deep", () => {
  expect(explore(6, PRODUCT, () => {}).violation).toBeUndefined();
});
