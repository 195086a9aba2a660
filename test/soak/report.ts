/** A soak in words. */
import { faultsOf, type SoakResult } from "./result.ts";

/** The whole report. */
export function reportOf(result: SoakResult): string {
  const { tally, changes, faults, limits, memory, brokenChains } = result;
  const refused = faultsOf(result);
  const lines = [
    `${tally.requests} requests in all, ${changes.acknowledged} changes (${changes.repeated} answers said to send one again); ${result.seconds} s with changes and faults, seed ${result.seed}`,
    "",
    "answers",
    ...sorted(tally.outcomes).map(([outcome, times]) => `  ${String(times).padStart(8)}  ${outcome}`),
    "",
    "errors that faults explain",
    ...sorted(tally.explained).map(([what, times]) => `  ${String(times).padStart(8)}  ${what}`),
    "",
    "faults, and how often each was on",
    ...sorted(faults).map(([name, times]) => `  ${String(times).padStart(8)}  ${name}`),
    "",
    "limits",
    ...(["rate", "quota", "concurrency"] as const).map((kind) => {
      const { asked, admitted } = limits.counts(kind);
      return `  ${kind}: ${admitted} of ${asked} admitted, ${limits.breaches.filter((each) => each.startsWith(kind)).length} keys above their limit`;
    }),
    "",
    "memory in MB: at the start, in the middle, at the end; what it rose by over the second half",
    ...[...memory].map(
      ([name, { startMb, middleMb, endMb, riseMb }]) => `  ${name.padEnd(14)} ${mb(startMb)} ${mb(middleMb)} ${mb(endMb)}  ${mb(riseMb)}`,
    ),
    "",
    `${brokenChains.length} broken hash chains; ${tally.wrong} wrong; ${tally.unexplained + changes.unexplained.length} unexplained`,
    ...(refused.length > 0 ? ["", "NOT AS IT SHOULD BE", ...refused.map((each) => `  ${each}`)] : []),
  ];
  return lines.join("\n");
}

function sorted(counts: ReadonlyMap<string, number>): [string, number][] {
  return [...counts].toSorted(([, one], [, other]) => other - one);
}

function mb(megabytes: number): string {
  return megabytes.toFixed(1).padStart(7);
}
