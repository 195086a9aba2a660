/** Tokens: what is made can be read, what was not made here is refused, and reading never throws. */
import { createHmac, randomFillSync } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BASE62_ALPHABET, base62OfInteger, isBase62OfInteger, randomBase62 } from "../../core/base62.ts";
import { crc32OfAscii } from "../../core/crc32.ts";
import { generateToken, obfuscateToken, parseToken, tokenScannerPattern, type TagKeys } from "../../core/token.ts";

const hmacSha256 = (key: Uint8Array, message: string) => createHmac("sha256", key).update(message).digest();
const randomBytes = (target: Uint8Array) => randomFillSync(target);
const ports = { randomBytes, hmacSha256 };
const keysOf = (current: string, ...ids: string[]): TagKeys => ({
  current,
  byId: new Map(ids.map((id) => [id, new Uint8Array(32).fill(id.charCodeAt(0))])),
});
const keys = keysOf("A", "A");
const places = fc.record({
  prefix: fc.constantFrom("pc", "sk", "acme1"),
  environment: fc.constantFrom("live" as const, "test" as const),
  cell: fc.integer({ min: 0, max: 61 }),
});
const base62Text = (length: number) => fc.string({ unit: fc.constantFrom(...BASE62_ALPHABET), minLength: length, maxLength: length });

/** A text with a right checksum and whatever else in front of it. */
const withChecksum = (unchecked: string) => unchecked + base62OfInteger(crc32OfAscii(unchecked), 6);

describe("a token", () => {
  it("is read back as it was made", () => {
    fc.assert(
      fc.property(places, (place) => {
        const { token, tokenId } = generateToken(place, keys, ports);
        expect(parseToken(token, place.prefix, keys, hmacSha256)).toEqual({ environment: place.environment, cell: place.cell, tokenId });
        expect(token).toMatch(/^[A-Za-z0-9\-._~+/]+=*$/);
        expect(token).toMatch(new RegExp(`^${tokenScannerPattern(place.prefix)}$`));
        expect(token).toHaveLength(place.prefix.length + 66);
      }),
    );
  });

  it("never makes reading throw, and is never accepted, if it was not made here", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 200 }), (text) => typeof parseToken(text, "pc", keys, hmacSha256) === "string"),
    );
  });

  it("is refused with any single character changed", () => {
    const { token } = generateToken({ prefix: "pc", environment: "live", cell: 3 }, keys, ports);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: token.length - 1 }), fc.constantFrom(...BASE62_ALPHABET), (at, character) => {
        fc.pre(token[at] !== character);
        expect(typeof parseToken(token.slice(0, at) + character + token.slice(at + 1), "pc", keys, hmacSha256)).toBe("string");
      }),
      { numRuns: 500 },
    );
  });

  it("is forged when the checksum is right but nobody here tagged the id", () => {
    fc.assert(
      fc.property(base62Text(52), (body) => {
        const token = withChecksum(`pc_live_0A${body}`);
        expect(parseToken(token, "pc", keys, hmacSha256)).toBe("forged_token");
      }),
    );
  });

  it("is forged with any one character of its id changed, those of the tag included, and the checksum made to fit", () => {
    const { token, tokenId } = generateToken({ prefix: "pc", environment: "live", cell: 3 }, keys, ports);
    const from = token.indexOf(tokenId);
    for (let at = from; at < from + tokenId.length; at += 1) {
      const other = token[at] === "x" ? "y" : "x";
      const forged = withChecksum((token.slice(0, at) + other + token.slice(at + 1)).slice(0, -6));
      expect(parseToken(forged, "pc", keys, hmacSha256), `character ${at - from}`).toBe("forged_token");
    }
  });

  it("cannot be turned from test into live", () => {
    const { token } = generateToken({ prefix: "pc", environment: "test", cell: 1 }, keys, ports);
    const dressed = withChecksum(token.replace("_test_", "_live_").slice(0, -6));
    expect(parseToken(dressed, "pc", keys, hmacSha256)).toBe("forged_token");
  });

  it("tells a mistyped token from a forged one", () => {
    const { token } = generateToken({ prefix: "pc", environment: "live", cell: 1 }, keys, ports);
    const last = token.at(-1) === "0" ? "1" : "0";
    expect(parseToken(token.slice(0, -1) + last, "pc", keys, hmacSha256)).toBe("checksum_mismatch");
    expect(parseToken(token.slice(0, -1), "pc", keys, hmacSha256)).toBe("malformed_token");
    expect(parseToken(`${token}0`, "pc", keys, hmacSha256)).toBe("malformed_token");
    expect(parseToken("", "pc", keys, hmacSha256)).toBe("malformed_token");
  });

  it("stays good while its tag key is kept, whichever key signs, and not a moment longer", () => {
    const { token } = generateToken({ prefix: "pc", environment: "live", cell: 1 }, keysOf("A", "A"), ports);
    expect(parseToken(token, "pc", keysOf("B", "B", "A"), hmacSha256)).toMatchObject({ cell: 1 });
    expect(parseToken(token, "pc", keysOf("B", "B"), hmacSha256)).toBe("forged_token");
  });

  it("shows only its last four characters when obfuscated", () => {
    const { token } = generateToken({ prefix: "pc", environment: "live", cell: 1 }, keys, ports);
    expect(obfuscateToken(token)).toBe(`pc_live_...${token.slice(-4)}`);
  });

  it("has the checksum of the published GitHub example's algorithm", () => {
    expect(base62OfInteger(crc32OfAscii("zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ"), 6)).toBe("0mLq17");
  });
});

describe("an integer in base62", () => {
  it("is recognised where it is written, and nothing else is taken for it", () => {
    const integer = fc.nat({ max: 0xffff_ffff });
    fc.assert(
      fc.property(integer, integer, base62Text(3), fc.integer({ min: 1, max: 6 }), (value, other, before, width) => {
        const written = base62OfInteger(value, width);
        expect(isBase62OfInteger(before + written, before.length, width, value)).toBe(true);
        expect(isBase62OfInteger(before + written, before.length, width, other)).toBe(written === base62OfInteger(other, width));
        expect(isBase62OfInteger(before + written.slice(1), before.length, width, value)).toBe(false);
        expect(isBase62OfInteger(`${before}-${written.slice(1)}`, before.length, width, value)).toBe(false);
      }),
    );
  });
});

describe("random base62", () => {
  it("throws biased bytes away instead of folding them", () => {
    let calls = 0;
    const source = (target: Uint8Array) => target.fill(calls++ === 0 ? 248 : 61);
    expect(randomBase62(4, source)).toBe("zzzz");
    expect(calls).toBe(2);
  });

  it("uses every character about equally often", () => {
    const counts = new Map<string, number>();
    for (const character of randomBase62(62_000, randomBytes)) counts.set(character, (counts.get(character) ?? 0) + 1);
    expect(counts.size).toBe(62);
    const chiSquared = [...counts.values()].reduce((sum, count) => sum + (count - 1000) ** 2 / 1000, 0);
    expect(chiSquared).toBeLessThan(140); // 61 degrees of freedom: beyond 140 once in ten million runs; folding 256 into 62 gives about 500
  });
});
