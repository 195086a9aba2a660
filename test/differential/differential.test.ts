/** The same requests sent to an origin directly, through nginx and through the gateway: what the origin saw and what the client got differ only as the list says. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CASES } from "./cases.ts";
import { differencesOf, type Outcome } from "./differences.ts";
import { isNginxInstalled } from "./nginx.ts";
import { PERMITTED, type Permitted } from "./permitted.ts";
import { startWays, type Way, type Ways } from "./ways.ts";

let ways: Ways;
let direct: readonly Outcome[];

beforeAll(async () => {
  ways = await startWays();
  direct = await outcomesOf("direct");
});
afterAll(() => ways?.[Symbol.asyncDispose]());

/** One after the other, so that what reaches the origin is of the case that is sent. */
async function outcomesOf(way: Way): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const number of CASES.keys()) outcomes.push(await ways.run(way, number));
  return outcomes;
}

async function expectOnlyPermitted(way: Exclude<Way, "direct">): Promise<void> {
  const permitted = PERMITTED.filter((each) => each.ways.includes(way));
  const needed = new Set<Permitted>();
  const faults: string[] = [];
  for (const [number, outcome] of (await outcomesOf(way)).entries()) {
    const name = CASES[number]?.name ?? "";
    for (const difference of differencesOf(direct[number] ?? outcome, outcome)) {
      const because = permitted.filter((each) => each.difference.test(difference) && (each.cases?.test(name) ?? true));
      for (const each of because) needed.add(each);
      if (because.length === 0) faults.push(`${name}: ${difference}`);
    }
  }
  expect(faults).toEqual([]);
  expect(permitted.filter((each) => !needed.has(each)).map(({ difference, because }) => `${String(difference)}: ${because}`)).toEqual([]);
}

it("there are a few hundred cases, and no two of one name", () => {
  expect(new Set(CASES.map(({ name }) => name)).size).toBe(CASES.length);
  expect(CASES.length).toBeGreaterThan(300);
});

it("most of them reach the origin and are answered by it, on the direct way", () => {
  expect(direct.filter(({ reached, got }) => reached.length === 1 && got.isWhole).length).toBeGreaterThan(250);
});

describe("differences from the direct way", () => {
  it("through the gateway are those of the list, which has none that nothing needs", () => expectOnlyPermitted("gateway"));

  it.runIf(isNginxInstalled)("through nginx are those of the list, which has none that nothing needs", () => expectOnlyPermitted("nginx"));

  it.skipIf(isNginxInstalled)("through nginx were NOT LOOKED AT: nginx is not installed (apt-get install nginx-light)", ({ skip }) =>
    skip(),
  );
});
