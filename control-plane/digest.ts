/** Digests on Workers: synchronous, by `node:crypto`. */
import { createHash, createHmac } from "node:crypto";

/** Lower-case hexadecimal SHA-256. */
export function sha256Hex(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** HMAC-SHA-256 over a text. */
export function hmacSha256(key: Uint8Array, message: string): Uint8Array {
  return createHmac("sha256", key).update(message).digest();
}
