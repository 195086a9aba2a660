/**
 * What a design costs in a month at Cloudflare's list prices. What the Workers Paid plan includes is not taken off, nor is its
 * subscription added: both are the same for every design, and small beside these.
 */
import type { Design } from "./designs.ts";
import { CELLS } from "./installation.ts";
import { regionsOf, totalOf } from "./formula.ts";
import type { Measurement, Scenario } from "./measure.ts";

/** A list price in US dollars. */
interface Price {
  readonly of: string;
  readonly usdPerMillion: number;
  readonly source: string;
}

const WORKERS_PRICING = "https://developers.cloudflare.com/workers/platform/pricing/";
const DURABLE_OBJECTS_PRICING = "https://developers.cloudflare.com/durable-objects/platform/pricing/";
const KV_PRICING = "https://developers.cloudflare.com/kv/platform/pricing/";

/** As published there in 2026, beyond what the plan includes. A call through a service binding costs no request. */
export const PRICES = {
  workerRequests: { of: "Workers requests", usdPerMillion: 0.3, source: WORKERS_PRICING },
  objectRequests: { of: "Durable Object requests", usdPerMillion: 0.15, source: DURABLE_OBJECTS_PRICING },
  /** 128 MB for as long as an object is awake. */
  objectGbSeconds: { of: "Durable Object GB-s", usdPerMillion: 12.5, source: DURABLE_OBJECTS_PRICING },
  kvReads: { of: "KV reads", usdPerMillion: 0.5, source: KV_PRICING },
  kvWrites: { of: "KV writes", usdPerMillion: 5, source: KV_PRICING },
} as const satisfies Readonly<Record<string, Price>>;

/** What is billed. */
export type Item = keyof typeof PRICES;

/** By item: how many millions, and US dollars. */
type Bill = Readonly<Record<Item, { readonly millions: number; readonly usd: number }>>;

const SECONDS_PER_MONTH = 30 * 24 * 3_600;
const GB_PER_OBJECT = 0.128;
/** A key that is revoked is replaced by another. */
const CHANGES_PER_REVOCATION = 2;

/**
 * The bill for the load that was measured, all month long. Duration is an upper bound: every object counts as awake all the time,
 * although one that is idle and may hibernate costs nothing.
 */
export function billOf(design: Design, scenario: Scenario, measured: Measurement): Bill {
  const hasLeases = design.ttlMs === undefined;
  const changes = (CHANGES_PER_REVOCATION * 1_000) / scenario.revokedEveryMs;
  // The command itself; and where there is KV, the alarm that publishes. Not simulated.
  const callsPerChange = hasLeases ? 2 : 1;
  const objects = CELLS + (hasLeases ? regionsOf(scenario) : 0);
  return priced({
    workerRequests: scenario.requestsPerSecond,
    objectRequests: totalOf(measured.callsPerSecond) + changes * callsPerChange,
    objectGbSeconds: objects * GB_PER_OBJECT,
    kvReads: measured.kvReadsPerSecond,
    kvWrites: hasLeases ? changes : 0,
  });
}

/** US dollars in all. */
export function sumOf(bill: Bill): number {
  return Object.values(bill).reduce((sum, { usd }) => sum + usd, 0);
}

function priced(perSecond: Readonly<Record<Item, number>>): Bill {
  const line = (item: Item) => {
    const millions = (perSecond[item] * SECONDS_PER_MONTH) / 1_000_000;
    return { millions, usd: millions * PRICES[item].usdPerMillion };
  };
  return {
    workerRequests: line("workerRequests"),
    objectRequests: line("objectRequests"),
    objectGbSeconds: line("objectGbSeconds"),
    kvReads: line("kvReads"),
    kvWrites: line("kvWrites"),
  };
}
