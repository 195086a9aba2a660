/** What gateways count reaches the usage store once, and the ledger knows when keys were last used; whatever fails on the way. */
import { env } from "cloudflare:workers";
import { runInDurableObject } from "cloudflare:test";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { HOUR_MS } from "../../core/usage/batch.ts";
import { install, type Installation, type IssuedKey, type Json } from "./installation.ts";
import { healLedger, kill, ledgerFaults } from "./ledger-faults.ts";
import { observeGateway, type ObservedGateway } from "./observed-gateway.ts";
import { countsOf, ringStores, storeOf } from "./usage-stores.ts";

const COUNTING = { USAGE_DELIVERY: "direct" } as const;

let installation: Installation;
let organization: string;
let key: IssuedKey;
let gateway: ObservedGateway;
beforeAll(async () => {
  installation = await install();
});
beforeEach(async () => {
  organization = await installation.organization();
  key = await installation.key(organization, ["orders:read"]);
  gateway = observeGateway(COUNTING);
});
afterEach(healLedger);

const keyNow = (id = key.id) => installation.must("GET", `/api_keys/${id}`);
const use = async (path = "/orders", token = key.value) => expect((await gateway.get(path, token)).status).toBe(200);
/** The gateway's clock stands still at this time. */
const at = (ms: number) => (gateway.clock.standsStillAtMs = ms);
const iso = (ms: number) => new Date(ms).toISOString();
const deliver = async () => {
  await gateway.settled();
  await ringStores();
};
const row = (more: Json = {}) => ({
  key_id: key.id,
  route: "orders-read",
  permissions: '["orders:read"]',
  refusal: "",
  status: 200,
  requests: 1,
  ...more,
});

describe("the last use of a key", () => {
  it("is known when the batch was taken and the ledger told, to the millisecond", async () => {
    expect((await keyNow())["last_used_at"]).toBeNull();
    const usedAtMs = at(Date.now() - 1_000);
    await use();
    await deliver();
    expect((await keyNow())["last_used_at"]).toBe(iso(usedAtMs));
    expect(await countsOf(organization)).toEqual([row()]);
  });

  it("is not asked for, nor written, with each request", async () => {
    // Leases must not run out meanwhile, however busy the machine is.
    at(Date.now());
    await use();
    const before = { ...gateway.calls };
    for (let time = 0; time < 20; time += 1) await use();
    expect({ ...gateway.calls, upstream: 0 }).toEqual({ ...before, upstream: 0 });
    await deliver();
    expect(await countsOf(organization)).toEqual([row({ requests: 21 })]);
  });

  it("is that of each secret by itself", async () => {
    const older = key.value;
    const rotated = await installation.must("POST", `/api_keys/${key.id}/rotate`, { overlap_seconds: 3600 });
    const newer = String(rotated["value"]);
    const usedAtMs = at(Date.now() - 2_000);
    await use("/orders", older);
    await deliver();
    expect(await keyNow()).toMatchObject({ last_used_at: iso(usedAtMs), previous_secret: { last_used_at: iso(usedAtMs) } });
    at(usedAtMs + 1_000);
    await use("/orders", newer);
    await deliver();
    expect(await keyNow()).toMatchObject({ last_used_at: iso(usedAtMs + 1_000), previous_secret: { last_used_at: iso(usedAtMs) } });
  });

  it("never goes back, and is never in the future", async () => {
    const usedAtMs = at(Date.now() - 1_000);
    await use();
    const late = observeGateway(COUNTING);
    late.clock.standsStillAtMs = usedAtMs - 60_000;
    expect((await late.get("/orders", key.value)).status).toBe(200);
    await deliver();
    await late.settled();
    await ringStores();
    expect((await keyNow())["last_used_at"]).toBe(iso(usedAtMs));
    gateway = observeGateway(COUNTING);
    at(Date.now() + HOUR_MS);
    await use();
    await deliver();
    expect(Date.parse(String((await keyNow())["last_used_at"]))).toBeLessThanOrEqual(Date.now());
  });

  it("is noted also when the client has gone before there is an answer", async () => {
    gateway.faults.upstream = () => new Promise(() => {});
    void gateway.get("/orders", key.value);
    await expect.poll(() => gateway.calls.upstream).toBe(1);
    await deliver();
    expect((await keyNow())["last_used_at"]).not.toBeNull();
    expect(await countsOf(organization)).toEqual([]);
  });

  it("is none of what was refused; who does not hold the secret is not even counted", async () => {
    expect((await gateway.send("/orders", { method: "POST", headers: { "X-API-Key": key.value } })).status).toBe(403);
    const wrong = await installation.key(organization, ["orders:read"]);
    await runInDurableObject(env.LEDGER.getByName(`cell-${await storeCell()}`), (_, { storage }) =>
      storage.sql.exec("UPDATE tokens SET sha256 = ? WHERE key_id = ?", "0".repeat(64), wrong.id),
    );
    expect((await gateway.get("/orders", wrong.value)).status).toBe(401);
    const bound = await installation.key(organization, ["orders:read"], { allowed_networks: ["192.0.2.0/24"] });
    expect((await gateway.get("/orders", bound.value)).status).toBe(403);
    await deliver();
    expect((await keyNow())["last_used_at"]).toBeNull();
    expect((await keyNow(bound.id))["last_used_at"]).toBeNull();
    expect(await countsOf(organization)).toEqual([
      row({ route: "orders-write", permissions: "[]", refusal: "insufficient_scope", status: 403 }),
      row({ key_id: bound.id, permissions: "[]", refusal: "client_address_unknown", status: 403 }),
    ]);
  });

  it("is what previews of endings go by", async () => {
    const before = await installation.must("GET", `/organizations/${organization}/preview`);
    expect(before["api_keys"]).toMatchObject({ total: 1, used_in_last_hour: 0 });
    at(Date.now() - HOUR_MS + 60_000);
    await use();
    await deliver();
    const used = await installation.must("GET", `/organizations/${organization}/preview`);
    expect(used["api_keys"]).toMatchObject({ total: 1, used_in_last_hour: 1 });
    const revocation = await installation.must("POST", `/organizations/${organization}/api_keys/revocations/preview`, {});
    expect(revocation).toMatchObject({ count: 1, used_in_last_hour: 1 });
  });

  it("is moved by validations, too, and by calls to the control plane", async () => {
    const validated = await installation.must("POST", "/api_keys/validations", { value: key.value });
    expect(validated["api_key"]).not.toBeNull();
    expect((await keyNow())["last_used_at"]).not.toBeNull();
    const admin = await installation.must("GET", "/organizations/org_platform/api_keys");
    const [first] = admin["data"] as readonly Json[];
    await expect.poll(async () => (await keyNow(String(first?.["id"])))["last_used_at"]).not.toBeNull();
  });
});

