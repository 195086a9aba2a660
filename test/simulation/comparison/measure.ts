/** Runs one design under one load and measures it. */
import { FLOORS_KEPT_MAX } from "../../../core/protocol/floor-window.ts";
import { quantile } from "../../bench/statistics.ts";
import { Random } from "../../random.ts";
import type { KvFaults } from "../kv.ts";
import { SIMULATED_REGIONS } from "../latency.ts";
import { FAULT_KINDS, NO_KV_FAULTS, NO_NETWORK_FAULTS, type FaultKind, type Profile } from "../profile.ts";
import type { Design } from "./designs.ts";
import { CELLS, TUNABLES } from "./installation.ts";
import { MeasuredWorld, type Counts } from "./measured-world.ts";
import { SteadyTraffic, type Traffic } from "./steady-traffic.ts";

/** A load, on how many isolates, for how long. */
export interface Scenario extends Traffic {
  readonly seed: number;
  /** In all regions together. */
  readonly isolates: number;
  readonly warmUpMs: number;
  readonly measuredMs: number;
}

/** A middle and a far value, in milliseconds. */
interface Spread {
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** Calls of Durable Objects, by what they are for. Commands are not among them: they are the same in every design. */
export interface Calls {
  /** Isolates ask replicas. */
  readonly sync: number;
  /** Replicas ask cells for leases. */
  readonly lease: number;
  /** Cells tell replicas of floors. */
  readonly push: number;
  /** Isolates ask cells. */
  readonly resolve: number;
}

/** What came of it. */
export interface Measurement {
  readonly requests: number;
  readonly measuredS: number;
  readonly checks: Spread;
  /** Share of the requests that waited for anything. */
  readonly waited: number;
  readonly residualWindowMs: number;
  /** Requests that arrived after their key's revocation had returned, and were accepted. */
  readonly acceptedRevoked: number;
  /** Requests that had arrived before it, and were accepted when it had returned. */
  readonly acceptedUnderWay: number;
  readonly revocations: Spread & { readonly count: number };
  readonly callsPerSecond: Calls;
  readonly pushesPerRevocation: number;
  readonly kvReadsPerSecond: number;
  /** Decisions that the oracle finds wrong, those on requests under way among them. */
  readonly violations: number;
}

const PUBLISH_LAG_MS_MAX = 1_500;
/** The keys have been made and published by then; requests come a little later. */
const KEYS_PUBLISHED_BY_MS = PUBLISH_LAG_MS_MAX + 400;
const SLOW_KV: KvFaults = { ...NO_KV_FAULTS, lagMsMax: 60_000 };

/** Measures a design. The same scenario gives the same figures, and the same requests to every design. */
export function measure(design: Design, scenario: Scenario): Measurement {
  const random = new Random(scenario.seed);
  const world = new MeasuredWorld(random.between(0, 2 ** 32 - 1), profileOf(scenario), design.machines);
  // In peace: what is not decided counts as wrong.
  world.isChaotic = false;
  world.healedByMs = 0;
  world.engine.after(KEYS_PUBLISHED_BY_MS, () => slowDown(world));
  const untilMs = scenario.warmUpMs + scenario.measuredMs;
  const traffic = new SteadyTraffic(world, random.fork(), scenario, untilMs);
  world.engine.run(scenario.warmUpMs);
  const before = world.counts();
  world.isMeasuring = true;
  world.engine.run(untilMs);
  return measurementOf(world, traffic, before, scenario.measuredMs / 1_000);
}

function measurementOf(world: MeasuredWorld, { revocationsMs }: SteadyTraffic, before: Counts, measuredS: number): Measurement {
  const after = world.counts();
  const rate = (about: keyof Calls) => ((after.calls.get(about) ?? 0) - (before.calls.get(about) ?? 0)) / measuredS;
  return {
    requests: after.decisions - before.decisions,
    measuredS,
    checks: spreadOf(world.checksMs),
    waited: world.checksMs.filter((ms) => ms > 0).length / world.checksMs.length,
    residualWindowMs: world.residualWindowMs,
    acceptedRevoked: world.acceptedRevoked,
    acceptedUnderWay: world.acceptedUnderWay,
    revocations: { ...spreadOf(revocationsMs), count: revocationsMs.length },
    callsPerSecond: { sync: rate("sync"), lease: rate("lease"), push: rate("push"), resolve: rate("resolve") },
    pushesPerRevocation: (after.calls.get("push") ?? 0) / revocationsMs.length,
    kvReadsPerSecond: (after.kvReads - before.kvReads) / measuredS,
    violations: world.oracle.violations.length,
  };
}

/** What is written to KV from now on takes up to a minute to be seen, as documented: the first keys have been there for long. */
function slowDown(world: MeasuredWorld): void {
  for (const region of SIMULATED_REGIONS) world.kvIn(region).faults = SLOW_KV;
}

/** Nothing fails, and clocks are as wrong as is assumed at most. */
function profileOf({ isolates }: Scenario): Profile {
  return {
    cells: CELLS,
    edges: isolates,
    tunables: TUNABLES,
    floorsKeptMax: FLOORS_KEPT_MAX,
    edgeRegions: SIMULATED_REGIONS,
    network: NO_NETWORK_FAULTS,
    kv: NO_KV_FAULTS,
    publishLagMsMax: PUBLISH_LAG_MS_MAX,
    crashAfterCommit: 0,
    rates: Object.fromEntries(FAULT_KINDS.map((kind) => [kind, 0])) as Record<FaultKind, number>,
  };
}

function spreadOf(values: readonly number[]): Spread {
  const ascending = Float64Array.from(values).toSorted();
  return { p50Ms: quantile(ascending, 0.5), p99Ms: quantile(ascending, 0.99) };
}
