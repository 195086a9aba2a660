/**
 * `npm run limits:load`: 20 isolates' worth of traffic against one key for 60 s; what was admitted against the limit, and what it cost. Under a
 * virtual clock, or with `--real` on workerd.
 */
import { optionsOrUsage } from "../../local/command-line.ts";
import { runRealLimitLoad, type RealLimitLoad } from "../soak/limits-real.ts";
import { runLimitLoad } from "./limit-load.ts";
import { LIMIT_LOADS } from "./limit-loads.ts";

const USAGE = `npm run limits:load -- [options]

  --real   20 gateway Workers on workerd, on real sockets, for a minute each; else the machines under a virtual clock`;

const real: RealLimitLoad = { isolates: 20, seconds: 60, requestsPerSecond: 300, limit: 600, windowS: 10 };
/** What one machine can send, five times too much and with room. */
const REAL_LOADS: Readonly<Record<string, RealLimitLoad>> = {
  "five times the limit": real,
  "within the limit": { ...real, limit: 1_000_000 },
};

const isBroken = optionsOrUsage(USAGE, { real: { type: "boolean", default: false } }).real ? await printReal() : printVirtual();
if (isBroken) {
  console.error("more was admitted than the limit, or something went wrong");
  process.exitCode = 1;
}

function printVirtual(): boolean {
  let isAbove = false;
  for (const [name, load] of Object.entries(LIMIT_LOADS)) {
    const { requests, admitted, worstWindow, leastWindow, questions } = runLimitLoad(load);
    const { limit, windowMs } = load.terms;
    isAbove ||= worstWindow > limit;
    console.log(
      `${name}: ${load.isolates} isolates, ${requests} requests in ${load.seconds} s, ${admitted} admitted; at most ${worstWindow} of ${limit} in any ` +
        `${windowMs / 1_000} s${Number.isFinite(leastWindow) ? `, at least ${leastWindow}` : ""}; ${costOf(questions, requests)}`,
    );
  }
  return isAbove;
}

async function printReal(): Promise<boolean> {
  let isAbove = false;
  for (const [name, load] of Object.entries(REAL_LOADS)) {
    const { requests, admitted, other, worstWindow, questions } = await runRealLimitLoad(load);
    const { isolates, seconds, limit, windowS } = load;
    isAbove ||= worstWindow > limit || other > 0;
    console.log(
      `${name}, in workerd: ${isolates} isolates, ${requests} requests in ${seconds} s, ${admitted} admitted; at most ${worstWindow} of ${limit} in any ` +
        `${windowS} s; ${other} other answers; ${costOf(questions, requests)}`,
    );
  }
  return isAbove;
}

function costOf(questions: number, requests: number): string {
  return `${questions} questions, ${((questions / requests) * 1_000).toFixed(1)} per 1,000 requests`;
}
