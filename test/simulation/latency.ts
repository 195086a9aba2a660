/**
 * Ten regions and the time a message takes there and back, in milliseconds.
 *
 * Averages between AWS regions that stand for them: "Latency Between AWS Global Regions", as tabulated at
 * acomputerscientistlearnsaws.blogspot.com/2017/04/aws-regions.html; those of Cape Town (afr) from cloudping.co. They are somewhat
 * higher than today's, which is on the safe side.
 */
import type { Region } from "../../core/protocol/region.ts";

/** The regions of the simulation. */
export const SIMULATED_REGIONS = [
  "enam",
  "wnam",
  "weur",
  "eeur",
  "apac-ne",
  "apac",
  "apac-se",
  "oc",
  "sam",
  "afr",
] as const satisfies readonly Region[];

/** One of them. */
export type SimulatedRegion = (typeof SIMULATED_REGIONS)[number];

/** Cells of the simulated installation. */
export const CELLS = 3;

/** The region a cell's object is in. */
export function regionHosting(cell: number): SimulatedRegion {
  return SIMULATED_REGIONS[(cell * 2) % SIMULATED_REGIONS.length] ?? "weur";
}

/** Within a region. */
const LOCAL_RTT_MS = 2;

/** Row by row in the order of the regions, each to the ones after it. */
const RTT_MS: readonly (readonly number[])[] = [
  [86.98, 80.55, 88.66, 145.3, 178.4, 216.7, 230, 119.5, 226.85],
  [137, 159.5, 89.1, 118.3, 161.4, 162.2, 182.7, 278.75],
  [19.56, 212.4, 242.4, 239, 309.6, 191.3, 156.57],
  [236.5, 266.2, 325.9, 323.5, 194.9, 155.41],
  [31.44, 73.79, 103.9, 256.8, 285.65],
  [71.87, 134, 286.3, 270.48],
  [175.3, 328.1, 205.24],
  [322.5, 295.02],
  [337.25],
];

/** There and back, in milliseconds. */
export function roundTripMs(one: SimulatedRegion, other: SimulatedRegion): number {
  const [low, high] = [SIMULATED_REGIONS.indexOf(one), SIMULATED_REGIONS.indexOf(other)].toSorted((a, b) => a - b);
  return low === high ? LOCAL_RTT_MS : (RTT_MS[low ?? 0]?.[(high ?? 0) - (low ?? 0) - 1] ?? LOCAL_RTT_MS);
}
