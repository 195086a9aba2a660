/**
 * `npm run simulate -- --seeds N`: the product's state machines under a virtual clock, a bad network and a worse KV.
 *
 *   --seeds N      how many seeds (default 300), --from S the first (default 1)
 *   --trace S      one seed, with everything that happens in it; with --mutant NAME, of a wrong protocol
 *   --mutants      each of the wrong protocols must be found within 2,000 seeds
 *   --exhaustive   every interleaving of a small system, up to --depth D (default 10)
 *   --table        leases beside what others do, and what each costs as it grows; --from S is its seed
 */
import { optionsOrUsage, refuseWithUsage } from "../../local/command-line.ts";
import { branchesOf, type Branch } from "./branches.ts";
import { printTable } from "./comparison/table.ts";
import { Coverage } from "./coverage.ts";
import { explore } from "./exhaustive.ts";
import { PRODUCT, type Machines } from "./machines.ts";
import { MUTANTS } from "./mutants.ts";
import type { Violation } from "./oracle.ts";
import { runBatch } from "./pool.ts";
import { simulate, type RunResult } from "./simulation.ts";

const SEEDS = 300;
const DEPTH = 10;
/** Seeds that are run once more, first, to count branches: counting takes time. */
const BRANCH_SEEDS = 300;
const MUTANT_SEEDS = 2_000;
/** Violations that are printed. */
const SHOWN_MAX = 5;

async function runSeeds(from: number, count: number): Promise<boolean> {
  const startedAtMs = performance.now();
  const branches = await branchesOf(() => {
    for (let seed = from; seed < from + Math.min(count, BRANCH_SEEDS); seed += 1) simulate(seed);
  });
  const coverage = new Coverage();
  const failed: RunResult[] = [];
  let [events, decisions, done] = [0, 0, 0];
  await runBatch({ from, count }, (result) => {
    coverage.add(result.coverage);
    events += result.events;
    decisions += result.decisions;
    done += 1;
    if (result.violations.length > 0) failed.push(result);
    if (done % 1_000 === 0) console.log(`${done} seeds, ${failed.length} failed`);
  });
  const missing = coverage.missing();
  const never = branches.filter(({ times }) => times === 0);
  console.log(situationsText(coverage));
  console.log(branchesText(branches));
  const seconds = ((performance.now() - startedAtMs) / 1_000).toFixed(0);
  console.log(`\n${done} seeds, ${events} events, ${decisions} decisions, ${seconds} s: ${failed.length} failed`);
  for (const { seed, violations } of failed.slice(0, SHOWN_MAX)) console.log(violationText(seed, violations));
  for (const situation of missing) console.log(`Never met: ${situation}`);
  for (const { file, line, text } of never) console.log(`Never taken: ${file}:${line} ${text}`);
  return done === count && failed.length === 0 && missing.length === 0 && never.length === 0;
}

async function runMutants(): Promise<boolean> {
  let areAllFound = true;
  for (const { name, says } of MUTANTS) {
    let [found, seeds]: [RunResult | undefined, number] = [undefined, 0];
    await runBatch({ from: 1, count: MUTANT_SEEDS, mutant: name, untilViolation: true }, (result) => {
      seeds += 1;
      if (result.violations.length > 0 && (!found || result.seed < found.seed)) found = result;
    });
    const [violation] = (found as RunResult | undefined)?.violations ?? [];
    areAllFound &&= violation !== undefined;
    console.log(`${name}: ${says}`);
    console.log(
      violation
        ? `  found by ${violation.invariant} at seed ${(found as RunResult | undefined)?.seed ?? 0} (${seeds} seeds run): ${violation.text}`
        : `  NOT FOUND in ${seeds} seeds`,
    );
  }
  return areAllFound;
}

/** Wrong protocols that the small system must find, or its silence would mean nothing. */
const SMALL_MUTANTS = ["returns_before_acknowledgements", "ignores_edge_leases", "forgets_leases_on_restart"];
const SMALL_MUTANT_DEPTH = 6;

