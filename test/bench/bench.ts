/**
 * `npm run bench`: what the gateway costs, as ratios to bare Workers measured in the same run. `-- --json` prints the rows as
 * JSON, `-- --quick` takes under 45 seconds. Figures are medians over rounds; the rows of a round run one after the other, in
 * another order each round, and a ratio compares rows of one round, so that what else the machine does meanwhile weighs on both sides.
 */
import { optionsOrUsage } from "../../local/command-line.ts";
import { Random } from "../random.ts";
import { FEATURE_SAYS, PAGE_ORIGIN, type FeatureRoute, type LesserGateway } from "./features.ts";
import type { Outcome } from "./load-generator.ts";
import { Load } from "./load.ts";
import { startPeer, type Peer } from "./peer.ts";
import { REMEMBERED_KEYS, rememberedKeysMb } from "./memory.ts";
import { median } from "./statistics.ts";
import { startBenchSystem, type BenchSystem } from "./system.ts";
import { workerdWithoutOutput } from "./workerd-without-output.ts";

const USAGE = `npm run bench [-- options]

  --quick   less exact and without a row for each feature, in under 45 seconds
  --json    the rows as JSON
  --help    this text`;

/** One row as printed with --json. Names and members are stable. */
interface Row {
  readonly name: string;
  /** Requests per second relative to the bare Worker that does the same without a gateway; 1 for the bare ones. */
  readonly ratio_to_bare: number;
  readonly rps: number;
  readonly p50_ms: number;
  readonly p99_ms: number;
  readonly kv_calls_per_request: number;
  /** Of the replica and of the cells together. */
  readonly ledger_calls_per_request: number;
  /** How often the ledger is asked per 1,000 requests when 5,000 come in a second: leases are renewed by time, not by request. */
  readonly ledger_calls_per_1000_at_5000_rps: number;
  /** Of the gateway alone, in the thorough run: megabytes of isolate memory for 10,000 distinct keys. */
  memory_mb_10000_keys?: number;
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
  /** Sent as `Origin`, as a browser does. */
  readonly origin?: string;
  readonly status: number;
}

const CONNECTIONS = 16;
/** How long each thing is put under load before the rounds that count, and in each of those: compilers take seconds to find what is hot. */
interface Spells {
  readonly warmUpSeconds: number;
  readonly rounds: number;
  readonly settlingSeconds: number;
  readonly seconds: number;
  /** How long calls are counted. */
  readonly countedSeconds: number;
}
const FULL: Spells = { warmUpSeconds: 10, rounds: 10, settlingSeconds: 0.5, seconds: 2, countedSeconds: 1 };
const QUICK: Spells = { warmUpSeconds: 0.8, rounds: 3, settlingSeconds: 0.1, seconds: 0.4, countedSeconds: 0.3 };
/** Of the orders in which things are measured. */
const SEED = 1;
/** The rate at which the ledger calls are stated. */
const STATED_RPS = 5_000;

