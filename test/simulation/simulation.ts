/** One run: a seed, a profile, some seconds of chaos, and then peace, in which everything must come right. */
import { DEADLINES_MS, worstCaseOf } from "../../core/protocol/tunables.ts";
import { Random } from "../random.ts";
import type { Situation } from "./coverage.ts";
import { CELLS, SIMULATED_REGIONS } from "./latency.ts";
import { PRODUCT, type Machines } from "./machines.ts";
import type { Violation } from "./oracle.ts";
import { drawProfile, EDGES, FAULT_KINDS, NO_KV_FAULTS, NO_NETWORK_FAULTS, type FaultKind } from "./profile.ts";
import { askedBy, routesAsking } from "./routes.ts";
import { Workload } from "./workload.ts";
import { World } from "./world.ts";

const CHAOS_MS = 8_000;
/** No process is paused for longer. */
const PAUSE_MS_MAX = 2_500;
/** And no cell for longer than so many times that: then it hangs for longer than anybody waits for it. */
const HANG_FACTOR = 2;
/** No two regions are cut off from each other for less. */
const CUT_MS_MIN = 500;
/** What a round trip and a few steps take at most when nothing is wrong. */
const ROUND_TRIP_MS = 500;

/** What came of a run. */
export interface RunResult {
  readonly seed: number;
  readonly violations: readonly Violation[];
  readonly events: number;
  readonly decisions: number;
  readonly coverage: readonly (readonly [Situation, number])[];
}

/** Runs a seed. The same seed and machines do the same, event by event. */
export function simulate(seed: number, machines: Machines = PRODUCT, trace?: (line: string) => void): RunResult {
  const random = new Random(seed);
  const profile = drawProfile(random);
  trace?.(`seed ${seed}: ${JSON.stringify(profile)}`);
  const world = new World(random.between(0, 2 ** 32 - 1), profile, machines, trace);
  const workload = new Workload(world, random.fork());
  for (const kind of FAULT_KINDS) plague(world, workload, random.fork(), kind);
  world.engine.run(CHAOS_MS);
  heal(world, workload);
  checkPeace(world, workload);
  const { violations } = world.oracle;
  return { seed, violations, events: world.engine.events, decisions: world.decisions, coverage: [...world.coverage.counts] };
}

/** Has a kind of fault happen again and again. */
function plague(world: World, workload: Workload, random: Random, kind: FaultKind): void {
  const rate = world.profile.rates[kind];
  if (rate === 0) return;
  const next = () =>
    world.engine.after((random.next() * 2_000) / rate, () => {
      if (!world.isChaotic) return;
      inflict(world, workload, random, kind);
      next();
    });
  next();
}

function inflict(world: World, workload: Workload, random: Random, kind: FaultKind): void {
  const cell = random.between(0, CELLS - 1);
  const replica = `${random.pick(SIMULATED_REGIONS) ?? "weur"}-0`;
  const edge = random.between(0, EDGES - 1);
  const ms = random.next() * PAUSE_MS_MAX;
  switch (kind) {
    case "crashLedger":
      return world.crashLedger(cell);
    case "supersedeLedger":
      return world.supersedeLedger(cell);
    case "pauseLedger":
      return world.pauseLedger(cell, ms * HANG_FACTOR);
    case "starveLeases":
      return starveLeases(world, workload, random, cell);
    case "crashReplica":
      return world.crashReplica(replica);
    case "supersedeReplica":
      return world.supersedeReplica(replica);
    case "pauseReplica":
      return world.pauseReplica(replica, ms);
    case "restartEdge":
      return world.restartEdge(edge);
    case "pauseEdge":
      return world.pauseEdge(edge, ms);
    case "cutRegions": {
      const [one, other] = [random.pick(SIMULATED_REGIONS), random.pick(SIMULATED_REGIONS)];
      if (!one || !other) return;
      world.network.setCut(one, other, true);
      world.engine.after(ms * 2 + CUT_MS_MIN, () => world.network.setCut(one, other, false));
    }
  }
}

/**
 * Lets all leases of a cell run out while isolates go on asking their replicas, to the last moment, and has something change around
 * then. Sometimes the cell cannot even tell of the change.
 */
function starveLeases(world: World, workload: Workload, random: Random, cell: number): void {
  const { network, engine, tunables } = world;
  if (network.muted.size > 0) return;
  const untilNoLeaseMs = world.untilNoLeaseMs(cell);
  network.muted.add("lease");
  if (random.chance(0.5)) network.muted.add("push");
  workload.narrowAt(cell, engine.nowMs + untilNoLeaseMs + (random.next() - 0.3) * tunables.edgeLeaseMs, tunables.edgeLeaseMs);
  engine.after(untilNoLeaseMs + 3 * tunables.edgeLeaseMs, () => network.muted.clear());
}

/** Ends all faults and waits as long as it is stated to take until everything works again. */
function heal(world: World, workload: Workload): void {
  world.trace?.("peace");
  world.isChaotic = false;
  workload.stop();
  world.network.faults = NO_NETWORK_FAULTS;
  world.network.mend();
  for (const region of SIMULATED_REGIONS) world.kvIn(region).faults = NO_KV_FAULTS;
  // Processes that are down or paused come back within their time; what was asked before runs into its deadline; then commands
  // are repeated and come into force.
  const backByMs = world.engine.nowMs + PAUSE_MS_MAX * HANG_FACTOR;
  world.healedByMs = backByMs + Math.max(...Object.values(DEADLINES_MS)) + ROUND_TRIP_MS;
  world.engine.run(
    world.healedByMs + world.mirrorDeadlineMs + worstCaseOf(world.tunables).revocationWithDeadReplicaMs + 10 * ROUND_TRIP_MS,
  );
}

/** In peace: every isolate decides every key rightly, nothing acknowledged is lost, every chain holds. */
function checkPeace(world: World, workload: Workload): void {
  const [readRoute] = routesAsking("read", 0);
  if (!readRoute) throw new Error("there is no route to ask for");
  for (let edge = 0; edge < EDGES; edge += 1)
    for (const key of workload.keys) for (const path of ["/read", "/fresh"]) world.request(edge, key.id, key.cell, path);
  world.engine.run(world.engine.nowMs + 2 * Math.max(...Object.values(DEADLINES_MS)));
  const accepted = world.decisions;
  if (accepted === 0) world.oracle.violated("I5", world.engine.nowMs, `nothing was decided (${askedBy(readRoute)})`);
  for (let cell = 0; cell < CELLS; cell += 1) {
    const state = world.state(cell);
    if (state.pending().length > 0) world.oracle.violated("I4", world.engine.nowMs, `cell ${cell} still has entries that are not in force`);
    const brokenAt = state.brokenAt();
    if (brokenAt !== undefined) world.oracle.violated("I6", world.engine.nowMs, `the chain of cell ${cell} is broken at ${brokenAt}`);
  }
  for (const { cell, commandId } of workload.acknowledged) {
    const found = world.state(cell).entries.filter((entry) => entry.commandId === commandId).length;
    if (found !== 1) world.oracle.violated("I6", world.engine.nowMs, `${commandId} was acknowledged and is there ${found} times`);
  }
}
