/**
 * Ids of records: `<prefix>_<ULID>` (26 Crockford base32 characters; sortable by creation time).
 * An id whose record lives in a cell carries the cell in the first random character, so a bare id finds its ledger.
 */
import { crc32OfAscii } from "./crc32.ts";
import type { RandomBytes } from "./base62.ts";

const CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const CELL_AT = 10;

/** Prefixes of the ids that Portcullis mints, as in the WorkOS API. */
export type IdPrefix =
  | "org"
  | "user"
  | "om"
  | "api_key"
  | "perm"
  | "role"
  | "event"
  | "we"
  | "audit_log_entry"
  | "audit_log_denial"
  | "audit_log_action"
  | "audit_log_schema"
  | "audit_log_export"
  | "api_key_request";

/** Cell of what belongs to the whole installation: users, permissions, roles, routes. */
export const HOME_CELL = 0;

/** The reserved organization whose keys call the control plane. */
export const PLATFORM_ORGANIZATION_ID = "org_platform";

/** Mints an id; with a `cell` (0 to 31) the id can be asked for it later with {@link cellOfId}. */
export function mintId(prefix: IdPrefix, nowMs: number, randomBytes: RandomBytes, cell?: number): string {
  const time = crockford(nowMs, CELL_AT);
  let random = "";
  for (const byte of randomBytes(new Uint8Array(16))) random += CROCKFORD.charAt(byte & 31);
  return `${prefix}_${time}${cell === undefined ? random : CROCKFORD.charAt(cell) + random.slice(1)}`;
}

/** A natural number in Crockford base32, padded to a length, so that the order of texts is the order of numbers. */
export function crockford(value: number, length: number): string {
  let text = "";
  for (let rest = value; text.length < length; rest = Math.floor(rest / 32)) text = CROCKFORD.charAt(rest % 32) + text;
  return text;
}

/** The number that {@link crockford} wrote. */
export function readCrockford(text: string): number {
  let value = 0;
  for (const character of text) value = value * 32 + CROCKFORD.indexOf(character);
  return value;
}

/** Whether a text has the form of an id with this prefix. */
export function isId(prefix: IdPrefix, text: string): boolean {
  return text.startsWith(`${prefix}_`) && /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/.test(text.slice(prefix.length + 1));
}

/** The longest text that can be an id or a slug; a token is longer. */
const REPEATABLE_LENGTH_MAX = 48;

/** What a caller gave as an id, quoted for a message; not when it is longer than any id, because then it may be a token in the wrong place. */
export function quoteId(text: string): string {
  return text.length > REPEATABLE_LENGTH_MAX ? "(longer than an id)" : `'${text}'`;
}

/** The cell in an id minted with one, or undefined when the text is no such id or the cell does not exist. */
export function cellOfId(prefix: IdPrefix, id: string, cells: number): number | undefined {
  if (!isId(prefix, id)) return undefined;
  const cell = CROCKFORD.indexOf(id.charAt(prefix.length + 1 + CELL_AT));
  return cell < cells ? cell : undefined;
}

/** The cell an organization lives in, with all that must agree with it: a hash of its id. */
export function cellOfOrganization(organizationId: string, cells: number): number {
  return crc32OfAscii(organizationId) % cells;
}
