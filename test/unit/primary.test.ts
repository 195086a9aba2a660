/** What the primary asks of its shell: to be called when there is something to do, and not before. */
import { expect, it } from "vitest";
import { Primary } from "../../core/protocol/primary.ts";
import type { Tunables } from "../../core/protocol/tunables.ts";

const TUNABLES: Tunables = {
  edgeLeaseMs: 1_000,
  replicaLeaseMs: 30_000,
  clockDriftMax: 0.005,
  clockLagMs: 25,
  pushTimeoutMs: 2_000,
  pushRetryMs: 250,
};

function primaryWith(replicas: number): Primary {
  const storage = {
    saveHolder: () => {},
    forgetHolder: () => {},
    floorsSince: (since: number | null) => ({ completeFrom: since ?? 0, seq: 1, floors: [] }),
  };
  const primary = new Primary(0, TUNABLES, storage, [], 0);
  for (let at = 0; at < replicas; at += 1) primary.grant({ replica: `enam-${at}`, epoch: 1, since: 1 }, 0);
  return primary;
}

it("takes as many entries on their way as there may be", () => {
  const [replicas, entries] = [20, 10_000];
  const primary = primaryWith(replicas);
  for (let seq = 2; seq < entries + 2; seq += 1) primary.committed(seq, 10);
  const { pushes, wakeAtMs } = primary.drain(10);
  expect(pushes).toHaveLength(replicas);
  expect(wakeAtMs).toBeGreaterThan(10);
});

it("sleeps on when the replica it pushes to has begun a new life, until the edges' leases are over", () => {
  const primary = primaryWith(1);
  primary.committed(2, 5_000);
  expect(primary.drain(5_000).pushes).toHaveLength(1);
  primary.pushed("enam-0", { epoch: 2, knows: 2 }, 5_001);
  let [nowMs, calls] = [5_001, 0];
  for (let wakeAtMs: number | null = nowMs; wakeAtMs !== null; calls += 1) {
    nowMs = Math.max(wakeAtMs, nowMs + 1);
    wakeAtMs = primary.drain(nowMs).wakeAtMs;
  }
  expect(nowMs).toBeGreaterThan(6_000);
  expect(calls).toBe(2);
});
