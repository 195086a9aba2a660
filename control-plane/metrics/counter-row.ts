/** Where a usage store keeps its share of gateways' counters: one row, so that taking a batch costs one row however much is in it. */
import type { GatewayCounts } from "../../core/metrics/counts.ts";
import { addPart, noCounters, type GatewayCounters, type RouteCounters } from "./gateway-counters.ts";

/** The schema of their row. */
export const GATEWAY_COUNTERS_SCHEMA =
  "CREATE TABLE IF NOT EXISTS gateway_counters (only INTEGER PRIMARY KEY CHECK (only = 1), counters TEXT NOT NULL) STRICT";

/** As JSON. */
type KeptCounters = Omit<GatewayCounters, "routes"> & { readonly routes: readonly [string, RouteCounters][] };

/** What is kept. */
export function readCounters(sql: SqlStorage): GatewayCounters {
  const [row] = sql.exec<{ counters: string }>("SELECT counters FROM gateway_counters").toArray();
  if (!row) return noCounters();
  const kept = JSON.parse(row.counters) as KeptCounters;
  return { ...kept, routes: new Map(kept.routes) };
}

/** Adds what isolates have sent. Inside a transaction. */
export function countGateways(sql: SqlStorage, parts: readonly GatewayCounts[], nowMs: number): void {
  if (parts.length === 0) return;
  const counters = readCounters(sql);
  for (const part of parts) addPart(counters, part, nowMs);
  sql.exec(
    "INSERT OR REPLACE INTO gateway_counters VALUES (1, ?)",
    JSON.stringify({ ...counters, routes: [...counters.routes] } satisfies KeptCounters),
  );
}
