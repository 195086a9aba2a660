/** What KV holds is believed only with a signature for its very name. */
import { createHmac } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readPublished, signPublished } from "../../core/published.ts";
import type { TagKeys } from "../../core/token.ts";

const hmac = (key: Uint8Array, message: string) => new Uint8Array(createHmac("sha256", key).update(message).digest());
const keysOf = (...ids: string[]): TagKeys => ({
  current: ids[0] ?? "",
  byId: new Map(ids.map((id) => [id, new Uint8Array(32).fill(id.charCodeAt(0))])),
});
const keys = keysOf("A");
const signed = signPublished("key/1", { state: "active" }, keys, hmac);

describe("a published value", () => {
  it("is read back under its name", () => {
    fc.assert(
      fc.property(fc.string(), fc.dictionary(fc.string(), fc.string()), (name, value) => {
        expect(readPublished(name, signPublished(name, value, keys, hmac), keys, hmac)).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  it("is nothing under another name", () => {
    expect(readPublished("key/2", signed, keys, hmac)).toBeUndefined();
  });

  it("is nothing after any single character was changed", () => {
    fc.assert(
      fc.property(fc.nat({ max: signed.length - 1 }), fc.constantFrom("0", "f", "B", "x", '"'), (at, character) => {
        fc.pre(signed[at] !== character);
        expect(readPublished("key/1", signed.slice(0, at) + character + signed.slice(at + 1), keys, hmac)).toBeUndefined();
      }),
    );
  });

  it("never throws and is nothing when it was not signed here", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(readPublished("key/1", text, keys, hmac)).toBeUndefined();
        expect(readPublished("key/1", `A${text}`, keys, hmac)).toBeUndefined();
      }),
    );
  });

  it("stays readable while its key still verifies, and no longer", () => {
    expect(readPublished("key/1", signed, keysOf("B", "A"), hmac)).toEqual({ state: "active" });
    expect(readPublished("key/1", signed, keysOf("B"), hmac)).toBeUndefined();
  });
});
