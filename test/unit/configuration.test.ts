/** Settings that both Workers read at start. */
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { ConfigurationError, parseConfiguration, sharedFields, tagKeysOf } from "../../core/configuration.ts";

const schema = z.object(sharedFields);
const KEY = "A".repeat(43);
const right = { TOKEN_PREFIX: "pc", CELLS: "16", ACCEPTED_ENVIRONMENTS: "live,test", TAG_KEYS: `A:${KEY},b:${"B".repeat(43)}` };

test("right settings are read", () => {
  const parsed = parseConfiguration(schema, right);
  expect(parsed).toMatchObject({ TOKEN_PREFIX: "pc", CELLS: 16 });
  expect([...parsed.ACCEPTED_ENVIRONMENTS]).toEqual(["live", "test"]);
});

test("the first tag key signs, all verify", () => {
  const keys = tagKeysOf(right.TAG_KEYS, (text) => new Uint8Array(Buffer.from(text, "base64url")));
  expect(keys.current).toBe("A");
  expect([...keys.byId.keys()]).toEqual(["A", "b"]);
  expect([...keys.byId.values()].map((key) => key.length)).toEqual([32, 32]);
});

describe("a wrong setting is refused by name, and its value is not repeated", () => {
  test.each([
    ["TOKEN_PREFIX", ["", "P", "PC", "1a", "p_c", "waytoolongprefix", undefined, 7]],
    ["CELLS", ["0", "33", "1.5", "many", "", undefined, null]],
    ["ACCEPTED_ENVIRONMENTS", ["", "staging", "live,", "live, test", "Live", undefined]],
    [
      "TAG_KEYS",
      [
        "",
        KEY,
        `:${KEY}`,
        `A:${KEY.slice(1)}`,
        `AB:${KEY}`,
        `-:${KEY}`,
        `A:${KEY},`,
        `A:${KEY}, B:${KEY}`,
        `A:${KEY},A:${"B".repeat(43)}`,
        `A:${KEY}=`,
        `A:+${KEY}`,
        undefined,
      ],
    ],
  ] as const)("%s", (field, values) => {
    for (const value of values) {
      const parse = () => parseConfiguration(schema, { ...right, [field]: value });
      expect(parse, JSON.stringify(value)).toThrow(ConfigurationError);
      expect(parse).toThrow(new RegExp(`^Wrong configuration\\. ${field}: `));
      expect(parse).not.toThrow(KEY.slice(1));
    }
  });
});

test("all wrong settings are named at once", () => {
  expect(() => parseConfiguration(schema, {})).toThrow(/TOKEN_PREFIX.*CELLS.*ACCEPTED_ENVIRONMENTS.*TAG_KEYS/);
});
