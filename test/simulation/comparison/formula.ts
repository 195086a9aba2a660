/** How many calls a design makes in the long run, by formula. The simulation confirms it where it is small enough to be simulated. */
import { UNUSED_ASKED_MS } from "../../../core/protocol/edge-views.ts";
import { regionHosting, roundTripMs, SIMULATED_REGIONS } from "../latency.ts";
import { NO_NETWORK_FAULTS } from "../profile.ts";
import type { Design } from "./designs.ts";
import { CELLS, TUNABLES } from "./installation.ts";
import type { Calls, Scenario } from "./measure.ts";

/** What the calls depend on. */
export type Load = Pick<Scenario, "isolates" | "requestsPerSecond" | "keys" | "revokedEveryMs">;

/** Calls of Durable Objects per second. */
export function expectedCalls(design: Design, load: Load): Calls {
  return design.ttlMs === undefined ? expectedOfLeases(load) : expectedOfAsking(design.ttlMs, load);
}

/** All of them. */
export function totalOf({ sync, lease, push, resolve }: Calls): number {
  return sync + lease + push + resolve;
}

/** Regions that have isolates. */
export function regionsOf({ isolates }: Pick<Load, "isolates">): number {
  return Math.min(isolates, SIMULATED_REGIONS.length);
}

/**
 * An isolate asks its replica with the first request after half an edge lease, or before that with one for a cell that it has not
 * needed for a while; a replica asks each cell with the first question after half of its lease. Keys do not matter, and neither do
 * the requests in between.
 */
function expectedOfLeases(load: Load): Calls {
  const regions = regionsOf(load);
  const sync = load.isolates / meanPauseS(load.requestsPerSecond / load.isolates);
  const lease = (regions * CELLS) / (TUNABLES.replicaLeaseMs / 2_000 + regions / sync);
  return { sync, lease, push: (regions * 1_000) / load.revokedEveryMs, resolve: 0 };
}

/** Seconds between two questions of an isolate that gets so many requests per second, at times that know nothing of each other. */
function meanPauseS(requestsPerSecond: number): number {
  const halfLeaseS = TUNABLES.edgeLeaseMs / 2_000;
  // Every cell but the home cell, which all requests need.
  const forgotten = ((CELLS - 1) / CELLS) * Math.exp((-requestsPerSecond / CELLS) * (UNUSED_ASKED_MS / 1_000));
  // Never quite 0, so that it can be divided by.
  const asksEarly = Math.max(requestsPerSecond * forgotten, Number.EPSILON);
  const isSilent = Math.exp(-asksEarly * halfLeaseS);
  return -Math.expm1(-asksEarly * halfLeaseS) / asksEarly + isSilent / requestsPerSecond;
}

/**
 * An isolate asks with the first request for a key after what it was told has run out, and with every further one until the answer is
 * there; then it is silent for the time to live.
 */
function expectedOfAsking(ttlMs: number, { isolates, requestsPerSecond, keys }: Load): Calls {
  const perKeyAndMs = requestsPerSecond / isolates / keys / 1_000;
  const asked = 1 + perKeyAndMs * meanRoundTripMs();
  return { sync: 0, lease: 0, push: 0, resolve: (requestsPerSecond * asked) / (asked + perKeyAndMs * ttlMs) };
}

/** From an isolate to a key's cell and back, all regions and cells alike. */
function meanRoundTripMs(): number {
  const hosting = Array.from({ length: CELLS }, (_, cell) => regionHosting(cell));
  const all = SIMULATED_REGIONS.flatMap((region) => hosting.map((host) => roundTripMs(region, host)));
  return (all.reduce((sum, ms) => sum + ms, 0) / all.length) * (1 + NO_NETWORK_FAULTS.jitter / 2);
}
