/** The decision on a presented key: secret first, then life, then permissions. */
import { expect, test } from "vitest";
import { authorize } from "../../core/authorize.ts";
import type { ActiveRecord } from "../../core/record.ts";
import { routeSchema } from "../../core/route.ts";

const NOW_MS = 1_000_000;
const SHA256 = "ab".repeat(32);
const HOLDER = { sha256: SHA256, clientAddress: () => null };

const active: ActiveRecord = {
  v: 1,
  state: "active",
  stamp: 3,
  token_id: "t",
  sha256: SHA256,
  key_id: "api_key_1",
  owner: { type: "organization", id: "org_1" },
  environment: "live",
  permissions: ["documents:*", "reports:read"],
  expires_at_ms: null,
  secret_expires_at_ms: null,
  blocked: null,
  allowed_networks: null,
};

function route(permissions?: { all?: string[]; any?: string[] }) {
  const common = { name: "r", methods: ["GET"], path: "/", upstream: "http://u.example" };
  return routeSchema.parse(permissions ? { ...common, permissions } : { ...common, public: true });
}

const allowed = (permissions?: Parameters<typeof route>[0]) => authorize(active, HOLDER, route(permissions), NOW_MS);

test("a dead key is dead, whatever is presented", () =>
  expect(authorize({ v: 1, state: "revoked", stamp: 9, token_id: "t" }, HOLDER, route(), NOW_MS)).toEqual({
    allowed: false,
    reason: "revoked_key",
  }));

test("who does not hold the secret learns nothing of expiry or permissions", () => {
  const expired = { ...active, permissions: [], expires_at_ms: NOW_MS - 1 };
  for (const wrong of ["", SHA256.slice(1), "cd".repeat(32), SHA256.toUpperCase(), SHA256 + SHA256])
    expect(authorize(expired, { sha256: wrong, clientAddress: () => null }, route({ all: ["x"] }), NOW_MS)).toEqual({
      allowed: false,
      reason: "invalid_secret",
    });
});

test.each([
  [NOW_MS - 1, false],
  [NOW_MS, false],
  [NOW_MS + 1, true],
])("a key that expires at %i passes at 1000000: %j", (expires_at_ms, passes) =>
  expect(authorize({ ...active, expires_at_ms }, HOLDER, route(), NOW_MS).allowed).toBe(passes),
);

test("every one of `all` is needed, and one of `any`", () => {
  expect(allowed()).toMatchObject({ allowed: true });
  expect(allowed({ all: ["documents:read", "reports:read"] })).toMatchObject({ allowed: true });
  expect(allowed({ any: ["admin", "documents:delete"] })).toMatchObject({ allowed: true });
  expect(allowed({ all: ["documents:read"], any: ["reports:read"] })).toMatchObject({ allowed: true });
});

test("what is missing is named", () => {
  expect(allowed({ all: ["documents:read", "admin", "reports:write"] })).toMatchObject({
    reason: "insufficient_scope",
    missing: { permissions: ["admin", "reports:write"], any: false },
  });
  expect(allowed({ any: ["admin", "reports:write"] })).toMatchObject({ missing: { permissions: ["admin", "reports:write"], any: true } });
  expect(allowed({ all: ["documents:read"], any: ["admin"] })).toMatchObject({ missing: { permissions: ["admin"], any: true } });
});

test("a wildcard is covered by a wildcard only", () => {
  expect(allowed({ all: ["reports:*"] }).allowed).toBe(false);
  expect(allowed({ all: ["*"] }).allowed).toBe(false);
  expect(allowed({ all: ["documents:*"] }).allowed).toBe(true);
});
