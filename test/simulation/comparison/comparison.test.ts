/** The comparison in small: what it must find whatever the figures, and that its measures can fail. `npm run simulate -- --table` prints it in full. */
import { beforeAll, describe, expect, it } from "vitest";
import { billOf } from "./bill.ts";
import { brokenLeases, CENTRAL, DESIGNS, LEASES, TTL_10, TTL_60, type Design } from "./designs.ts";
import { totalOf } from "./formula.ts";
import { disagreementsIn, growthOf, type Growth } from "./growth.ts";
import { measure, type Measurement, type Scenario } from "./measure.ts";
import { contradictionsIn } from "./side-by-side.ts";

const SCENARIO: Scenario = {
  seed: 1,
  isolates: 10,
  requestsPerSecond: 600,
  keys: 30,
  revokedEveryMs: 5_000,
  probesReturns: true,
  warmUpMs: 10_000,
  measuredMs: 90_000,
};
const SMALL_LOAD = { isolates: 10, requestsPerSecond: 500, keys: 20, revokedEveryMs: 25_000 };
/** Clocks may be slow by this much, and an answer that was given before a revocation is still under way for a while. */
const [DRIFT, UNDER_WAY_MS] = [0.005, 1_000];

const callsPerRequest = ({ callsPerSecond, measuredS, requests }: Measurement) => (totalOf(callsPerSecond) * measuredS) / requests;

describe("side by side", () => {
  const measured = new Map<Design, Measurement>();
  const of = (design: Design) => measured.get(design) ?? measure(design, SCENARIO);

  beforeAll(() => {
    for (const design of DESIGNS) measured.set(design, measure(design, SCENARIO));
  });

  it("leases accept nothing after a revocation has returned, and decide nothing wrong", () => {
    const { acceptedRevoked, residualWindowMs, violations, revocations } = of(LEASES);
    expect({ acceptedRevoked, residualWindowMs, violations }).toEqual({ acceptedRevoked: 0, residualWindowMs: 0, violations: 0 });
    expect(revocations.count).toBeGreaterThan(10);
  });

  it.each([TTL_60, TTL_10])("$name accepts revoked keys for up to its time to live", (design) => {
    const { residualWindowMs } = of(design);
    const { ttlMs = 0 } = design;
    expect(residualWindowMs).toBeGreaterThan(ttlMs / 2);
    expect(residualWindowMs).toBeLessThanOrEqual(ttlMs / (1 - DRIFT) + UNDER_WAY_MS);
  });

  it("a central check accepts nothing either, and asks once for every request", () => {
    expect(of(CENTRAL).acceptedRevoked).toBe(0);
    expect(callsPerRequest(of(CENTRAL))).toBeCloseTo(1, 2);
    expect(of(CENTRAL).waited).toBe(1);
  });

  it("leases ask far less, and hardly any request waits", () => {
    expect(callsPerRequest(of(LEASES))).toBeLessThan(0.1);
    expect(of(LEASES).waited).toBeLessThan(0.05);
    expect(of(LEASES).checks.p50Ms).toBe(0);
  });

  it("a central check costs half as much as the Workers requests it is for", () => {
    const { workerRequests, objectRequests } = billOf(CENTRAL, SCENARIO, of(CENTRAL));
    expect(objectRequests.usd / workerRequests.usd).toBeCloseTo(0.5, 2);
  });

  it("notices a protocol that returns too early", () => {
    const broken = measure(brokenLeases("ignores_edge_leases"), SCENARIO);
    expect(broken.residualWindowMs).toBeGreaterThan(0);
    expect(contradictionsIn([{ design: LEASES, measured: broken }])).toHaveLength(1);
  });

  it("finds nothing to object to in the product", () => {
    expect(contradictionsIn([...measured].map(([design, each]) => ({ design, measured: each })))).toEqual([]);
  });

  it("measures the same again for the same seed", () => {
    expect(measure(LEASES, SCENARIO)).toEqual(of(LEASES));
  });
});

describe("growth", () => {
  let rows: Growth[] = [];

  beforeAll(() => {
    rows = growthOf([SMALL_LOAD, { ...SMALL_LOAD, isolates: 10_000 }], SMALL_LOAD.isolates, 1);
  });

  it("is simulated where it is small and calculated beyond, and both agree", () => {
    expect(rows.map(({ measured }) => measured !== undefined)).toEqual([...DESIGNS.map(() => true), ...DESIGNS.map(() => false)]);
    expect(disagreementsIn(rows)).toEqual([]);
  });

  it("notices a formula that is wrong", () => {
    const wrong = rows.map((row) => ({
      ...row,
      expected: { ...row.expected, sync: row.expected.sync * 2, resolve: row.expected.resolve * 2 },
    }));
    expect(disagreementsIn(wrong)).toHaveLength(DESIGNS.length);
  });

  it("costs a revocation one call for each region at most", () => {
    expect(rows.find(({ design }) => design === LEASES)?.measured?.pushesPerRevocation).toBe(10);
  });
});
