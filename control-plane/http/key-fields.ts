/** Fields of keys that several endpoints take. */
import { z } from "zod";
import { networks } from "../../core/network.ts";
import type { KeyAttributes } from "../ledger/command.ts";
import { shownText } from "./fields.ts";

export { reason } from "./fields.ts";

const METADATA_PAIRS_MAX = 50;
/** In UTF-8: a page of keys is held in memory as a whole. */
const METADATA_BYTES_MAX = 16 * 1024;
const TAGS_MAX = 20;

/** A word that groups keys: 1 to 48 lower-case letters, digits, `.`, `_`, `-`. */
export const tag = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{0,47}$/, "1 to 48 lower-case letters, digits, '.', '_', '-'; a letter or digit first");

/** The customer's own notes: at most 50 pairs, names of 40 characters, values of 600, 16 KiB in all. */
const metadataPairs = z
  .record(shownText(40), shownText(600))
  .refine((pairs) => Object.keys(pairs).length <= METADATA_PAIRS_MAX, `at most ${METADATA_PAIRS_MAX} pairs`)
  .refine(
    (pairs) => new TextEncoder().encode(JSON.stringify(pairs)).length <= METADATA_BYTES_MAX,
    `at most ${METADATA_BYTES_MAX} bytes in all`,
  );

/** What a key carries besides its name and its rights; each replaces what was there. */
export const attributeFields = {
  metadata: metadataPairs.optional(),
  tags: z.array(tag).max(TAGS_MAX, `at most ${TAGS_MAX} tags`).optional(),
  allowed_networks: networks.nullable().optional(),
} as const;

/** The attributes in a body. */
export function attributesOf({ metadata, tags, allowed_networks }: z.output<typeof attributes>): KeyAttributes {
  return {
    ...(metadata && { metadata }),
    ...(tags && { tags }),
    ...(allowed_networks !== undefined && { allowed_networks }),
  };
}

const attributes = z.object(attributeFields);
