/** The first table: the designs under the same load, and the product broken on purpose, so that a window of 0 means something. */
import { brokenLeases, CENTRAL, DESIGNS, LEASES, type Design } from "./designs.ts";
import { totalOf } from "./formula.ts";
import { measure, type Measurement, type Scenario } from "./measure.ts";
import { figure, textTable } from "./text-table.ts";

/** A design and what was measured of it. */
interface Measured {
  readonly design: Design;
  readonly measured: Measurement;
}

/** What a window may be longer than its time to live: an answer under way when the revocation was committed, and a slow clock. */
const TTL_SLACK_MS = 1_000;

/** Measures each design under the scenario. */
export function measureSideBySide(scenario: Scenario): Measured[] {
  return [...DESIGNS, brokenLeases("ignores_edge_leases")].map((design) => ({ design, measured: measure(design, scenario) }));
}

/** What is not as it must be, in sentences. */
export function contradictionsIn(rows: readonly Measured[]): string[] {
  return rows.flatMap(({ design, measured }) => {
    const { residualWindowMs, acceptedRevoked, violations } = measured;
    const window = `${design.name}: ${acceptedRevoked} requests accepted after a revocation had returned, up to ${figure(residualWindowMs)} ms`;
    if (design === LEASES) return acceptedRevoked > 0 || violations > 0 ? [`${window}, and ${violations} wrong decisions`] : [];
    if (design === CENTRAL) return acceptedRevoked > 0 ? [window] : [];
    if (design.ttlMs === undefined) return acceptedRevoked === 0 ? [`${design.name}: the measure does not notice`] : [];
    return residualWindowMs > 0 && residualWindowMs <= design.ttlMs + TTL_SLACK_MS ? [] : [window];
  });
}

/** The table. */
export function sideBySideText(rows: readonly Measured[]): string {
  const columns = [
    "",
    "check p50 ms",
    "check p99 ms",
    "waited",
    "residual window ms",
    "accepted after it",
    "revoke p50 ms",
    "revoke p99 ms",
    "ledger calls/million",
    "of cells",
  ];
  const lines = rows.map(({ design, measured }) => [
    design.name,
    figure(measured.checks.p50Ms),
    figure(measured.checks.p99Ms),
    `${figure(measured.waited * 100)}%`,
    figure(measured.residualWindowMs),
    figure(measured.acceptedRevoked),
    figure(measured.revocations.p50Ms),
    figure(measured.revocations.p99Ms),
    figure(perMillion(measured, totalOf(measured.callsPerSecond))),
    figure(perMillion(measured, measured.callsPerSecond.lease + measured.callsPerSecond.resolve)),
  ]);
  const notes = rows.map(({ design }) => `  ${design.name}: ${design.says}`);
  const underWay = rows.map(({ design, measured }) => `${design.name} ${figure(measured.acceptedUnderWay)}`).join(", ");
  return [
    textTable([columns, ...lines]),
    "",
    ...notes,
    "  A check of 0 ms waits for nothing; what it takes to compute, npm run bench tells.",
    `  Requests that had arrived before a revocation returned, and were accepted after it: ${underWay}`,
  ].join("\n");
}

/** How many calls come to a million requests. */
function perMillion({ requests, measuredS }: Measurement, callsPerSecond: number): number {
  return (callsPerSecond * measuredS * 1_000_000) / requests;
}
