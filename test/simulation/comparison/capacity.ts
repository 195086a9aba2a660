/** What an installation needs and costs as its traffic grows, by the formulas that the simulation confirms, and at the same list prices. */
import { PRICES } from "./bill.ts";
import { ROWS_OF_COUNTERS, ROWS_PER_BATCH, ROWS_PER_LINE } from "./capacity-rows.ts";
import { LEASES } from "./designs.ts";
import { expectedCalls, regionsOf } from "./formula.ts";
import { CELLS, TUNABLES } from "./installation.ts";
import { dollars, figure } from "./text-table.ts";

/** Requests per second of the sizes that are looked at. */
export const SIZES = [1_000, 100_000, 10_000_000] as const;
/** Assumed: isolates come with the traffic, so many requests per second to each. */
const PER_ISOLATE = 50;
/** Assumed: pairs of key and route that an isolate meets between two flushes, in all cells. */
const LINES_PER_FLUSH = 100;
const KEYS = 100;
const REVOKED_EVERY_MS = 25_000;
/** Calls per second that an object takes, about. */
const OBJECT_CALLS_PER_SECOND_MAX = 1_000;
const REPLICAS_PER_REGION_MAX = 9;
const FLUSH_S = 10;
/** US dollars for a million rows written to an object's SQLite, from the page on Durable Objects' prices. */
const ROWS_WRITTEN_USD_PER_MILLION = 1;

/** As `billOf` counts them. */
const GB_PER_OBJECT = 0.128;
const SECONDS_PER_MONTH = 30 * 24 * 3_600;

/** The table for docs/operations.md. */
export function capacityTable(): string {
  const columns = SIZES.map(capacityOf);
  const names = Object.keys(columns[0] ?? {});
  const head = `| | ${SIZES.map((size) => `${figure(size)} requests/s`).join(" | ")} |\n|---|${SIZES.map(() => "--:|").join("")}`;
  const rows = names.map((name) => `| ${name} | ${columns.map((column) => column[name] ?? "").join(" | ")} |`);
  return [head, ...rows].join("\n");
}

function capacityOf(requestsPerSecond: number): Readonly<Record<string, string>> {
  const isolates = requestsPerSecond / PER_ISOLATE;
  const load = { isolates, requestsPerSecond, keys: KEYS, revokedEveryMs: REVOKED_EVERY_MS };
  const regions = regionsOf(load);
  const { sync } = expectedCalls(LEASES, load);
  const perRegion = Math.min(REPLICAS_PER_REGION_MAX, Math.ceil(sync / regions / OBJECT_CALLS_PER_SECOND_MAX));
  const replicas = regions * perRegion;
  // A replica asks every cell for a lease with the first question after half of it.
  const lease = (replicas * CELLS) / (TUNABLES.replicaLeaseMs / 2_000 + replicas / sync);
  const flushes = isolates / FLUSH_S;
  const usageCalls = flushes * (CELLS + 1);
  const rows = flushes * ((CELLS + 1) * ROWS_PER_BATCH + LINES_PER_FLUSH * ROWS_PER_LINE + ROWS_OF_COUNTERS);
  const usd = {
    requests: monthly(requestsPerSecond, PRICES.workerRequests.usdPerMillion),
    leases: monthly(sync + lease, PRICES.objectRequests.usdPerMillion),
    duration: monthly((CELLS + replicas) * GB_PER_OBJECT, PRICES.objectGbSeconds.usdPerMillion),
    usageCalls: monthly(usageCalls, PRICES.objectRequests.usdPerMillion),
    usageRows: monthly(rows, ROWS_WRITTEN_USD_PER_MILLION),
  };
  return {
    isolates: figure(isolates),
    "`REPLICAS_PER_REGION`": figure(perRegion),
    "calls/s to one replica": figure(Math.round(sync / replicas)),
    "calls/s to one cell": decimal(lease / CELLS),
    "calls/s to one usage store": decimal(usageCalls / CELLS),
    "rows/s written by one usage store": figure(Math.round(rows / CELLS)),
    "Workers requests": dollars(usd.requests),
    "leases: Durable Object requests": dollars(usd.leases),
    "cells and replicas awake all month": dollars(usd.duration),
    "**in all, without usage**": `**${dollars(usd.requests + usd.leases + usd.duration)}**`,
    "usage and metrics: Durable Object requests": dollars(usd.usageCalls),
    "usage and metrics: rows written": dollars(usd.usageRows),
  };
}

function monthly(perSecond: number, usdPerMillion: number): number {
  return ((perSecond * SECONDS_PER_MONTH) / 1_000_000) * usdPerMillion;
}

function decimal(value: number): string {
  return value < 10 ? value.toFixed(1) : figure(Math.round(value));
}
