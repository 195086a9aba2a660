/** Settings of the gateway alone. */
import { generateKeyPairSync } from "node:crypto";
import { expect, test } from "vitest";
import { ConfigurationError } from "../../core/configuration.ts";
import { makeSecrets } from "../../local/secrets.ts";
import { gatewayConfiguration } from "../../worker/configuration.ts";

const right = { TOKEN_PREFIX: "pc", CELLS: "16", ACCEPTED_ENVIRONMENTS: "live,test", ...makeSecrets().gateway };
const [signing] = (JSON.parse(right.ASSERTION_KEYS) as { keys: [Record<string, string>] }).keys;
const setOf = (...keys: unknown[]) => JSON.stringify({ keys });
const { d: _private, ...publicHalf } = signing;
const otherCurve = generateKeyPairSync("ec", { namedCurve: "P-384" }).privateKey.export({ format: "jwk" });

test("what is generated is right", () => {
  const { identity } = gatewayConfiguration(right);
  expect([identity.plainHeaders, identity.assertionKeys?.length]).toEqual([false, 1]);
});

test.each([
  ["nothing", undefined],
  ["no JSON", "not JSON"],
  ["no set", JSON.stringify(signing)],
  ["an empty set", setOf()],
  ["a public key", setOf(publicHalf)],
  ["a key without a name", setOf({ ...signing, kid: undefined })],
  ["a key of another curve", setOf({ ...otherCurve, kid: "a" })],
  ["a key cut short", setOf({ ...signing, d: signing["d"]?.slice(1) })],
  ["two keys of one name", setOf(signing, signing)],
])("ASSERTION_KEYS is refused by name when it is %s, and never repeated", (_what, value) => {
  const parse = () => gatewayConfiguration({ ...right, ASSERTION_KEYS: value });
  expect(parse).toThrow(ConfigurationError);
  expect(parse).toThrow(/^Wrong configuration\. ASSERTION_KEYS: /);
  expect(parse).not.toThrow(signing["d"]?.slice(1));
});

test("UPSTREAM_IDENTITY is one of three", () => {
  expect(() => gatewayConfiguration({ ...right, UPSTREAM_IDENTITY: "none" })).toThrow(
    /UPSTREAM_IDENTITY: must be 'assertion', 'headers' or 'both'/,
  );
});
