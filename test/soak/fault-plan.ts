/** Which fault comes when: every one of them in turn, in an order of its own each time, sometimes two of different parties at once. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Random } from "../random.ts";
import { FAULTS_MADE, type FaultName } from "./faults.ts";
import type { FaultLog } from "./fault-log.ts";

/** Milliseconds. */
export interface FaultTimes {
  readonly pause: { readonly least: number; readonly most: number };
  readonly fault: { readonly least: number; readonly most: number };
}

interface Sufferers {
  readonly log: FaultLog;
  /** Sets which faults are on. */
  readonly suffer: (active: ReadonlySet<FaultName>) => Promise<void>;
  readonly progress: (line: string) => void;
}

/** Share of the times at which a second fault comes along. */
const TWO_AT_ONCE = 0.25;

/** Has faults come and go until the time is up. */
export async function runFaults(times: FaultTimes, { log, suffer, progress }: Sufferers, random: Random, over: AbortSignal): Promise<void> {
  const waiting: FaultName[] = [];
  while (!over.aborted) {
    await pause(random.between(times.pause.least, times.pause.most), over);
    if (over.aborted) return;
    const names = [next(waiting, random), ...(random.chance(TWO_AT_ONCE) ? [next(waiting, random)] : [])];
    // It is on from before the first may feel it until after the last does.
    const ends = names.map((name) => log.begin(name, Date.now()));
    progress(`now with ${names.join(" and ")}`);
    await suffer(new Set(names));
    await pause(random.between(times.fault.least, times.fault.most), over);
    await suffer(new Set());
    for (const end of ends) end(Date.now());
  }
}

function next(waiting: FaultName[], random: Random): FaultName {
  if (waiting.length === 0) waiting.push(...FAULTS_MADE);
  const [name] = waiting.splice(random.between(0, waiting.length - 1), 1);
  if (name === undefined) throw new Error("there are faults");
  return name;
}

async function pause(ms: number, over: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal: over }).catch(() => {});
}
