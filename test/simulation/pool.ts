/** Runs seeds on all processors. */
import { availableParallelism } from "node:os";
import path from "node:path";
import { Worker } from "node:worker_threads";
import type { RunResult } from "./simulation.ts";
import type { Order } from "./worker.ts";

/** Which seeds, of what. */
interface Batch {
  readonly from: number;
  readonly count: number;
  readonly mutant?: string;
  readonly untilViolation?: boolean;
}

/** Runs a batch and hands on each result as it comes. With `untilViolation`, ends soon after the first. */
export async function runBatch(batch: Batch, take: (result: RunResult) => void): Promise<void> {
  const threads = Math.min(batch.count, availableParallelism());
  const workers: Worker[] = [];
  const runs = Array.from({ length: threads }, (_, thread) => {
    const order: Order = {
      from: batch.from + thread,
      step: threads,
      below: batch.from + batch.count,
      mutant: batch.mutant,
      untilViolation: batch.untilViolation === true,
    };
    const worker = new Worker(path.join(import.meta.dirname, "worker.ts"), { workerData: order });
    workers.push(worker);
    return new Promise<void>((resolve, reject) => {
      worker.on("message", (result: RunResult) => {
        take(result);
        if (order.untilViolation && result.violations.length > 0) for (const each of workers) void each.terminate();
      });
      worker.once("error", reject);
      worker.once("exit", () => resolve());
    });
  });
  await Promise.all(runs);
}