/** Everything that is measured; of what the gateway can do beside deciding, only all of it together where it must be quick. */
export function subjectsOf({ urls, keys, features }: BenchSystem, peer: Peer, { isQuick }: { readonly isQuick: boolean }): Subject[] {
  const [passThrough, refusal, node] = ["bare_passthrough", "bare_401", "bare_node"];
  const gateway = { url: urls.gateway, countingUrl: urls.countingGateway };
  const good = { bare: passThrough, key: keys.warm, status: 200 };
  const bad = { bare: refusal, status: 401 };
  const named = Object.keys(FEATURE_SAYS) as (FeatureRoute | LesserGateway)[];
  const measured = isQuick ? named.slice(0, 1) : named;
  return [
    { name: passThrough, says: "a Worker that only passes on", url: urls.passThrough, ...good },
    { name: "warm", says: "the gateway, a key it knows", ...gateway, ...good },
    { name: "strict", says: "the same with freshness 0", url: urls.strict, countingUrl: urls.countingStrict, ...good },
    { name: "naive", says: "KV and ledger on every request", url: urls.naive, countingUrl: urls.naive, ...good },
    { name: "ttl60", says: "a cache of 60 s, with a window of 60 s", url: urls.ttl60, countingUrl: urls.ttl60, ...good },
    ...measured.map((name) => ({ name, says: FEATURE_SAYS[name], ...features[name], ...good, origin: PAGE_ORIGIN })),
    { name: refusal, says: "a Worker that only answers 401", url: urls.bare401, key: keys.forged, ...bad },
    { name: "forged", says: "the gateway, a made-up key", ...gateway, key: keys.forged, ...bad },
    { name: "malformed", says: "the gateway, not a key at all", ...gateway, key: keys.malformed, ...bad },
    { name: node, says: "a Node server that only answers", bare: node, url: peer.bareUrl, key: peer.key, status: 200 },
    { name: "better_auth_node", says: "better-auth's API keys in it", bare: node, url: peer.url, key: peer.key, status: 200 },
  ];
}

/** Measures everything a few times over. */
export async function measure(subjects: readonly Subject[], spells: Spells): Promise<Row[]> {
  const { warmUpSeconds, rounds, settlingSeconds, seconds, countedSeconds } = spells;
  using load = new Load();
  const outcomes = new Map<string, Outcome[]>(subjects.map(({ name }) => [name, []]));
  const spell = async (subject: Subject, lasting: number) => {
    const order = { url: subject.url, headers: headersOf(subject), connections: CONNECTIONS, settlingSeconds, seconds: lasting };
    const outcome = await load.run(order);
    requireExpected(subject, outcome);
    return outcome;
  };
  for (const subject of subjects) await spell(subject, warmUpSeconds);
  const random = new Random(SEED);
  const compared = [...Map.groupBy(subjects, ({ bare }) => bare).values()];
  for (let round = 0; round < rounds; round += 1) {
    // In another order each time: what ran before leaves the processor's and the allocator's caches as it needs them. What is compared stays
    // together: the machine is not the same a minute later.
    const inTurn = compared.flatMap((group) => random.shuffled(group));
    for (const subject of inTurn) outcomes.get(subject.name)?.push(await spell(subject, seconds));
  }
  const rows: Row[] = [];
  // One after the other: they share the counting gateway.
  for (const subject of subjects) rows.push(rowOf(subject, outcomes, await callsOf(subject, load, countedSeconds)));
  return rows;
}

function rowOf({ name, bare }: Subject, outcomes: ReadonlyMap<string, readonly Outcome[]>, calls: Calls): Row {
  const own = outcomes.get(name) ?? [];
  const reference = outcomes.get(bare) ?? [];
  const middle = (figure: (outcome: Outcome) => number) => median(own.map(figure));
  return {
    name,
    ratio_to_bare: rounded(median(own.map(({ rps }, round) => rps / (reference[round]?.rps ?? Number.NaN)))),
    rps: Math.round(middle(({ rps }) => rps)),
    p50_ms: rounded(middle(({ p50Ms }) => p50Ms)),
    p99_ms: rounded(middle(({ p99Ms }) => p99Ms)),
    kv_calls_per_request: rounded(calls.kvPerRequest),
    ledger_calls_per_request: rounded(calls.ledgerPerRequest),
    // What is asked for each request stays; what is asked as time passes is spread over more requests.
    ledger_calls_per_1000_at_5000_rps: rounded(
      1_000 * (calls.ledgerPerRequest > 0.9 ? calls.ledgerPerRequest : calls.ledgerPerSecond / STATED_RPS),
    ),
  };
}

/** What a gateway asks for under load. */
interface Calls {
  readonly kvPerRequest: number;
  readonly ledgerPerRequest: number;
  readonly ledgerPerSecond: number;
}

