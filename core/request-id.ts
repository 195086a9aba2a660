/** Names one request in the answer, in the log and towards the upstream. */
import { bytesToHex } from "@noble/hashes/utils.js";
import type { RandomBytes } from "./base62.ts";

/** Hexadecimal digits of one name. */
const LENGTH = 32;
/** Bytes that are drawn and written down together: asking for a few costs as much as asking for many. */
const DRAWN = 4_096;

/** One isolate's names for requests. */
export class RequestIds {
  readonly #randomBytes: RandomBytes;
  readonly #drawn = new Uint8Array(DRAWN);
  #hex = "";
  #at = 0;

  constructor(randomBytes: RandomBytes) {
    this.#randomBytes = randomBytes;
  }

  /** `req_` and 128 random bits in hexadecimal: nothing to guess, nothing to count. */
  next(): string {
    if (this.#at === this.#hex.length) {
      this.#randomBytes(this.#drawn);
      this.#hex = bytesToHex(this.#drawn);
      this.#at = 0;
    }
    const from = this.#at;
    this.#at += LENGTH;
    return `req_${this.#hex.slice(from, this.#at)}`;
  }
}
