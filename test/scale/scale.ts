/**
 * `npm run scale`: how the control plane's times and memory grow with the keys of one organization, and with the number of organizations. Everything
 * is made through its HTTP API. Growth is told relative to the smallest size, in the same run on the same machine; exit code 1 when something
 * grew more than it may. `-- --keys 1000 --organizations 100` takes a minute.
 */
import { optionsOrUsage, refuseWithUsage } from "../../local/command-line.ts";
import { timed } from "./client.ts";
import { brokenAt, measure, tableText, type Bound, type Operation, type Row } from "./growth.ts";
import { keyOperations } from "./key-operations.ts";
import { ManyOrganizations, organizationOperations } from "./organization-operations.ts";
import { ManyKeys } from "./organization.ts";
import { MeasuredSystem, type Memory } from "./system.ts";

const USAGE = `npm run scale [-- options]

  --keys N           the most keys in one organization (default 100000)
  --organizations N  the most organizations (default 1000)
  --help             this text`;

const SMALLEST = 100;
const STEP = 10;
/** Of which the median counts. */
const ROUNDS = 9;
const WARM_UP_ROUNDS = 3;
/** What the isolate of the Durable Objects may hold at most, in MB, garbage included. The platform gives it 128. */
const HEAP_MB_MAX = 100;

/** Rows that are filled size by size. */
class Table {
  readonly #rows = new Map<string, { name: string; bound: Bound; medianMs: Map<number, number> }>();

  note({ name, bound }: Pick<Operation, "name" | "bound">, size: number, ms: number): void {
    const row = this.#rows.get(name) ?? { name, bound, medianMs: new Map<number, number>() };
    row.medianMs.set(size, ms);
    this.#rows.set(name, row);
  }

  get rows(): readonly Row[] {
    return [...this.#rows.values()];
  }
}

async function measureAll(table: Table, operations: readonly Operation[], size: number): Promise<void> {
  // Compilers need to have seen everything before it counts.
  if (size === SMALLEST) await measure(operations, WARM_UP_ROUNDS);
  for (const [operation, ms] of await measure(operations, ROUNDS)) table.note(operation, size, ms);
}

async function measureKeys(system: MeasuredSystem, sizes: readonly number[]): Promise<{ table: Table; memory: Map<number, Memory> }> {
  const table = new Table();
  const memory = new Map<number, Memory>();
  const keys = await ManyKeys.make(system.client);
  for (const size of sizes) {
    const took = await timed(() => keys.growTo(size));
    await system.untilPublished(keys.lastValue);
    console.log(`${size} keys in one organization after ${Math.round(took / 1_000)} s`);
    memory.set(size, await system.memoryDuring(() => measureAll(table, keyOperations(system.client, keys), size)));
    table.note({ name: "first page after a restart", bound: "constant" }, size, await firstPageAfterRestart(system, keys));
    keys.useClient(system.client);
  }
  return { table, memory };
}

async function firstPageAfterRestart(system: MeasuredSystem, { organizationId }: ManyKeys): Promise<number> {
  await system.stop();
  await system.start();
  // The Worker itself is new, too; that it starts does not count.
  await system.client.call("/health");
  return timed(() => system.client.call(`/organizations/${organizationId}/api_keys?limit=20`));
}

async function measureOrganizations(system: MeasuredSystem, sizes: readonly number[]): Promise<Table> {
  const table = new Table();
  const organizations = new ManyOrganizations(system.client);
  for (const size of sizes) {
    await organizations.growTo(size);
    await measureAll(table, organizationOperations(system.client, organizations), size);
    console.log(`${size} organizations`);
  }
  return table;
}

function memoryText(memory: ReadonlyMap<number, Memory>): string {
  const figures = [...memory].map(
    ([size, { heapMb, residentMb }]) => `| ${size.toLocaleString("en")} | ${heapMb.toFixed(1)} | ${residentMb.toFixed(0)} |`,
  );
  return ["| keys | most heap of the isolate of all ledgers, MB | most memory of workerd, MB |", "| --- | --- | --- |", ...figures].join(
    "\n",
  );
}

function sizesUpTo(text: string | undefined, usual: number): number[] {
  const most = Number(text ?? usual);
  if (!Number.isInteger(most) || most < SMALLEST) refuseWithUsage(USAGE, `Give a whole number from ${SMALLEST} on`);
  const sizes: number[] = [];
  for (let size = SMALLEST; size < most; size *= STEP) sizes.push(size);
  return [...sizes, most];
}

async function main(): Promise<void> {
  const options = optionsOrUsage(USAGE, { keys: { type: "string" }, organizations: { type: "string" } });
  const [keySizes, organizationSizes] = [sizesUpTo(options.keys, 100_000), sizesUpTo(options.organizations, 1_000)];
  await using system = await MeasuredSystem.create();
  const organizations = await measureOrganizations(system, organizationSizes);
  const keys = await measureKeys(system, keySizes);
  const heapMb = Math.max(...[...keys.memory.values()].map((each) => each.heapMb));
  console.log(`\n${tableText("ms, with so many keys", keys.table.rows)}\n\n${memoryText(keys.memory)}`);
  console.log(`\n${tableText("ms, with so many organizations", organizations.rows)}`);
  const broken = [...keys.table.rows, ...organizations.rows].filter((row) => brokenAt(row).length > 0).map(({ name }) => name);
  if (!(heapMb <= HEAP_MB_MAX)) broken.push(`the heap, to ${heapMb.toFixed(1)} MB`);
  if (broken.length === 0) return;
  console.error(`\nGrew more than it may: ${broken.join("; ")}.`);
  process.exitCode = 1;
}

await main();
