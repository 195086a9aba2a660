/** A cell that hangs takes no other cell's keys with it, though isolates and replicas ask about all cells in one breath. */
import { expect, it } from "vitest";
import type { Decision } from "../../core/edge/request.ts";
import { Random } from "../random.ts";
import { LEASES } from "./comparison/designs.ts";
import { TUNABLES } from "./comparison/installation.ts";
import { MeasuredWorld } from "./comparison/measured-world.ts";
import { SteadyTraffic } from "./comparison/steady-traffic.ts";
import type { Exchange } from "./edge-node.ts";
import { SIMULATED_REGIONS } from "./latency.ts";
import { FAULT_KINDS, NO_KV_FAULTS, NO_NETWORK_FAULTS, type Profile } from "./profile.ts";

const HUNG_CELL = 3;
const HANGS = { fromMs: 10_000, forMs: 60_000 } as const;
const PROFILE: Profile = {
  cells: 16,
  edges: 10,
  tunables: TUNABLES,
  floorsKeptMax: 1_024,
  edgeRegions: SIMULATED_REGIONS,
  network: NO_NETWORK_FAULTS,
  kv: NO_KV_FAULTS,
  publishLagMsMax: 1_500,
  crashAfterCommit: 0,
  rates: Object.fromEntries(FAULT_KINDS.map((kind) => [kind, 0])) as Profile["rates"],
};

class CountingWorld extends MeasuredWorld {
  readonly unreachable = { hung: 0, others: 0 };
  accepted = 0;
  /** Refusals of what the traffic has revoked. */
  deadKeys = 0;

  override decided(exchange: Exchange, decision: Decision): void {
    super.decided(exchange, decision);
    if (!("reason" in decision)) this.accepted += 1;
    else if (decision.reason !== "ledger_unreachable") this.deadKeys += 1;
    else if (exchange.cell === HUNG_CELL) this.unreachable.hung += 1;
    else this.unreachable.others += 1;
  }
}

it("a cell that hangs for longer than any lease is alone in being refused", () => {
  const world = new CountingWorld(1, PROFILE, LEASES.machines);
  const lastsMs = HANGS.fromMs + HANGS.forMs + 10_000;
  const scenario = { requestsPerSecond: 600, keys: 64, revokedEveryMs: 20_000, probesReturns: false };
  const traffic = new SteadyTraffic(world, new Random(5), scenario, lastsMs);
  world.engine.after(HANGS.fromMs, () => world.pauseLedger(HUNG_CELL, HANGS.forMs));
  world.engine.run(lastsMs);
  expect(world.unreachable.hung).toBeGreaterThan(0);
  expect(world.unreachable.others).toBe(0);
  expect(world.accepted).toBeGreaterThan(0);
  expect(traffic.revocationsMs.length).toBeGreaterThan(0);
  expect(world.deadKeys).toBeGreaterThan(0);
});
