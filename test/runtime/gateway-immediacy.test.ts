/**
 * The promise: what the control plane has answered is in force at every gateway on the very next request, whatever KV says.
 * The outbox is held back, so KV keeps, byte for byte, what it had before the change; every check is made by a gateway
 * that has the old record in memory and by one that has never seen the key and can only believe KV.
 */
import { env } from "cloudflare:workers";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { recordName } from "../../core/record.ts";
import { healKv, kvFaults } from "./faulty-kv.ts";
import { expectAtOnce, gatewayThatKnows, reasonOf } from "./at-once.ts";
import { install, tokenIdOf, type Installation } from "./installation.ts";
import { observeGateway } from "./observed-gateway.ts";
import { drainOutboxes } from "./outbox.ts";

let installation: Installation;
beforeAll(async () => {
  installation = await install();
});
afterEach(healKv);

const FORBIDDEN = { status: 403, reason: "insufficient_scope" };

describe("on the very next request", () => {
  it("a new key is accepted, though KV has not heard of it", async () => {
    kvFaults.putsRefused = true;
    const key = await installation.key(await installation.organization(), ["orders:read"]);
    const gateway = observeGateway();
    expect((await gateway.get("/orders", key.value)).status).toBe(200);
    expect(await env.KEYS.get(recordName(tokenIdOf(key)))).toBeNull();
    expect(gateway.forwarded[0]?.headers.get("portcullis-key-id")).toBe(key.id);
  });

  it("a deleted key is refused, though KV still says valid", async () => {
    const key = await installation.key(await installation.organization(), ["orders:read"]);
    const make = () => installation.must("DELETE", `/api_keys/${key.id}`);
    await expectAtOnce({ key, path: "/orders", make, expected: { status: 401, reason: "revoked_key" } });
  });

  it("a key expired by hand is refused", async () => {
    const key = await installation.key(await installation.organization(), ["orders:read"]);
    const make = () => installation.must("POST", `/api_keys/${key.id}/expire`, {});
    await expectAtOnce({ key, path: "/orders", make, expected: { status: 401, reason: "expired_key" } });
  });

  it("a key expired by hand is refused also by a gateway whose clock is behind the ledger's", async () => {
    const key = await installation.key(await installation.organization(), ["orders:read"]);
    const late = await gatewayThatKnows(key, "/orders");
    late.clock.aheadMs = -60_000;
    await installation.must("POST", `/api_keys/${key.id}/expire`, {});
    expect((await late.get("/orders", key.value)).status).toBe(401);
  });

  it("an expiry moved forward is in force", async () => {
    const later = new Date(Date.now() + 3_600_000).toISOString();
    const key = await installation.key(await installation.organization(), ["orders:read"], { expires_at: later });
    const make = () => installation.must("POST", `/api_keys/${key.id}/expire`, { expires_at: new Date(Date.now() - 1).toISOString() });
    await expectAtOnce({ key, path: "/orders", make, expected: { status: 401, reason: "expired_key" } });
  });

  it("a permission taken from a key is gone", async () => {
    const key = await installation.key(await installation.organization(), ["orders:read", "admin:all"]);
    const make = () => installation.must("PATCH", `/api_keys/${key.id}`, { permissions: ["orders:read"] });
    await expectAtOnce({ key, path: "/admin/x", make, expected: FORBIDDEN });
  });

  it("a permission that a user's new role does not have is gone", async () => {
    const organization = await installation.organization();
    const { userId, membershipId } = await installation.member(organization, "member");
    const key = await installation.userKey(userId, organization, ["orders:read", "orders:write"]);
    const make = () => installation.must("PUT", `/user_management/organization_memberships/${membershipId}`, { role_slug: "none" });
    await installation.must("POST", "/authorization/roles", { slug: "none", name: "None" });
    await expectAtOnce({ key, path: "/orders", make, expected: FORBIDDEN });
  });

  it("a permission taken from a role is gone from its members' keys", async () => {
    await installation.must("POST", "/authorization/roles", { slug: "clerk", name: "Clerk" });
    await installation.must("PUT", "/authorization/roles/clerk/permissions", { permissions: ["orders:read", "reports:read"] });
    const organization = await installation.organization();
    const { userId } = await installation.member(organization, "clerk");
    const key = await installation.userKey(userId, organization, ["orders:read"]);
    const make = () => installation.must("PUT", "/authorization/roles/clerk/permissions", { permissions: ["reports:read"] });
    await expectAtOnce({ key, path: "/orders", make, expected: FORBIDDEN });
  });

  it("a permission no longer enabled for organization keys is gone from them", async () => {
    await installation.must("POST", "/authorization/permissions", { slug: "fleeting:use", name: "Fleeting" });
    const { routes } = (await installation.must("GET", "/routes")) as { routes: { name: string; permissions?: unknown }[] };
    const changed = routes.map((route) =>
      route.name === "admin" ? { ...route, permissions: { any: ["fleeting:use", "admin:all"] } } : route,
    );
    await installation.must("PUT", "/routes", { routes: changed });
    const key = await installation.key(await installation.organization(), ["fleeting:use"]);
    const enabled_for = { organization_api_keys: false };
    const make = () => installation.must("PATCH", "/authorization/permissions/fleeting:use", { enabled_for });
    await expectAtOnce({ key, path: "/admin/x", make, expected: FORBIDDEN });
  });

  it("a permission deleted from the catalogue is gone", async () => {
    await installation.must("POST", "/authorization/permissions", { slug: "doomed:use", name: "Doomed" });
    const { routes } = (await installation.must("GET", "/routes")) as { routes: object[] };
    const doomed = {
      name: "doomed",
      methods: ["GET"],
      path: "/doomed",
      upstream: "https://api.customer.example",
      permissions: { all: ["doomed:use"] },
    };
    await installation.must("PUT", "/routes", { routes: [...routes, doomed] });
    const key = await installation.key(await installation.organization(), ["doomed:use"]);
    const make = () => installation.must("DELETE", "/authorization/permissions/doomed:use");
    await expectAtOnce({ key, path: "/doomed", make, expected: FORBIDDEN });
  });

  it("a route that asks for more does so, at gateways that know the old table and at new ones", async () => {
    const key = await installation.key(await installation.organization(), ["orders:read"]);
    const { routes } = (await installation.must("GET", "/routes")) as { routes: { name: string }[] };
    const closed = routes.map((route) => (route.name === "orders-read" ? { ...route, permissions: { all: ["admin:all"] } } : route));
    await expectAtOnce({ key, path: "/orders", make: () => installation.must("PUT", "/routes", { routes: closed }), expected: FORBIDDEN });
    await installation.must("PUT", "/routes", { routes });
  });

  it("a removed route is not found", async () => {
    const key = await installation.key(await installation.organization(), ["orders:read"]);
    const { routes } = (await installation.must("GET", "/routes")) as { routes: { name: string }[] };
    const fewer = routes.filter((route) => route.name !== "reports");
    const make = () => installation.must("PUT", "/routes", { routes: fewer });
    await expectAtOnce({ key, path: "/reports", make, expected: { status: 404, reason: "no_route" } });
    await installation.must("PUT", "/routes", { routes });
  });

  it("an ended membership has ended the user's keys there, and no other key", async () => {
    const [home, elsewhere] = [await installation.organization(), await installation.organization()];
    const { userId, membershipId } = await installation.member(home, "member");
    await installation.join(userId, elsewhere, "member");
    const colleague = await installation.member(home, "member");
    const ended = [await installation.userKey(userId, home, ["orders:read"]), await installation.userKey(userId, home, ["orders:read"])];
    const alive = [
      await installation.userKey(userId, elsewhere, ["orders:read"]),
      await installation.userKey(colleague.userId, home, ["orders:read"]),
      await installation.key(home, ["orders:read"]),
    ];
    await drainOutboxes();
    const warm = observeGateway();
    for (const key of [...ended, ...alive]) expect((await warm.get("/orders", key.value)).status).toBe(200);
    kvFaults.putsRefused = true;
    await installation.must("DELETE", `/user_management/organization_memberships/${membershipId}`);
    for (const gateway of [warm, observeGateway()]) {
      for (const key of ended) expect((await gateway.get("/orders", key.value)).status).toBe(401);
      for (const key of alive) expect((await gateway.get("/orders", key.value)).status).toBe(200);
    }
  });

  it("a member who comes back does not bring the ended keys back", async () => {
    const organization = await installation.organization();
    const { userId, membershipId } = await installation.member(organization, "member");
    const key = await installation.userKey(userId, organization, ["orders:read"]);
    await installation.must("DELETE", `/user_management/organization_memberships/${membershipId}`);
    await installation.join(userId, organization, "member");
    expect((await observeGateway().get("/orders", key.value)).status).toBe(401);
  });

  it("an expiry that was set at creation is in force when its time has come", async () => {
    const expires_at = new Date(Date.now() + 60_000).toISOString();
    const key = await installation.key(await installation.organization(), ["orders:read"], { expires_at });
    const gateway = await gatewayThatKnows(key, "/orders");
    gateway.clock.aheadMs = 60_001;
    expect((await gateway.get("/orders", key.value)).status).toBe(401);
    expect(reasonOf(gateway)).toBe("expired_key");
  });

  it("permissions given back work again", async () => {
    const key = await installation.key(await installation.organization(), ["orders:read", "admin:all"]);
    const warm = await gatewayThatKnows(key, "/admin/x");
    await installation.must("PATCH", `/api_keys/${key.id}`, { permissions: ["orders:read"] });
    await installation.must("PATCH", `/api_keys/${key.id}`, { permissions: ["orders:read", "admin:all"] });
    expect((await warm.get("/admin/x", key.value)).status).toBe(200);
  });
});