/** Counts the calls of one more spell, of a gateway that counts. */
async function callsOf(subject: Subject, load: Load, seconds: number): Promise<Calls> {
  const { countingUrl } = subject;
  const headers = headersOf(subject);
  if (countingUrl === undefined) return { kvPerRequest: 0, ledgerPerRequest: 0, ledgerPerSecond: 0 };
  const soFar = async () => {
    const answer = await fetch(countingUrl, { headers });
    return { kv: Number(answer.headers.get("bench-kv-calls")), ledger: Number(answer.headers.get("bench-ledger-calls")) };
  };
  await soFar();
  const before = await soFar();
  const startedAtMs = performance.now();
  const { statuses } = await load.run({ url: countingUrl, headers, connections: CONNECTIONS, settlingSeconds: 0, seconds });
  const took = (performance.now() - startedAtMs) / 1_000;
  const after = await soFar();
  const requests = Object.values(statuses).reduce((sum, count) => sum + count, 1);
  const ledger = after.ledger - before.ledger;
  return { kvPerRequest: (after.kv - before.kv) / requests, ledgerPerRequest: ledger / requests, ledgerPerSecond: ledger / took };
}

/** A figure counts only if every request was answered as it should be. */
function requireExpected({ name, status }: Subject, { statuses, failures }: Outcome): void {
  const others = Object.keys(statuses).filter((each) => each !== String(status));
  if (failures > 0 || others.length > 0 || !statuses[status])
    throw new Error(`${name}: expected ${status} for every request, got ${JSON.stringify(statuses)} and ${failures} without an answer`);
}

/** What is sent to a subject. */
export function headersOf({ key, origin }: Subject): Readonly<Record<string, string>> {
  return { Authorization: `Bearer ${key}`, ...(origin !== undefined && { Origin: origin }) };
}

function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}

function tableText(rows: readonly Row[], subjects: readonly Subject[]): string {
  const columns = ["", "ratio to bare", "requests/s", "p50 ms", "p99 ms", "KV/request", "ledger/request", "ledger/1,000 at 5,000/s", ""];
  const lines = rows.map((row, at) => [
    row.name,
    row.ratio_to_bare.toFixed(2),
    String(row.rps),
    row.p50_ms.toFixed(2),
    row.p99_ms.toFixed(2),
    String(row.kv_calls_per_request),
    String(row.ledger_calls_per_request),
    String(row.ledger_calls_per_1000_at_5000_rps),
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

/** All rows, on one system started for them; the processes it needs end with it. */
async function rowsOf(isQuick: boolean, subjectsSaid: (count: number) => void): Promise<{ rows: Row[]; subjects: Subject[] }> {
  await using system = await startBenchSystem();
  using peer = await startPeer();
  const subjects = subjectsOf(system, peer, { isQuick });
  subjectsSaid(subjects.length);
  return { rows: await measure(subjects, isQuick ? QUICK : FULL), subjects };
}

async function main(): Promise<void> {
  const { json: isJson = false, quick: isQuick = false } = optionsOrUsage(USAGE, { json: { type: "boolean" }, quick: { type: "boolean" } });
  const tell = (text: string) => isJson || console.log(text);
  using _output = workerdWithoutOutput();
  const { rows, subjects } = await rowsOf(isQuick, (count) =>
    tell(`Measuring ${count} things ${isQuick ? "quickly" : "thoroughly: about twelve minutes"} …\n`),
  );
  tell(tableText(rows, subjects));
  if (!isQuick) {
    const memoryMb = rounded(await rememberedKeysMb());
    tell(`\n${REMEMBERED_KEYS} keys in memory take ${memoryMb} MB of the gateway's isolate.`);
    for (const row of rows) if (row.name === "warm") row.memory_mb_10000_keys = memoryMb;
  }
  if (isJson) console.log(JSON.stringify(rows, null, 2));
}

if (import.meta.main) await main();
