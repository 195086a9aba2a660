/** Where replicas are: one region per location hint of Durable Objects, and a name for each replica in it. */

/** Cloudflare's location hints for Durable Objects. */
export const REGIONS = ["wnam", "enam", "sam", "weur", "eeur", "apac", "apac-ne", "apac-se", "oc", "afr", "me"] as const;

/** A region, or `local`: everything on one machine, with no hint. */
export type Region = (typeof REGIONS)[number] | "local";

/** What is known of where a request came in: the members of `request.cf` that tell. */
export interface Whereabouts {
  /** Two letters, as in `request.cf.continent`. */
  readonly continent?: string | undefined;
  /** Degrees as text, as in `request.cf`. */
  readonly latitude?: string | undefined;
  readonly longitude?: string | undefined;
}

/** West of this meridian the western replicas are nearer: in North America, and in Europe. */
const NORTH_AMERICA_MERIDIAN = -100;
const EUROPE_MERIDIAN = 15;
/** Asia west of this is the Middle East, and north of that parallel the north-east. */
const MIDDLE_EAST_MERIDIAN = 60;
const SOUTH_EAST_PARALLEL = 23;

/** The region whose replica is likely to be nearest; western Europe when nothing is known. */
export function regionOf({ continent, latitude, longitude }: Whereabouts): Region {
  const east = Number(longitude ?? 0);
  switch (continent ?? "EU") {
    case "NA":
      return east < NORTH_AMERICA_MERIDIAN ? "wnam" : "enam";
    case "SA":
      return "sam";
    case "OC":
      return "oc";
    case "AF":
      return "afr";
    case "AS":
      if (east < MIDDLE_EAST_MERIDIAN) return "me";
      return Number(latitude ?? 0) < SOUTH_EAST_PARALLEL ? "apac-se" : "apac-ne";
    default:
      return east < EUROPE_MERIDIAN ? "weur" : "eeur";
  }
}

/** The name of a replica: its region, and which of the region's it is. */
export function replicaName(region: Region, slot: number): string {
  return `${region}-${slot}`;
}

/** The region in a replica's name, or undefined for what is no such name. */
export function regionOfReplica(name: string): Region | undefined {
  const [, region] = /^([a-z-]+)-\d$/.exec(name) ?? [];
  return [...REGIONS, "local" as const].find((each) => each === region);
}
