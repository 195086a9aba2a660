import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { leaseBoundMs, tunablesOf, tunablesSchema, worstCaseOf } from "../../core/protocol/tunables.ts";

const problemsOf = (fields: Record<string, string>) => {
  const parsed = tunablesSchema.safeParse(fields);
  return parsed.success ? [] : parsed.error.issues.map(({ path }) => path[0]);
};

describe("the bound on somebody else's lease", () => {
  it("is past the end of the lease, however the two clocks run and lag within what is assumed", () => {
    const share = fc.double({ min: -1, max: 1, noNaN: true });
    const lag = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(
        fc.integer({ min: 50, max: 60_000 }),
        fc.double({ min: 0, max: 0.1, noNaN: true }),
        fc.integer({ min: 0, max: 500 }),
        share,
        share,
        lag,
        lag,
        (leaseMs, clockDriftMax, clockLagMs, holderDrift, waiterDrift, lagAtCheck, lagAtStart) => {
          // The holder reads its clock at true time 0, too late by nothing (that is on the safe side), and checks it at the last
          // moment at which it still sees the lease: its reading lags, so that moment is later than the lease's end.
          const holderRate = 1 + holderDrift * clockDriftMax;
          const lastUseMs = leaseMs / holderRate + lagAtCheck * clockLagMs;
          // The waiter reads its clock after true time 0 at the earliest, but the reading may lag; it waits on its own clock.
          const waiterRate = 1 + waiterDrift * clockDriftMax;
          const startMs = -lagAtStart * clockLagMs;
          const waitedUntilMs = startMs + leaseBoundMs(leaseMs, { clockDriftMax, clockLagMs }) / waiterRate;
          expect(waitedUntilMs).toBeGreaterThanOrEqual(lastUseMs);
        },
      ),
    );
  });
});

describe("tunables", () => {
  it("have defaults that fit together", () => {
    const tunables = tunablesOf(tunablesSchema.parse({}));
    expect(tunables).toMatchObject({ edgeLeaseMs: 1_000, replicaLeaseMs: 30_000 });
    const worst = worstCaseOf(tunables);
    expect(worst.revocationMs).toBeLessThan(worst.revocationWithDeadReplicaMs);
    expect(worst.edgeLeaseBoundMs).toBeGreaterThan(tunables.edgeLeaseMs);
  });

  it.each([
    [{ EDGE_LEASE_MS: "x" }, "EDGE_LEASE_MS"],
    [{ EDGE_LEASE_MS: "1.5" }, "EDGE_LEASE_MS"],
    [{ EDGE_LEASE_MS: "20000", REPLICA_LEASE_MS: "30000" }, "REPLICA_LEASE_MS"],
    [{ CLOCK_DRIFT_MAX: "0.5" }, "CLOCK_DRIFT_MAX"],
    [{ CLOCK_LAG_MS: "300" }, "CLOCK_LAG_MS"],
    [{ PUSH_TIMEOUT_MS: "31000" }, "PUSH_TIMEOUT_MS"],
  ])("that do not fit are named: %j", (fields, field) => {
    expect(problemsOf(fields)).toEqual([field]);
  });
});
