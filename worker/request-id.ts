/** Names one request in the answer, in the log and towards the upstream. */
import type { RandomBytes } from "../core/base62.ts";
import { hexadecimalOf } from "../core/hexadecimal.ts";

/** `req_` and 96 random bits: nothing to guess, nothing to count. */
export function mintRequestId(randomBytes: RandomBytes): string {
  return `req_${hexadecimalOf(randomBytes(new Uint8Array(12)))}`;
}
