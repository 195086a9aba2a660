/** Vitest's global setup: the receiver's process, for as long as the tests run. */
import { fork } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import type { TestProject } from "vitest/node";

/** Starts it, tells the tests where it is, and answers how to end it. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const receiver = fork(path.join(import.meta.dirname, "receiver-process.ts"));
  const [origin] = (await once(receiver, "message")) as [string];
  project.provide("receiver", origin);
  return async () => {
    receiver.disconnect();
    if (receiver.exitCode === null) await once(receiver, "exit");
  };
}
