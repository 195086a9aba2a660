/**
 * Keys that were issued elsewhere and imported by their SHA-256. Their text says neither that we know it nor in which cell it lives. So
 * an id is derived from the hash, and the cell that this id hashes to, its directory, knows where the key lives. Nothing about such a text
 * can be refused without asking, which is why only routes that say so take them.
 */
import { crc32OfAscii } from "./crc32.ts";
import { sha256Hex } from "./digest.ts";
import type { Environment } from "./token.ts";

/** A text that may be an imported key. */
export interface ForeignToken {
  /** Not in the text: it must be asked for. */
  readonly cell: null;
  readonly tokenId: string;
  /** The cell to ask. */
  readonly directory: number;
  /** Neither is this in the text; so, those that are accepted here. */
  readonly environments: ReadonlySet<Environment>;
}

const ID_HEX_LENGTH = 40;

/** The id of an imported key, from the lower-case hexadecimal SHA-256 of its text. Not secret: the hash does not follow from it. Longer than any id of ours. */
export function foreignTokenId(sha256: string): string {
  return `imported${sha256Hex(`imported key ${sha256}`).slice(0, ID_HEX_LENGTH)}`;
}

/** The cell that knows where an imported key lives. */
export function directoryOf(tokenId: string, cells: number): number {
  return crc32OfAscii(tokenId) % cells;
}
