/** Whatever KV does, the answer is right: it is a shortcut, the ledger decides, and `resolve` heals. */
import { env } from "cloudflare:workers";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { signPublished } from "../../core/published.ts";
import { recordName } from "../../core/record.ts";
import { ROUTES_RECORD_NAME } from "../../core/route.ts";
import { hmacSha256 } from "../../core/digest.ts";
import { gatewayConfiguration } from "../../worker/configuration.ts";
import { healKv, kvFaults } from "./faulty-kv.ts";
import { install, tokenIdOf, unissuedToken, UPSTREAM, type Installation, type IssuedKey } from "./installation.ts";
import { observeGateway } from "./observed-gateway.ts";
import { drainOutboxes, publishedRecord } from "./outbox.ts";

let installation: Installation;
let organization: string;
beforeAll(async () => {
  installation = await install();
  organization = await installation.organization();
});
afterEach(healKv);

async function publishedKey(permissions: readonly string[] = ["orders:read"]): Promise<IssuedKey> {
  const key = await installation.key(organization, permissions);
  await drainOutboxes();
  return key;
}

const nameOf = (key: IssuedKey) => recordName(tokenIdOf(key));
const sign = (name: string, value: object) => signPublished(name, value, gatewayConfiguration(env).tagKeys, hmacSha256);

