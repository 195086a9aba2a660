/** `npm run simulate -- --table`: leases beside what others do, how each grows, and what it costs. */
import { SIMULATED_REGIONS } from "../latency.ts";
import { billOf, PRICES, sumOf, type Item } from "./bill.ts";
import { CENTRAL, DESIGNS, LEASES, TTL_10, TTL_60, type Design } from "./designs.ts";
import { expectedCalls, totalOf, type Load } from "./formula.ts";
import { busiestOf, disagreementsIn, growthOf, growthText, type Growth } from "./growth.ts";
import { CELLS } from "./installation.ts";
import type { Scenario } from "./measure.ts";
import { contradictionsIn, measureSideBySide, sideBySideText } from "./side-by-side.ts";
import { dollars, figure, textTable } from "./text-table.ts";

/** Many revocations, and keys that are tried at once when theirs has returned: where a window would show. */
const SIDE_BY_SIDE = {
  isolates: 40,
  requestsPerSecond: 2_000,
  keys: 100,
  revokedEveryMs: 2_500,
  probesReturns: true,
  // Between the waves in which caches of 60 s run out.
  warmUpMs: 35_000,
  measuredMs: 120_000,
} as const satisfies Omit<Scenario, "seed">;

/** The traffic stays as it is: spread more thinly, it is the harder for leases, which are renewed per isolate. */
const GROWING = { requestsPerSecond: 5_000, keys: 100, revokedEveryMs: 25_000 } as const;
const SIZES = [10, 100, 1_000, 10_000] as const;
const SIMULATED_MAX = 1_000;
const LARGEST = SIZES[3];
/** The size that the bill is for. */
const BILLED = 100;
/** The other way to grow: isolates that come with the traffic. */
const PER_ISOLATE = GROWING.requestsPerSecond / BILLED;
const MORE_KEYS = [1_000, 10_000] as const;
/** A soft limit: https://developers.cloudflare.com/durable-objects/reference/faq/. */
const OBJECT_CALLS_PER_SECOND_MAX = 1_000;

/** Prints the three tables as they come. Whether everything is as it must be. */
export function printTable(seed: number): boolean {
  console.log(`Four ways to know whether a key is good, in the same simulated world (seed ${seed})\n\n${loadText(SIDE_BY_SIDE)}\n`);
  const rows = measureSideBySide({ ...SIDE_BY_SIDE, seed });
  console.log(`${sideBySideText(rows)}\n\n${growingText()}\n`);
  const loads = SIZES.map((isolates) => ({ ...GROWING, isolates }));
  const growth = growthOf(loads, SIMULATED_MAX, seed);
  console.log(`${growthText(growth)}\n${outlookText()}\n`);
  console.log(
    `A month of ${figure(GROWING.requestsPerSecond)} requests/s on ${BILLED} isolates with ${GROWING.keys} keys, US dollars at list prices\n`,
  );
  console.log(billText(growth.filter(({ scenario }) => scenario.isolates === BILLED)));
  const wrong = [...contradictionsIn(rows), ...disagreementsIn(growth)];
  for (const each of wrong) console.log(`\nNOT AS IT MUST BE: ${each}`);
  return wrong.length === 0;
}

function loadText({ isolates, requestsPerSecond, keys, revokedEveryMs, measuredMs }: typeof SIDE_BY_SIDE): string {
  const where = `${isolates} isolates in ${SIMULATED_REGIONS.length} regions, ${CELLS} cells, ${measuredMs / 1_000} s of virtual time`;
  return `${where}; ${figure(requestsPerSecond)} requests/s with ${keys} keys,\none of them revoked every ${revokedEveryMs / 1_000} s and tried on for over a minute`;
}

function growingText(): string {
  const { requestsPerSecond, keys, revokedEveryMs } = GROWING;
  return `As isolates multiply: ${figure(requestsPerSecond)} requests/s in all with ${keys} keys, a revocation every ${revokedEveryMs / 1_000} s`;
}

/** What follows from the formulas beyond the table. */
function outlookText(): string {
  const moreKeys = MORE_KEYS.map((keys) => {
    const load = { ...GROWING, isolates: BILLED, keys };
    const each = [LEASES, TTL_60, TTL_10].map((design) => `${design.name} ${figure(expectedPerMillion(design, load))}`);
    return `  With ${figure(keys)} keys on ${BILLED} isolates, calls per million by formula: ${each.join(", ")}`;
  });
  const heavy = { ...GROWING, isolates: LARGEST, requestsPerSecond: PER_ISOLATE * LARGEST };
  const [replica, cell] = [LEASES, CENTRAL].map((design) => figure(busiestOf(expectedCalls(design, heavy), heavy)));
  return [
    ...moreKeys,
    `  With ${PER_ISOLATE} requests/s to each isolate, calls per million stay about as they are at ${BILLED} isolates, whatever the size.`,
    `  On ${figure(LARGEST)} isolates, by formula, a replica then gets ${replica} calls/s, and a cell of the central check ${cell}.`,
    `  An object takes about ${figure(OBJECT_CALLS_PER_SECOND_MAX)}; REPLICAS_PER_REGION adds replicas.`,
  ].join("\n");
}

function expectedPerMillion(design: Design, load: Load): number {
  return (totalOf(expectedCalls(design, load)) / load.requestsPerSecond) * 1_000_000;
}

function billText(rows: readonly Growth[]): string {
  const bills = rows.flatMap(({ design, scenario, measured }) => (measured ? [billOf(design, scenario, measured)] : []));
  const items = Object.keys(PRICES) as Item[];
  const lines = items.map((item) => [
    PRICES[item].of,
    dollars(PRICES[item].usdPerMillion, 2),
    ...bills.map((bill) => (bill[item].usd === 0 ? "none" : `${figure(bill[item].millions)} M  ${dollars(bill[item].usd)}`)),
  ]);
  const all = ["in all", "", ...bills.map((bill) => dollars(sumOf(bill)))];
  const checking = ["without the Workers requests", "", ...bills.map((bill) => dollars(sumOf(bill) - bill.workerRequests.usd))];
  const sources = items.map((item) => `  ${PRICES[item].of}: ${dollars(PRICES[item].usdPerMillion, 2)} a million, ${PRICES[item].source}`);
  return [
    textTable([["", "a million", ...DESIGNS.map(({ name }) => name)], ...lines, all, checking]),
    "\n  Durable Object GB-s: at most, as if every object were awake all month.",
    ...sources,
  ].join("\n");
}
