/**
 * Base62 text: the alphabet of tokens and checksums (digits, upper, lower).
 * Nothing here knows what the characters mean.
 */

/** The digits by value, 0 to 61; their order is that of ASCII. */
export const BASE62_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/** Fills the array with cryptographically secure random bytes, as `crypto.getRandomValues` does. */
export type RandomBytes = (target: Uint8Array) => Uint8Array;

/** Largest multiple of 62 a byte can hold: bytes at or above it are thrown away, or "0" to "7" would come up more often. */
const UNBIASED_BYTES = 248;

/** `length` uniformly random base62 characters (5.95 bits each). */
export function randomBase62(length: number, randomBytes: RandomBytes): string {
  let text = "";
  while (text.length < length) {
    for (const byte of randomBytes(new Uint8Array(length * 2))) {
      if (byte < UNBIASED_BYTES && text.length < length) text += BASE62_ALPHABET[byte % 62];
    }
  }
  return text;
}

/** An unsigned integer below 2^53 in exactly `width` base62 characters, left-padded with "0"; higher digits are cut off. */
export function base62OfInteger(value: number, width: number): string {
  let text = "";
  for (let rest = value; text.length < width; rest = Math.floor(rest / 62)) text = BASE62_ALPHABET[rest % 62] + text;
  return text;
}

/**
 * Whether the `width` characters of a text from `at` on are those of {@link base62OfInteger}. No text is made for that, and it takes as long whatever
 * differs.
 */
export function isBase62OfInteger(text: string, at: number, width: number, value: number): boolean {
  let difference = 0;
  let rest = value;
  for (let i = at + width - 1; i >= at; i--) {
    difference |= base62DigitOf(text.charCodeAt(i)) ^ (rest % 62);
    rest = Math.floor(rest / 62);
  }
  return difference === 0;
}

/** The value of one base62 character given as a UTF-16 code unit, or -1. */
export function base62DigitOf(code: number): number {
  if (code >= 48 && code <= 57) return code - 48;
  if (code >= 65 && code <= 90) return code - 55;
  if (code >= 97 && code <= 122) return code - 61;
  return -1;
}
