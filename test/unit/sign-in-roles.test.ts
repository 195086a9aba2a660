/** From claims to permissions. */
import { expect, test } from "vitest";
import { permissionsOf, rolesOf } from "../../control-plane/sign-in/roles.ts";

const permissionsByRole = new Map([
  ["security", ["portcullis:*"]],
  ["support", ["portcullis:api_keys:read", "portcullis:users:read"]],
  ["keys", ["portcullis:api_keys:read", "portcullis:api_keys:write"]],
]);
const of = (roleClaim: string, claims: Readonly<Record<string, unknown>>) => permissionsOf(claims, { roleClaim, permissionsByRole });

test("all roles count together, each permission once", () => {
  expect(of("groups", { groups: ["support", "keys", "other", 7, null] })).toEqual([
    "portcullis:api_keys:read",
    "portcullis:api_keys:write",
    "portcullis:users:read",
  ]);
  expect(of("groups", { groups: ["keys", "security"] })).toEqual(["portcullis:*"]);
});

test("roles are those that the settings know, each once", () => {
  const roles = (groups: unknown) => rolesOf({ groups }, { roleClaim: "groups", permissionsByRole });
  expect(roles(["support", "other", "support", 7, "keys", "constructor"])).toEqual(["support", "keys"]);
  expect([roles("keys"), roles("other"), roles(undefined), roles({ keys: true })]).toEqual([["keys"], [], [], []]);
});

test("a pointer goes to where it says, escapes included, and a name with dots and slashes is one name", () => {
  expect(of("/a~1b/c~0d/1", { "a/b": { "c~d": ["keys", "security"] } })).toEqual(["portcullis:*"]);
  expect(of("https://example.com/roles", { "https://example.com/roles": "security" })).toEqual(["portcullis:*"]);
  expect(of("a.b", { a: { b: "security" } })).toEqual([]);
  expect(of("/groups/0/1", { groups: "security" })).toEqual([]);
});

test("what a claim inherits is not in the token", () => {
  expect(of("groups", Object.create({ groups: "security" }) as Record<string, unknown>)).toEqual([]);
});
