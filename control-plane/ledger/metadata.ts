/** The customer's own notes on organizations and users: names with texts, within the limits of the WorkOS API. */
import type { Metadata, MetadataChange } from "./command.ts";
import { refuse } from "./transaction.ts";

/** Most pairs that one thing may have. */
export const METADATA_PAIRS_MAX = 10;

/** What is there with what is given; null takes a name away. Refused when that is too much. */
export function mergeMetadata(present: Metadata, change: MetadataChange = {}): Metadata {
  const merged = Object.entries({ ...present, ...change }).filter((pair): pair is [string, string] => pair[1] !== null);
  if (merged.length > METADATA_PAIRS_MAX)
    refuse("too_much_metadata", `There would be ${merged.length} pairs of metadata; at most ${METADATA_PAIRS_MAX}.`, "metadata");
  return Object.fromEntries(merged);
}
