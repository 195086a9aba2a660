/** How bad a run is, drawn from its seed: each run has some faults and not others, so that rare ones are not drowned by common ones. */
import type { Tunables } from "../../core/protocol/tunables.ts";
import type { Random } from "../random.ts";
import { CELLS, regionHosting, SIMULATED_REGIONS, type SimulatedRegion } from "./latency.ts";
import type { KvFaults } from "./kv.ts";
import type { NetworkFaults } from "./network.ts";

/** Isolates in all regions together. */
export const EDGES = 24;

/** The circumstances of a run. Rates are events per second of true time, over all processes of a kind. */
export interface Profile {
  readonly cells: number;
  /** Isolates in all regions together. */
  readonly edges: number;
  readonly tunables: Tunables;
  readonly floorsKeptMax: number;
  /** Where isolates are: everywhere, or only where cells are, so that no long way hides a bound that is too short. */
  readonly edgeRegions: readonly SimulatedRegion[];
  readonly network: NetworkFaults;
  readonly kv: KvFaults;
  readonly publishLagMsMax: number;
  readonly crashAfterCommit: number;
  readonly rates: Readonly<Record<FaultKind, number>>;
}

/** Faults that come again and again. */
export const FAULT_KINDS = [
  "crashLedger",
  "supersedeLedger",
  "pauseLedger",
  "crashReplica",
  "supersedeReplica",
  "pauseReplica",
  "restartEdge",
  "pauseEdge",
  "cutRegions",
  "starveLeases",
] as const;

/** One of them. */
export type FaultKind = (typeof FAULT_KINDS)[number];

/** Events per second at most, where it is not the usual. */
const RATE_MAX: Partial<Record<FaultKind, number>> = { restartEdge: 2, pauseEdge: 2, cutRegions: 3 };

/** No faults: what a run ends with, so that it can be seen to heal. */
export const NO_NETWORK_FAULTS: NetworkFaults = { loss: 0, duplication: 0, stragglers: 0, jitter: 0.1 };
export const NO_KV_FAULTS: KvFaults = { failures: 0, misses: 0, regressions: 0, lagMsMax: 0 };

/** Draws a profile. */
export function drawProfile(random: Random): Profile {
  const profile = drawAnyProfile(random);
  const kind = random.next();
  if (kind < 0.25) return { ...profile, ...atCloseQuarters(profile) };
  return kind < 0.5 ? { ...profile, ...forgetful(profile) } : profile;
}

/**
 * Next to no floors are kept, and old answers come late and twice: isolates find gaps between what they know and what they are told, and are
 * then told what was before the gap.
 */
function forgetful({ network, rates }: Profile): Partial<Profile> {
  return {
    floorsKeptMax: 1,
    network: { ...network, duplication: 0.3, stragglers: 0.1 },
    rates: { ...rates, pauseEdge: 2, cutRegions: 3 },
  };
}

/**
 * Every isolate beside the home cell, clocks that lag as far as they may and do not drift, messages that take no time to speak of:
 * nothing that would hide a margin which is too small by as much as a clock may lag.
 */
function atCloseQuarters({ tunables }: Profile): Partial<Profile> {
  return {
    edgeRegions: [regionHosting(0)],
    network: NO_NETWORK_FAULTS,
    tunables: { ...tunables, clockDriftMax: 0, clockLagMs: 25 },
  };
}

function drawAnyProfile(random: Random): Profile {
  const some = (most: number) => (random.chance(0.5) ? random.next() * most : 0);
  return {
    cells: CELLS,
    edges: EDGES,
    tunables: drawTunables(random),
    floorsKeptMax: random.chance(0.5) ? random.between(2, 8) : 1_024,
    edgeRegions: random.chance(0.6) ? SIMULATED_REGIONS : drawRegions(random),
    network: { loss: some(0.15), duplication: some(0.2), stragglers: some(0.1), jitter: 0.1 + some(2) },
    kv: { failures: some(0.3), misses: some(0.3), regressions: some(0.5), lagMsMax: random.chance(0.5) ? 60_000 : 500 },
    publishLagMsMax: random.chance(0.3) ? 60_000 : 1_500,
    crashAfterCommit: some(0.2),
    rates: Object.fromEntries(FAULT_KINDS.map((kind) => [kind, some(RATE_MAX[kind] ?? 0.7)])) as Record<FaultKind, number>,
  };
}

function drawRegions(random: Random): SimulatedRegion[] {
  const hosting = Array.from({ length: CELLS }, (_, cell) => regionHosting(cell));
  return hosting.filter(() => random.chance(0.5)).concat(hosting.slice(0, 1));
}

function drawTunables(random: Random): Tunables {
  const edgeLeaseMs = random.between(100, 400);
  return {
    edgeLeaseMs,
    replicaLeaseMs: random.between(Math.max(800, 2 * edgeLeaseMs), 3_000),
    clockDriftMax: random.pick([0, 0.005, 0.02, 0.05]) ?? 0,
    clockLagMs: random.pick([0, 5, 25]) ?? 0,
    pushTimeoutMs: random.between(200, 800),
    pushRetryMs: random.between(20, 200),
  };
}
