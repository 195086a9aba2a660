/** Names one request in the answer, in the log and towards the upstream. */
import type { RandomBytes } from "../core/base62.ts";

const HEXADECIMAL = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

/** `req_` and 96 random bits: nothing to guess, nothing to count. */
export function mintRequestId(randomBytes: RandomBytes): string {
  let id = "req_";
  for (const byte of randomBytes(new Uint8Array(12))) id += HEXADECIMAL[byte];
  return id;
}