function runExhaustive(depth: number): boolean {
  console.log("One primary, two replicas, two edges at work, two operations, one crash, one lost message, in every order:");
  const { states, transitions, violation } = explore(depth, PRODUCT, (level, seen) => console.log(`  ${level} steps: ${seen} states`));
  console.log(
    violation
      ? `FAILS after:\n  ${violation.join("\n  ")}`
      : `Nothing fails in ${states} states, ${transitions} transitions, ${depth} steps deep.`,
  );
  let areFound = true;
  for (const { name, machines } of MUTANTS.filter((mutant) => SMALL_MUTANTS.includes(mutant.name))) {
    const found = explore(SMALL_MUTANT_DEPTH, machines, () => {}).violation;
    areFound &&= found !== undefined;
    console.log(`${name}: ${found ? `found after ${found.length - 1} steps: ${found.join("; ")}` : "NOT FOUND"}`);
  }
  return violation === undefined && areFound;
}

function violationText(seed: number, violations: readonly Violation[]): string {
  const lines = violations.slice(0, SHOWN_MAX).map(({ invariant, atMs, text }) => `  ${invariant} at ${atMs.toFixed(1)} ms: ${text}`);
  return [`\nSeed ${seed} fails (npm run simulate -- --trace ${seed}):`, ...lines].join("\n");
}

function situationsText(coverage: Coverage): string {
  const width = Math.max(...[...coverage.counts.keys()].map((situation) => situation.length));
  return [...coverage.counts]
    .toSorted(([one], [other]) => (one < other ? -1 : 1))
    .map(([situation, times]) => `  ${situation.padEnd(width)} ${String(times).padStart(12)}`)
    .join("\n");
}

function branchesText(branches: readonly Branch[]): string {
  const byFile = Map.groupBy(branches, ({ file }) => file);
  const lines = [...byFile].map(([file, own]) => {
    const rarest = own.toSorted((one, other) => one.times - other.times)[0];
    return `  ${file}: ${own.length} branches, the rarest taken ${rarest?.times ?? 0} times (line ${rarest?.line ?? 0})`;
  });
  return `\nBranches of the protocol, over ${BRANCH_SEEDS} seeds at most:\n${lines.join("\n")}`;
}

const USAGE = `npm run simulate [-- options]

  --seeds N [--from S]         how many seeds (default ${SEEDS}), the first one (default 1)
  --trace S [--mutant NAME]    one seed, with everything that happens in it; of a wrong protocol
  --mutants                    finds every wrong protocol
  --exhaustive [--depth D]     every interleaving of a small system (default ${DEPTH} steps)
  --table [--from S]           leases beside what others do, and what each costs as it grows
  --help                       this text`;

const options = optionsOrUsage(USAGE, {
  seeds: { type: "string" },
  from: { type: "string" },
  trace: { type: "string" },
  mutants: { type: "boolean" },
  mutant: { type: "string" },
  exhaustive: { type: "boolean" },
  depth: { type: "string" },
  table: { type: "boolean" },
});

function numberOf(option: "seeds" | "from" | "trace" | "depth", usual: number): number {
  const text = options[option] ?? String(usual);
  return /^\d{1,9}$/.test(text) ? Number(text) : refuseWithUsage(USAGE, `--${option} takes a whole number, not '${text}'`);
}

function machinesOf(mutant: string | undefined): Machines {
  if (mutant === undefined) return PRODUCT;
  const names = MUTANTS.map(({ name }) => name).join(", ");
  return MUTANTS.find(({ name }) => name === mutant)?.machines ?? refuseWithUsage(USAGE, `--mutant takes one of ${names}, not '${mutant}'`);
}

let isGood = true;
if (options.trace !== undefined) {
  const { seed, violations } = simulate(numberOf("trace", 1), machinesOf(options.mutant), (line) => console.log(line));
  isGood = violations.length === 0;
  console.log(isGood ? `Seed ${seed} holds.` : violationText(seed, violations));
} else if (options.mutants === true) isGood = await runMutants();
else if (options.table === true) isGood = printTable(numberOf("from", 1));
else if (options.exhaustive === true) isGood = runExhaustive(numberOf("depth", DEPTH));
else isGood = await runSeeds(numberOf("from", 1), numberOf("seeds", SEEDS));
process.exitCode = isGood ? 0 : 1;
