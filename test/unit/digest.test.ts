import { createHash, createHmac, randomBytes } from "node:crypto";
import fc from "fast-check";
import { expect, it } from "vitest";
import { hmacSha256, sha256Hex } from "../../core/digest.ts";

const text = fc.string({ unit: "binary", maxLength: 300 });
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

it("digests every text as the platform's own SHA-256 does", () => {
  fc.assert(
    fc.property(text, (message) => {
      expect(sha256Hex(message)).toBe(createHash("sha256").update(message).digest("hex"));
    }),
  );
});

it("makes the same HMAC as the platform, with any key and again with the same key", () => {
  const key = fc.uint8Array({ minLength: 1, maxLength: 130 });
  fc.assert(
    fc.property(key, text, text, (bytes, one, other) => {
      for (const message of [one, other, one])
        expect(hex(hmacSha256(bytes, message))).toBe(createHmac("sha256", bytes).update(message).digest("hex"));
    }),
  );
});

it("leaves an HMAC as it is when the next one is made", () => {
  const key = randomBytes(32);
  const first = hmacSha256(key, "one");
  hmacSha256(key, "another");
  expect(hex(first)).toBe(createHmac("sha256", key).update("one").digest("hex"));
});

it("keeps keys with the same first bytes apart", () => {
  const one = randomBytes(32);
  const other = Buffer.from(one).fill(0, 31);
  expect(hex(hmacSha256(one, "m")) === hex(hmacSha256(other, "m"))).toBe(one.equals(other));
});