describe("counts", () => {
  it("tell permissions in the route's words, statuses of the upstream, and its failures", async () => {
    key = await installation.key(organization, ["orders:read", "reports:read", "admin:all"]);
    await use("/orders");
    await use("/reports");
    gateway.faults.upstream = async () => new Response(null, { status: 404 });
    expect((await gateway.get("/admin/x", key.value)).status).toBe(404);
    gateway.faults.upstream = async () => {
      throw new Error("connection refused");
    };
    expect((await gateway.get("/admin/x", key.value)).status).toBe(502);
    expect((await gateway.get("/health", key.value)).status).toBe(502);
    await deliver();
    expect(await countsOf(organization)).toEqual([
      row({ route: "admin", permissions: '["admin:all"]', status: 404 }),
      row({ route: "admin", permissions: '["admin:all"]', status: 502 }),
      row({ route: "health", permissions: "[]", status: 502 }),
      row(),
      row({ route: "reports", permissions: '["reports:read"]' }),
    ]);
  });

  it("are kept by the hour", async () => {
    const hourMs = Math.floor(Date.now() / HOUR_MS) * HOUR_MS;
    at(hourMs - 1);
    await use();
    at(hourMs);
    await use();
    await deliver();
    const hours = await runInDurableObject(storeOf(organization), (_, { storage }) =>
      storage.sql.exec("SELECT hour_ms, requests FROM usage WHERE organization_id = ? ORDER BY 1", organization).toArray(),
    );
    expect(hours).toEqual([
      { hour_ms: hourMs - HOUR_MS, requests: 1 },
      { hour_ms: hourMs, requests: 1 },
    ]);
  });

  it("wait in the gateway while the collector cannot be reached, and no request is refused for it", async () => {
    gateway.faults.usage = "unreachable";
    await use();
    await deliver();
    await use();
    await deliver();
    expect(await countsOf(organization)).toEqual([]);
    gateway.faults.usage = "none";
    await use();
    await deliver();
    expect(await countsOf(organization)).toEqual([row({ requests: 3 })]);
    expect(gateway.counted).toEqual([]);
  });

  it("are not doubled by an answer that was lost", async () => {
    gateway.faults.usage = "unanswered";
    await use();
    await deliver();
    gateway.faults.usage = "none";
    await use();
    await deliver();
    expect(await countsOf(organization)).toEqual([row({ requests: 2 })]);
  });

  it("of one cell wait while its store cannot be reached; those of the others do not", async () => {
    const other = await organizationElsewhere();
    const otherKey = await installation.key(other, ["orders:read"]);
    ledgerFaults.onUsage.set(`cell-${await storeCell()}`, "throws");
    await use();
    await use("/orders", otherKey.value);
    await deliver();
    expect(await countsOf(organization)).toEqual([]);
    expect(await countsOf(other)).toEqual([row({ key_id: otherKey.id })]);
    healLedger();
    await use();
    await deliver();
    expect(await countsOf(organization)).toEqual([row({ requests: 2 })]);
    expect(await countsOf(other)).toEqual([row({ key_id: otherKey.id })]);
  });

  it("that were taken survive the store, and the ledger is told when it can be", async () => {
    await use();
    await gateway.settled();
    await kill(storeOf(organization));
    ledgerFaults.onUses.set(`cell-${await storeCell()}`, "throws");
    await ringStores();
    expect((await keyNow())["last_used_at"]).toBeNull();
    const next = await runInDurableObject(storeOf(organization), (_, { storage }) => storage.getAlarm());
    expect(next).not.toBeNull();
    healLedger();
    await ringStores();
    expect((await keyNow())["last_used_at"]).not.toBeNull();
    expect(await countsOf(organization)).toEqual([row()]);
  });

  it("nobody can read are dropped, and hold nothing else up", async () => {
    await use();
    const collector = env.USAGE_COLLECTOR;
    const broken = [{ v: 2 }, null, { v: 1, id: "x", cell: 99, hour_ms: 1, entries: "all" }] as never[];
    await collector?.record(broken);
    await deliver();
    expect(await countsOf(organization)).toEqual([row()]);
  });

  it("of a gateway that is not to be trusted spoil neither counts, nor what is known of a key, nor memory", async () => {
    await use();
    await deliver();
    const cell = await storeCell();
    const entry = { key_id: key.id, token_id: "t", organization_id: organization, route: "orders-read", used_at_ms: Date.now() };
    const counts = [{ status: 200, refusal: null, requests: 1 }];
    const batchOf = (entries: readonly Json[]) => ({
      v: 1,
      id: crypto.randomUUID(),
      cell,
      hour_ms: Date.now() - (Date.now() % HOUR_MS),
      entries,
    });
    const record = (...entries: Json[]) => env.USAGE_COLLECTOR?.record([batchOf(entries)] as never[]);
    for (const requests of [Number.MAX_SAFE_INTEGER, 1e9, 0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])
      await record({ ...entry, permissions: ["orders:read"], counts: [{ status: 200, refusal: null, requests }] });
    expect(await countsOf(organization)).toEqual([row()]);
    await record({ ...entry, permissions: ["not a permission"], counts });
    // Of the permissions only those are noted that the key has, and of a wildcard's no more than a key may have uses of.
    await record({ ...entry, permissions: ["orders:write", "made:up"], counts });
    const wide = await installation.key(organization, ["orders:read"]);
    const inLedger = (statement: string, ...values: SqlStorageValue[]) =>
      runInDurableObject(env.LEDGER.getByName(`cell-${cell}`), (_, { storage }) => storage.sql.exec(statement, ...values).toArray());
    await inLedger("UPDATE api_keys SET permissions = ? WHERE id = ?", '["*"]', wide.id);
    for (let batch = 0; batch < 20; batch += 1)
      await record({ ...entry, key_id: wide.id, counts, permissions: Array.from({ length: 64 }, (_, nth) => `made:up-${batch}-${nth}`) });
    await ringStores();
    const noted = (id: string) => inLedger("SELECT permission FROM permission_uses WHERE key_id = ?", id);
    expect(await noted(key.id)).toEqual([{ permission: "orders:read" }]);
    expect(await noted(wide.id)).toHaveLength(1_000);
  });

  it("are not made where usage is off", async () => {
    gateway = observeGateway({ USAGE_DELIVERY: "off" });
    await use();
    await deliver();
    expect(await countsOf(organization)).toEqual([]);
  });

  it("are forgotten after their time, and batches' ids after a day", async () => {
    await use();
    await deliver();
    const DAY_MS = 24 * HOUR_MS;
    const left = await runInDurableObject(storeOf(organization), (_, { storage }) => {
      storage.sql.exec("UPDATE usage SET hour_ms = hour_ms - ? WHERE organization_id = ?", 91 * DAY_MS, organization);
      storage.sql.exec("UPDATE batches SET at_ms = at_ms - ?", DAY_MS);
      void storage.setAlarm(Date.now() + HOUR_MS);
      return storage.sql.exec("SELECT id FROM batches").toArray().length;
    });
    expect(left).toBeGreaterThan(0);
    await ringStores();
    expect(await countsOf(organization)).toEqual([]);
    const ids = await runInDurableObject(storeOf(organization), (_, { storage }) => storage.sql.exec("SELECT id FROM batches").toArray());
    expect(ids).toEqual([]);
  });
});

const storeCell = async () => Number((storeOf(organization).name ?? "").replace("cell-", ""));

async function organizationElsewhere(): Promise<string> {
  for (;;) {
    const other = await installation.organization();
    if (storeOf(other).name !== storeOf(organization).name) return other;
  }
}
