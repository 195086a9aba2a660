/** Credentials: one key in one place, or none. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { CREDENTIAL_HEADER_LENGTH_MAX, readCredential } from "../../core/credential.ts";

const decodeBase64 = (text: string) => {
  try {
    return atob(text);
  } catch {
    return undefined;
  }
};
const read = (authorization: string | null, xApiKey: string | null = null) => readCredential(authorization, xApiKey, decodeBase64);
const bearer = (text: string) => ({ kind: "presented", place: "bearer", text });
const refused = (reason: string) => ({ kind: "refused", reason });

test("no header: none", () => expect(read(null)).toEqual({ kind: "none" }));

test.each(["Bearer KEY", "bearer KEY", "BEARER KEY", "Bearer   KEY"])("%j is a bearer token", (value) =>
  expect(read(value)).toEqual(bearer("KEY")),
);

test.each([
  "",
  "KEY",
  "Bearer",
  "BearerKEY",
  "Bearer\tKEY",
  "Bearer KEY KEY",
  "Bearer KEY\tKEY",
  "Bearer \tKEY",
  "Bearer KEY\u00a0KEY",
  "Bearer ",
  "Basic ",
  " Bearer KEY",
  "Bearer,KEY KEY",
  "BAS\u0130C KEY",
  "Digest KEY",
  "Token KEY",
  'Digest username="a", realm="b"',
  "Basic %%%",
  `Basic ${btoa(":password")}`,
])("%j is malformed", (value) => expect(read(value)).toEqual(refused("malformed_credential")));

test.each([
  ["Bearer A, Bearer B", null],
  ["Bearer A,Bearer A", null],
  ["Bearer  A, B", null],
  ["basic A,", null],
  ["Bearer A", "A"],
  ["Digest A", "A"],
  ["", ""],
  [null, "A, B"],
  [null, "A,A"],
])("%j with %j is more than one", (authorization, xApiKey) =>
  expect(read(authorization, xApiKey)).toEqual(refused("multiple_credentials")),
);

test("X-API-Key carries the key alone", () => {
  expect(read(null, "KEY")).toEqual({ kind: "presented", place: "x-api-key", text: "KEY" });
  expect(read(null, "")).toEqual(refused("malformed_credential"));
});

test.each(["KEY", "KEY:", "KEY:password", "KEY:a:b"])("the Basic user name of %j is the key", (pair) =>
  expect(read(`Basic ${btoa(pair)}`)).toEqual({ kind: "presented", place: "basic", text: "KEY" }),
);

test("what is too long is not looked at", () => {
  const long = "A".repeat(CREDENTIAL_HEADER_LENGTH_MAX + 1);
  const notCalled = () => expect.unreachable("decoded");
  for (const [authorization, xApiKey] of [
    [`Bearer ${long}`, null],
    [`Basic ${long}`, null],
    [null, long],
    [null, `${long},`],
  ] as const)
    expect(readCredential(authorization, xApiKey, notCalled)).toEqual(refused("malformed_credential"));
});

test("a key is one word behind the scheme, whatever else there is", () => {
  const piece = fc.constantFrom("Bearer", "bEARER", "basic", " ", "  ", "\t", "\u00a0", "\n", ",", "KEY", "a:b", "\u0130", "-", "9");
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 6 }), (pieces) => {
      const value = pieces.join("");
      const word = /^bearer +([^\s,]+)$/i.exec(value)?.[1];
      const found = read(value);
      if (word !== undefined) expect(found).toEqual(bearer(word));
      else expect(found).not.toMatchObject({ place: "bearer" });
    }),
    { numRuns: 2_000 },
  );
});

test("never throws", () => {
  const header = fc.option(fc.string({ unit: "binary" }));
  fc.assert(
    fc.property(header, header, (authorization, xApiKey) => {
      expect(read(authorization, xApiKey).kind).toMatch(/none|presented|refused/);
    }),
  );
});
