/** The second table: what each design asks of the ledger as isolates multiply and the traffic stays, simulated and by formula. */
import { SIMULATED_REGIONS } from "../latency.ts";
import { DESIGNS, type Design } from "./designs.ts";
import { expectedCalls, regionsOf, totalOf, type Load } from "./formula.ts";
import { CELLS } from "./installation.ts";
import { measure, type Calls, type Measurement, type Scenario } from "./measure.ts";
import { figure, textTable } from "./text-table.ts";

/** A design at one size. `measured` where it was simulated. */
export interface Growth {
  readonly design: Design;
  readonly scenario: Scenario;
  readonly expected: Calls;
  readonly measured: Measurement | undefined;
}

/** By how much the formula may be wrong, as a share. */
const FORMULA_TOLERANCE = 0.1;

/** The load of one size: the same for each design but for how long it takes to settle. */
function scenarioFor(design: Design, load: Load, seed: number): Scenario {
  return { ...load, seed, probesReturns: false, warmUpMs: design.settlesInMs, measuredMs: design.evensOutInMs };
}

/** Simulates the loads on up to so many isolates, and calculates all of them. */
export function growthOf(loads: readonly Load[], simulatedMax: number, seed: number): Growth[] {
  return loads.flatMap((load) =>
    DESIGNS.map((design) => {
      const scenario = scenarioFor(design, load, seed);
      const measured = load.isolates <= simulatedMax ? measure(design, scenario) : undefined;
      return { design, scenario, expected: expectedCalls(design, load), measured };
    }),
  );
}

/** Where simulation and formula disagree, in sentences. */
export function disagreementsIn(rows: readonly Growth[]): string[] {
  return rows.flatMap(({ design, scenario, expected, measured }) => {
    if (!measured) return [];
    const [simulated, calculated] = [totalOf(measured.callsPerSecond), totalOf(expected)];
    const isClose = Math.abs(simulated / calculated - 1) <= FORMULA_TOLERANCE;
    const calls = `${figure(simulated)} calls/s simulated, ${figure(calculated)} by formula`;
    return isClose ? [] : [`${design.name} on ${scenario.isolates} isolates: ${calls}`];
  });
}

/** The table. */
export function growthText(rows: readonly Growth[]): string {
  const columns = [
    "isolates",
    "design",
    "from",
    "to replicas/s",
    "to cells/s",
    "all/s",
    "formula/s",
    "per million",
    "per object/s",
    "per revocation",
  ];
  const lines = rows.map(({ design, scenario, expected, measured }) => {
    const calls = measured?.callsPerSecond ?? expected;
    return [
      figure(scenario.isolates),
      design.name,
      measured ? "simulation" : "formula",
      figure(calls.sync + calls.push),
      figure(calls.lease + calls.resolve),
      figure(totalOf(calls)),
      figure(totalOf(expected)),
      figure((totalOf(calls) / scenario.requestsPerSecond) * 1_000_000),
      figure(busiestOf(calls, scenario)),
      figure(1 + (measured?.pushesPerRevocation ?? (design.ttlMs === undefined ? SIMULATED_REGIONS.length : 0))),
    ];
  });
  const meaning = [
    "  per object/s: calls of one replica or of one cell, whichever gets more",
    "  per revocation: the command, and what the cell tells replicas",
  ];
  return [textTable([columns, ...lines], 3), "", ...meaning].join("\n");
}

/** Calls per second of one object of the kind that gets most. */
export function busiestOf({ sync, push, lease, resolve }: Calls, load: Pick<Load, "isolates">): number {
  return Math.max((sync + push) / regionsOf(load), (lease + resolve) / CELLS);
}