describe("KV", () => {
  it("that has the record saves the question to the ledger for it", async () => {
    const key = await publishedKey();
    const gateway = observeGateway();
    gateway.clock.standsStillAtMs = Date.now();
    expect((await gateway.get("/orders", key.value)).status).toBe(200);
    expect(gateway.calls).toEqual({ kv: 2, replica: 1, ledger: 0, limiter: 0, upstream: 1 });
  });

  it("is not asked again for a key in isolate memory; while the lease runs, nobody is", async () => {
    const key = await publishedKey();
    const gateway = observeGateway();
    gateway.clock.standsStillAtMs = Date.now();
    await gateway.get("/orders", key.value);
    Object.assign(gateway.calls, { kv: 0, replica: 0, ledger: 0, limiter: 0, upstream: 0 });
    expect((await gateway.get("/orders", key.value)).status).toBe(200);
    expect(gateway.calls).toEqual({ kv: 0, replica: 0, ledger: 0, limiter: 0, upstream: 1 });
  });

  it("that misses, fails or never heard of the key changes no answer", async () => {
    const key = await publishedKey();
    for (const fault of ["readsMiss", "readsRefused"] as const) {
      kvFaults[fault] = true;
      const gateway = observeGateway();
      expect((await gateway.get("/orders", key.value)).status).toBe(200);
      expect((await gateway.get("/orders", key.value.replace(/.{6}$/, "000000"))).status).toBe(401);
      healKv();
    }
  });

  it("that says revoked of a living key, without our signature, is not believed", async () => {
    const key = await publishedKey();
    await env.KEYS.put(nameOf(key), JSON.stringify({ v: 1, state: "revoked", stamp: 9_000_000_000, token_id: tokenIdOf(key) }));
    expect((await observeGateway().get("/orders", key.value)).status).toBe(200);
  });

  it("that still holds a superseded record changes no answer", async () => {
    const key = await publishedKey(["orders:read", "admin:all"]);
    const stale = await env.KEYS.get(nameOf(key));
    await installation.must("PATCH", `/api_keys/${key.id}`, { permissions: ["orders:read"] });
    await drainOutboxes();
    await env.KEYS.put(nameOf(key), stale ?? "");
    const gateway = observeGateway();
    expect((await gateway.get("/admin/x", key.value)).status).toBe(403);
    expect((await gateway.get("/orders", key.value)).status).toBe(200);
    expect(await env.KEYS.get(nameOf(key))).toBe(stale);
  });

  it("that shows the latest publication although it was superseded is written again", async () => {
    await installation.must("POST", "/authorization/roles", { slug: "temp", name: "Temp" });
    await installation.must("PUT", "/authorization/roles/temp/permissions", { permissions: ["orders:read", "reports:read"] });
    const { userId } = await installation.member(organization, "temp");
    const key = await installation.userKey(userId, organization, ["orders:read", "reports:read"]);
    await drainOutboxes();
    await installation.must("PUT", "/authorization/roles/temp/permissions", { permissions: ["orders:read"] });
    expect((await observeGateway().get("/orders", key.value)).status).toBe(200);
    await drainOutboxes();
    expect(await publishedRecord(tokenIdOf(key))).toMatchObject({ permissions: ["orders:read"] });
    const next = observeGateway();
    await next.get("/orders", key.value);
    expect(next.calls.ledger).toBe(0);
  });

  it("written by somebody else grants nothing and takes nothing", async () => {
    const key = await publishedKey();
    const other = await publishedKey(["admin:all"]);
    const [genuine, record] = [(await env.KEYS.get(nameOf(key))) ?? "", (await publishedRecord(tokenIdOf(key))) as object];
    const widened = JSON.stringify({ ...record, permissions: ["*"], stamp: 9_000_000_000 });
    const forgeries = [
      "",
      "null",
      "[]",
      "not json",
      widened,
      genuine.slice(0, 65) + widened,
      `A${"0".repeat(64)}${widened}`,
      genuine.replace("orders:read", "admin:all"),
      (await env.KEYS.get(nameOf(other))) ?? "",
      sign(nameOf(key), { ...record, v: 2 }),
      sign(nameOf(key), [record]),
      sign(nameOf(key), { ...record, permissions: "admin:all" }),
    ];
    for (const forged of forgeries) {
      await env.KEYS.put(nameOf(key), forged);
      const gateway = observeGateway();
      expect((await gateway.get("/admin/x", key.value)).status, forged).toBe(403);
      expect((await gateway.get("/orders", key.value)).status, forged).toBe(200);
    }
  });

  it("with a route table of somebody else's opens no route", async () => {
    const key = await publishedKey();
    const open = [{ name: "open", methods: ["GET"], path: "/admin/*", upstream: UPSTREAM, public: true }];
    for (const value of [
      JSON.stringify({ stamp: 9_000_000_000, routes: open }),
      "{}",
      sign("key/routes", { stamp: 9_000_000_000, routes: open }),
    ]) {
      await env.KEYS.put(ROUTES_RECORD_NAME, value);
      const gateway = observeGateway();
      expect((await gateway.send("/admin/x")).status).toBe(401);
      expect((await gateway.get("/orders", key.value)).status).toBe(200);
    }
  });

  it("that had the old table is no reason to open a closed route", async () => {
    await drainOutboxes();
    const stale = await env.KEYS.get(ROUTES_RECORD_NAME);
    const { routes } = (await installation.must("GET", "/routes")) as { routes: { name: string }[] };
    const open = { name: "open", methods: ["GET"], path: "/open", upstream: UPSTREAM, public: true };
    await installation.must("PUT", "/routes", { routes: [...routes, open] });
    await drainOutboxes();
    const opened = await env.KEYS.get(ROUTES_RECORD_NAME);
    expect((await observeGateway().send("/open")).status).toBe(200);
    await installation.must("PUT", "/routes", { routes });
    for (const value of [stale, opened]) {
      await env.KEYS.put(ROUTES_RECORD_NAME, value ?? "");
      expect((await observeGateway().send("/open")).status).toBe(404);
    }
  });
});

describe("a tombstone", () => {
  it("takes the record's place in KV and is final", async () => {
    const key = await publishedKey();
    const positive = (await env.KEYS.get(nameOf(key))) ?? "";
    await installation.must("DELETE", `/api_keys/${key.id}`);
    await drainOutboxes();
    expect(await publishedRecord(tokenIdOf(key))).toMatchObject({ state: "revoked" });
    await env.KEYS.put(nameOf(key), positive);
    const gateway = observeGateway();
    for (let times = 0; times < 3; times++) expect((await gateway.get("/orders", key.value)).status).toBe(401);
  });
});

describe("an id that the ledger does not know", () => {
  it("is asked for once and then refused from memory, so that it costs next to nothing", async () => {
    const gateway = observeGateway();
    const token = unissuedToken();
    expect((await gateway.get("/orders", token)).status).toBe(401);
    const asked = gateway.calls.ledger;
    expect((await gateway.get("/orders", token)).status).toBe(401);
    expect(gateway.calls.ledger - asked).toBe(0);
    expect(gateway.calls.kv).toBe(2);
  });
});
