/**
 * The token: `<prefix>_<live|test>_<id><secret><checksum>`, one word of base62 and "_", so a double click selects it
 * and it fits the RFC 6750 `b64token` grammar.
 *
 *     id (26)       cell 1 · tag key id 1 · random 14 (83 bits) · tag 10 (59 bits of HMAC-SHA-256)
 *     secret (28)   166 random bits
 *     checksum (6)  CRC-32 in base62 of everything before it
 *
 * The tag covers prefix, environment, cell, tag key id and random part: a made-up id, or a live id dressed as a test
 * one, is refused with no I/O. Nothing here stores, logs or throws a token.
 */
import { BASE62_ALPHABET, base62DigitOf, base62OfInteger, isBase62OfInteger, randomBase62, type RandomBytes } from "./base62.ts";
import { crc32OfAscii } from "./crc32.ts";

/** Live keys act on real data, test keys on test data; a gateway says which it accepts. */
export type Environment = "live" | "test";

/** HMAC-SHA-256, synchronous, so that a forged token costs no turn of the event loop. */
export type HmacSha256 = (key: Uint8Array, message: string) => Uint8Array;

/** The keys that tag token ids. The first one signs; all verify, so a key can be rotated in before it signs and out when its tokens are gone. */
export interface TagKeys {
  /** Base62 character that names the signing key. */
  readonly current: string;
  readonly byId: ReadonlyMap<string, Uint8Array>;
}

/** A token whose form, checksum and tag hold. It says nothing yet of whether the key exists. */
export interface ParsedToken {
  readonly environment: Environment;
  /** Cell whose ledger knows the key, 0 to 61. */
  readonly cell: number;
  /** The 26 characters that name this token; not secret. */
  readonly tokenId: string;
}

/** Why a text is no token of ours. `malformed_token`: form; `checksum_mismatch`: mistyped or cut; `forged_token`: the tag does not verify. */
type TokenFault = "malformed_token" | "checksum_mismatch" | "forged_token";

const RANDOM_LENGTH = 14;
/** Characters of half a tag. */
const WORD_LENGTH = 5;
const TAG_LENGTH = 2 * WORD_LENGTH;
/** Characters of a token id. */
export const TOKEN_ID_LENGTH = 2 + RANDOM_LENGTH + TAG_LENGTH;
const SECRET_LENGTH = 28;
const CHECKSUM_LENGTH = 6;
const BODY_LENGTH = TOKEN_ID_LENGTH + SECRET_LENGTH + CHECKSUM_LENGTH;

/** What an installation may choose as prefix: 2 to 12 lower-case letters and digits, a letter first. */
export const TOKEN_PREFIX_PATTERN = /^[a-z][a-z0-9]{1,11}$/;

/** The regular expression that secret scanners use to find tokens of this installation; a match is a key when its CRC-32 fits. */
export function tokenScannerPattern(prefix: string): string {
  return `\\b${prefix}_(?:live|test)_[0-9A-Za-z]{${BODY_LENGTH}}\\b`;
}

/** Mints a token for a cell. The only time the whole token exists on our side. */
export function generateToken(
  place: { readonly prefix: string; readonly environment: Environment; readonly cell: number },
  keys: TagKeys,
  ports: { readonly randomBytes: RandomBytes; readonly hmacSha256: HmacSha256 },
): { readonly token: string; readonly tokenId: string } {
  const key = keys.byId.get(keys.current);
  if (!key) throw new RangeError("the current tag key is not among the tag keys");
  const untagged = BASE62_ALPHABET.charAt(place.cell) + keys.current + randomBase62(RANDOM_LENGTH, ports.randomBytes);
  const head = `${place.prefix}_${place.environment}_`;
  const tokenId = untagged + tagOf(head + untagged, key, ports.hmacSha256);
  const unchecked = head + tokenId + randomBase62(SECRET_LENGTH, ports.randomBytes);
  return { token: unchecked + checksumOf(unchecked, unchecked.length), tokenId };
}

/**
 * Reads any text as a token: total, never throws, allocates only when the checksum already holds.
 * Costs at most one HMAC, and that only for a text whose checksum is right. The tag keeps made-up ids from causing I/O; of an id
 * that `isKnown`, it need not be checked again: what the whole token is compared with covers all of it.
 */
export function parseToken(
  text: string,
  prefix: string,
  keys: TagKeys,
  hmacSha256: HmacSha256,
  isKnown: (tokenId: string) => boolean = () => false,
): ParsedToken | TokenFault {
  const headLength = prefix.length + 6;
  if (text.length !== headLength + BODY_LENGTH || !text.startsWith(prefix) || text.charCodeAt(prefix.length) !== UNDERSCORE)
    return "malformed_token";
  const environment = text.startsWith("live_", prefix.length + 1)
    ? "live"
    : text.startsWith("test_", prefix.length + 1)
      ? "test"
      : undefined;
  if (!environment) return "malformed_token";
  for (let i = headLength; i < text.length; i++) if (base62DigitOf(text.charCodeAt(i)) < 0) return "malformed_token";
  const checkedLength = text.length - CHECKSUM_LENGTH;
  if (!isBase62OfInteger(text, checkedLength, CHECKSUM_LENGTH, crc32OfAscii(text, checkedLength))) return "checksum_mismatch";

  const tokenId = text.slice(headLength, headLength + TOKEN_ID_LENGTH);
  const key = keys.byId.get(text.charAt(headLength + 1));
  if (!key || !(isKnown(tokenId) || hasRightTag(text, headLength, key, hmacSha256))) return "forged_token";
  return { environment, cell: base62DigitOf(text.charCodeAt(headLength)), tokenId };
}

function hasRightTag(text: string, headLength: number, key: Uint8Array, hmacSha256: HmacSha256): boolean {
  const tagAt = headLength + 2 + RANDOM_LENGTH;
  const mac = hmacSha256(key, text.slice(0, tagAt));
  // Both halves are looked at whatever the first one says.
  const isFirstHalfRight = isBase62OfInteger(text, tagAt, WORD_LENGTH, wordAt(mac, 0));
  return isBase62OfInteger(text, tagAt + WORD_LENGTH, WORD_LENGTH, wordAt(mac, 4)) && isFirstHalfRight;
}

/** How a token is shown after its creation: enough to recognise it, useless to use it. */
export function obfuscateToken(token: string): string {
  const head = token.slice(0, token.lastIndexOf("_") + 1);
  return `${head}...${token.slice(-4)}`;
}

const UNDERSCORE = 95;

function checksumOf(text: string, length: number): string {
  return base62OfInteger(crc32OfAscii(text, length), CHECKSUM_LENGTH);
}

/** Two 32-bit words of the HMAC, five characters each: 62^5 fits below 2^30, so the tag keeps 59 of the 64 bits. */
function tagOf(message: string, key: Uint8Array, hmacSha256: HmacSha256): string {
  const mac = hmacSha256(key, message);
  return base62OfInteger(wordAt(mac, 0), WORD_LENGTH) + base62OfInteger(wordAt(mac, 4), WORD_LENGTH);
}

function wordAt(bytes: Uint8Array, at: number): number {
  let word = 0;
  for (let i = at; i < at + 4; i++) word = (word << 8) | (bytes[i] ?? 0);
  return word >>> 0;
}
