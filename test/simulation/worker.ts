/** Runs seeds in a thread of its own. */
import { parentPort, workerData } from "node:worker_threads";
import { MUTANTS } from "./mutants.ts";
import { PRODUCT } from "./machines.ts";
import { simulate, type RunResult } from "./simulation.ts";

/** What a thread is to do: seeds from, by a step, below an end; until the first violation, or all. */
export interface Order {
  readonly from: number;
  readonly step: number;
  readonly below: number;
  /** Name of a mutant, or undefined for the product. */
  readonly mutant: string | undefined;
  readonly untilViolation: boolean;
}

const order = workerData as Order;
const machines = order.mutant === undefined ? PRODUCT : MUTANTS.find(({ name }) => name === order.mutant)?.machines;
if (!machines) throw new Error(`there is no mutant ${order.mutant ?? ""}`);
for (let seed = order.from; seed < order.below; seed += order.step) {
  const result: RunResult = simulate(seed, machines);
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
  parentPort?.postMessage(result);
  if (order.untilViolation && result.violations.length > 0) break;
}
