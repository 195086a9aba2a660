/**
 * `npm run bench`: what the gateway costs, as ratios to bare Workers measured in the same run. `-- --json` prints the rows as
 * JSON, `-- --quick` takes under 45 seconds. Figures are medians over rounds; the rows of a round run one after the other,
 * and a ratio compares rows of one round, so that what else the machine does meanwhile weighs on both sides.
 */
import { parseArgs } from "node:util";
import type { Outcome } from "./load-generator.ts";
import { Load } from "./load.ts";
import { median } from "./statistics.ts";
import { startBenchSystem, type BenchSystem } from "./system.ts";
import { workerdWithoutOutput } from "./workerd-without-output.ts";

/** One row as printed with --json. Names and members are stable. */
interface Row {
  readonly name: string;
  /** Requests per second relative to the bare Worker that does the same without a gateway; 1 for the bare ones. */
  readonly ratio_to_bare: number;
  readonly rps: number;
  readonly p50_ms: number;
  readonly p99_ms: number;
  readonly kv_calls_per_request: number;
  readonly ledger_calls_per_request: number;
}

/** What is measured, and against what. */
interface Subject {
  readonly name: string;
  readonly bare: string;
  readonly says: string;
  readonly url: string;
  /** The same with its calls counted; absent: it makes none. */
  readonly countingUrl?: string;
  readonly key: string;
  readonly status: number;
}

const CONNECTIONS = 16;
const FULL = { rounds: 10, seconds: 2 } as const;
const QUICK = { rounds: 4, seconds: 1 } as const;
const COUNTED_REQUESTS = 1_000;

function subjectsOf({ urls, keys }: BenchSystem): Subject[] {
  const gateway = { url: urls.gateway, countingUrl: urls.countingGateway };
  return [
    {
      name: "bare_passthrough",
      bare: "bare_passthrough",
      says: "a Worker that only passes on",
      url: urls.passThrough,
      key: keys.warm,
      status: 200,
    },
    { name: "warm", bare: "bare_passthrough", says: "the gateway, a key it knows", ...gateway, key: keys.warm, status: 200 },
    { name: "bare_401", bare: "bare_401", says: "a Worker that only answers 401", url: urls.bare401, key: keys.forged, status: 401 },
    { name: "forged", bare: "bare_401", says: "the gateway, a made-up key", ...gateway, key: keys.forged, status: 401 },
    { name: "malformed", bare: "bare_401", says: "the gateway, not a key at all", ...gateway, key: keys.malformed, status: 401 },
  ];
}

async function measure(
  subjects: readonly Subject[],
  { rounds, seconds }: { readonly rounds: number; readonly seconds: number },
): Promise<Row[]> {
  using load = new Load();
  const outcomes = new Map<string, Outcome[]>(subjects.map(({ name }) => [name, []]));
  for (let round = 0; round <= rounds; round += 1) {
    for (const subject of subjects) {
      const outcome = await load.run({ url: subject.url, headers: bearer(subject.key), connections: CONNECTIONS, seconds });
      requireExpected(subject, outcome);
      // The first round only warms up.
      if (round > 0) outcomes.get(subject.name)?.push(outcome);
    }
  }
  const rows: Row[] = [];
  // One after the other: they share the counting gateway.
  for (const subject of subjects) rows.push(rowOf(subject, outcomes, await callsPerRequest(subject)));
  return rows;
}

function rowOf(
  { name, bare }: Subject,
  outcomes: ReadonlyMap<string, readonly Outcome[]>,
  calls: { readonly kv: number; readonly ledger: number },
): Row {
  const own = outcomes.get(name) ?? [];
  const reference = outcomes.get(bare) ?? [];
  const middle = (figure: (outcome: Outcome) => number) => median(own.map(figure));
  return {
    name,
    ratio_to_bare: rounded(median(own.map(({ rps }, round) => rps / (reference[round]?.rps ?? Number.NaN)))),
    rps: Math.round(middle(({ rps }) => rps)),
    p50_ms: rounded(middle(({ p50Ms }) => p50Ms)),
    p99_ms: rounded(middle(({ p99Ms }) => p99Ms)),
    kv_calls_per_request: calls.kv,
    ledger_calls_per_request: calls.ledger,
  };
}

/** Calls of a gateway that has answered this request before, per request. */
async function callsPerRequest({ countingUrl, key }: Subject): Promise<{ readonly kv: number; readonly ledger: number }> {
  if (countingUrl === undefined) return { kv: 0, ledger: 0 };
  const callsSoFar = async () => {
    const { headers } = await fetch(countingUrl, { headers: bearer(key) });
    return { kv: Number(headers.get("bench-kv-calls")), ledger: Number(headers.get("bench-ledger-calls")) };
  };
  const before = await callsSoFar();
  for (let sent = 1; sent < COUNTED_REQUESTS; sent += 1) await callsSoFar();
  const after = await callsSoFar();
  return { kv: rounded((after.kv - before.kv) / COUNTED_REQUESTS), ledger: rounded((after.ledger - before.ledger) / COUNTED_REQUESTS) };
}

/** A figure counts only if every request was answered as it should be. */
function requireExpected({ name, status }: Subject, { statuses, failures }: Outcome): void {
  const others = Object.keys(statuses).filter((each) => each !== String(status));
  if (failures > 0 || others.length > 0 || !statuses[status])
    throw new Error(`${name}: expected ${status} for every request, got ${JSON.stringify(statuses)} and ${failures} without an answer`);
}

function bearer(key: string): Readonly<Record<string, string>> {
  return { Authorization: `Bearer ${key}` };
}

function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}

function tableText(rows: readonly Row[], subjects: readonly Subject[]): string {
  const columns = ["", "ratio to bare", "requests/s", "p50 ms", "p99 ms", "KV/request", "ledger/request", ""];
  const lines = rows.map((row, at) => [
    row.name,
    row.ratio_to_bare.toFixed(2),
    String(row.rps),
    row.p50_ms.toFixed(2),
    row.p99_ms.toFixed(2),
    String(row.kv_calls_per_request),
    String(row.ledger_calls_per_request),
    subjects[at]?.says ?? "",
  ]);
  const widths = columns.map((column, at) => Math.max(column.length, ...lines.map((line) => line[at]?.length ?? 0)));
  const textual = new Set([0, columns.length - 1]);
  const print = (line: readonly string[]) =>
    line
      .map((cell, at) => (textual.has(at) ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0)))
      .join("  ")
      .trimEnd();
  return [columns, ...lines].map(print).join("\n");
}

const { values: options } = parseArgs({ options: { json: { type: "boolean" }, quick: { type: "boolean" } } });
using _output = workerdWithoutOutput();
await using system = await startBenchSystem();
const subjects = subjectsOf(system);
if (options.json !== true) console.log(`Measuring ${subjects.length} things ${options.quick === true ? "quickly" : "thoroughly"} …\n`);
const rows = await measure(subjects, options.quick === true ? QUICK : FULL);
console.log(options.json === true ? JSON.stringify(rows, null, 2) : tableText(rows, subjects));
