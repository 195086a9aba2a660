/** `npm run soak` for a few seconds; and that it finds out a gateway that is wrong and one that leaks. */
import { expect, it } from "vitest";
import { reportOf } from "./report.ts";
import { faultsOf } from "./result.ts";
import { runSoak, type SoakOptions } from "./run.ts";
import { SHORT } from "./settings.ts";

const SEED = Number(process.env["SEED"] ?? Math.floor(Math.random() * 2 ** 32));
/** Only against hanging for ever. */
const HANG_MS = 300_000;

const options: SoakOptions = { ...SHORT, seconds: 22, requestsPerSecond: 50, seed: SEED, gateway: "shipped", progress: () => {} };

it("decides nothing wrongly, and has a reason for every error, while everything changes and fails", { timeout: HANG_MS }, async () => {
  const result = await runSoak(options);
  expect(faultsOf(result), `SEED=${SEED}\n${reportOf(result)}`).toEqual([]);
  // It would be no art if nothing had happened.
  expect(result.tally.outcomes.get("200 from the API")).toBeGreaterThan(50);
  expect(result.changes.acknowledged).toBeGreaterThan(50);
  expect(result.faults.size).toBeGreaterThan(3);
});

it("finds out a gateway that believes for a minute what it has read", { timeout: HANG_MS }, async () => {
  const { tally } = await runSoak({ ...options, seconds: 8, gateway: "ttl60", faults: null });
  expect(tally.faults.get("wrong: 200 from the API")).toBeGreaterThan(0);
});

it("finds out a gateway that leaks", { timeout: HANG_MS }, async () => {
  const result = await runSoak({ ...options, seconds: 10, gateway: "leaking", faults: null });
  expect(result.tally.wrong).toBe(0);
  expect(faultsOf(result).filter((fault) => fault.startsWith("the memory of gateway"))).toHaveLength(3);
});
