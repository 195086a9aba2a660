/**
 * The promise on the real shells: gateways of several regions, each with isolate memory of its own and a replica of its own, and
 * replicas that fail, hang or begin anew while something is revoked. Leases last 100 ms (edges) and 5 s (replicas) here.
 */
import { env, exports } from "cloudflare:workers";
import { runInDurableObject } from "cloudflare:test";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { cellOfId } from "../../core/identifier.ts";
import { recordName } from "../../core/record.ts";
import { healKv, kvFaults } from "./faulty-kv.ts";
import { install, tokenIdOf, type Answer, type Installation, type IssuedKey, type Json } from "./installation.ts";
import { healLedger, kill, ledgerFaults, type LedgerFault } from "./ledger-faults.ts";
import { decided, observeGateway, type ObservedGateway } from "./observed-gateway.ts";
import { drainOutboxes } from "./outbox.ts";

const CELLS = 4;
const REGIONS = ["enam", "weur", "apac-ne"] as const;
const AN_EDGE_LEASE_MS = 100;

let installation: Installation;
let organization: string;
beforeAll(async () => {
  installation = await install();
  organization = await installation.organization();
});
afterEach(() => {
  healKv();
  healLedger();
});

/** Only against hanging for ever. */
const PATIENCE = { timeout: 60_000, interval: 50 };

const statusesAt = (gateways: readonly ObservedGateway[], key: IssuedKey) =>
  Promise.all(gateways.map(async (gateway) => (await decided(gateway, "/orders", key.value)).status));

/** Two isolates in each region, all of which have accepted the key a moment ago. */
async function gatewaysThatKnow(key: IssuedKey, settings: Readonly<Record<string, string>> = {}): Promise<ObservedGateway[]> {
  const gateways = [...REGIONS, ...REGIONS].map((REGION) => observeGateway({ REGION, ...settings }));
  expect(new Set(await statusesAt(gateways, key))).toEqual(new Set([200]));
  return gateways;
}

/** Calls the control plane with headers of its own. */
async function call(
  method: string,
  path: string,
  headers: Record<string, string> = {},
  body?: Json,
  signal?: AbortSignal,
): Promise<Answer> {
  const request = new Request(`https://control.example${path}`, {
    method,
    headers: { Authorization: `Bearer ${installation.adminKey}`, "Content-Type": "application/json", ...headers },
    ...(body && { body: JSON.stringify(body) }),
    ...(signal && { signal }),
  });
  const response = await exports.default.fetch(request);
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: text === "" ? {} : (JSON.parse(text) as Json) };
}

const ledgerOf = ({ id }: IssuedKey) => env.LEDGER.getByName(`cell-${cellOfId("api_key", id, CELLS) ?? 0}`);
/** The entry that revoked a key. */
async function revocationOf(key: IssuedKey): Promise<number> {
  return runInDurableObject(ledgerOf(key), (_, { storage }) => {
    return storage.sql.exec<{ seq: number }>("SELECT seq FROM entries WHERE type = 'api_key.revoked' AND subject = ?", key.id).one().seq;
  });
}

/** Two keys of different cells, neither of which is the home cell. */
async function keysOfDifferentCells(): Promise<[IssuedKey, IssuedKey]> {
  const byCell = new Map<number, IssuedKey>();
  while (byCell.size < 2) {
    const key = await installation.key(await installation.organization(), ["orders:read"]);
    const cell = cellOfId("api_key", key.id, CELLS) ?? 0;
    if (cell !== 0) byCell.set(cell, key);
  }
  const [one, other] = [...byCell.values()];
  if (!one || !other) throw new Error("unreachable");
  return [one, other];
}

const newKey = () => installation.key(organization, ["orders:read", "admin:all"]);

describe("while its lease runs, an isolate", () => {
  it("asks nobody, and its neighbours in the region share one replica that asks each cell once", async () => {
    const key = await newKey();
    const gateways = await gatewaysThatKnow(key);
    for (const gateway of gateways) {
      gateway.clock.standsStillAtMs = Date.now();
      await gateway.get("/orders", key.value);
      await gateway.settled();
      Object.assign(gateway.calls, { kv: 0, replica: 0, ledger: 0, limiter: 0, upstream: 0 });
      for (let request = 0; request < 5; request += 1) await gateway.get("/orders", key.value);
      expect(gateway.calls).toEqual({ kv: 0, replica: 0, ledger: 0, limiter: 0, upstream: 5 });
    }
  });

  it("renews it in the second half of its time, once, after an answer that did not wait", async () => {
    const key = await newKey();
    const gateway = observeGateway();
    const start = Date.now();
    gateway.clock.standsStillAtMs = start;
    await gateway.get("/orders", key.value);
    gateway.clock.standsStillAtMs = start + AN_EDGE_LEASE_MS / 2 - 1;
    await gateway.get("/orders", key.value);
    expect(gateway.calls.replica).toBe(1);
    gateway.clock.standsStillAtMs = start + AN_EDGE_LEASE_MS / 2 + 1;
    await Promise.all([gateway.get("/orders", key.value), gateway.get("/orders", key.value), gateway.get("/orders", key.value)]);
    await gateway.settled();
    expect(gateway.calls.replica).toBe(2);
    gateway.clock.standsStillAtMs = start + AN_EDGE_LEASE_MS;
    await gateway.get("/orders", key.value);
    expect(gateway.calls.replica).toBe(2);
  });

  it("asks again when it has run out, and then waits for the answer", async () => {
    const key = await newKey();
    const gateway = observeGateway();
    gateway.clock.standsStillAtMs = Date.now();
    await gateway.get("/orders", key.value);
    gateway.clock.aheadMs = AN_EDGE_LEASE_MS;
    await gateway.get("/orders", key.value);
    expect(gateway.calls.replica).toBe(2);
  });
});

describe("a revocation", () => {
  it("is in force at every isolate of every region when it returns, with KV left as it was, byte for byte", async () => {
    const key = await newKey();
    await drainOutboxes();
    const gateways = await gatewaysThatKnow(key);
    const before = await env.KEYS.get(recordName(tokenIdOf(key)));
    kvFaults.putsRefused = true;
    const { status, headers } = await call("DELETE", `/api_keys/${key.id}`);
    expect(status).toBe(204);
    expect(await env.KEYS.get(recordName(tokenIdOf(key)))).toBe(before);
    expect(new Set(await statusesAt([...gateways, observeGateway({ REGION: "oc" })], key))).toEqual(new Set([401]));
    for (const region of REGIONS) expect(headers.get("portcullis-receipt")).toContain(`"${region}-0";outcome=acknowledged`);
  });

  it.each<[LedgerFault, string]>([
    ["throws", "lease_expired"],
    ["hangs", "lease_expired"],
  ])("waits for a replica that %s until its lease has run out, and then holds there too", async (fault, outcome) => {
    const key = await newKey();
    const gateways = await gatewaysThatKnow(key);
    ledgerFaults.onPush.set("weur-0", fault);
    const { status, headers } = await call("DELETE", `/api_keys/${key.id}`);
    expect(status).toBe(204);
    expect(headers.get("portcullis-receipt")).toContain(`"weur-0";outcome=${outcome}`);
    expect(headers.get("portcullis-receipt")).toContain('"enam-0";outcome=acknowledged');
    expect(new Set(await statusesAt(gateways, key))).toEqual(new Set([401]));
  });

  it("is not held up by a replica that has begun anew: that one remembers nothing it could answer by", async () => {
    const key = await newKey();
    const gateways = await gatewaysThatKnow(key);
    await kill(env.LEDGER_REPLICA.getByName("weur-0"));
    const { headers } = await call("DELETE", `/api_keys/${key.id}`);
    expect(headers.get("portcullis-receipt")).toContain('"weur-0";outcome=acknowledged');
    expect(new Set(await statusesAt(gateways, key))).toEqual(new Set([401]));
  });

  it("comes into force also when the ledger is evicted on the way and nobody asks again", async () => {
    const key = await newKey();
    const gateways = await gatewaysThatKnow(key);
    for (const region of REGIONS) ledgerFaults.onPush.set(`${region}-0`, "hangs");
    const { headers } = await call("DELETE", `/api_keys/${key.id}`, { Prefer: "respond-async" });
    const location = headers.get("location") ?? "";
    await kill(ledgerOf(key));
    ledgerFaults.onPush.clear();
    await vi.waitFor(async () => expect((await call("GET", location)).body["effective_at"]).not.toBeNull(), PATIENCE);
    expect(new Set(await statusesAt(gateways, key))).toEqual(new Set([401]));
  });

  it("that failed on the way because the ledger was evicted is in force when its repeat returns", async () => {
    const key = await newKey();
    const gateways = await gatewaysThatKnow(key);
    ledgerFaults.onPush.set("enam-0", "hangs");
    const once = { "Idempotency-Key": "revoke-once" };
    const first = call("DELETE", `/api_keys/${key.id}`, once);
    await vi.waitFor(async () => expect(await ledgerOf(key).apiKey(key.id)).toBeNull(), PATIENCE);
    await kill(ledgerOf(key));
    expect((await first).status).toBe(503);
    expect((await call("DELETE", `/api_keys/${key.id}`, once)).status).toBe(204);
    expect(new Set(await statusesAt(gateways, key))).toEqual(new Set([401]));
  });

  it("that somebody else asked for is in force when a second one is told that there is no such key", async () => {
    const key = await newKey();
    await gatewaysThatKnow(key);
    const first = await call("DELETE", `/api_keys/${key.id}`, { Prefer: "respond-async" });
    expect(first).toMatchObject({ status: 202, body: { effective_at: null } });
    expect((await call("DELETE", `/api_keys/${key.id}`)).status).toBe(404);
    expect((await call("GET", first.headers.get("location") ?? "")).body["effective_at"]).toEqual(expect.any(String));
  });

  it("goes on when the client that asked for it hangs up", async () => {
    const key = await newKey();
    const gateways = await gatewaysThatKnow(key);
    ledgerFaults.onPush.set("enam-0", "hangs");
    const hangUp = new AbortController();
    const asked = call("DELETE", `/api_keys/${key.id}`, {}, undefined, hangUp.signal).catch(() => undefined);
    await vi.waitFor(async () => expect(await ledgerOf(key).apiKey(key.id)).toBeNull(), PATIENCE);
    hangUp.abort();
    await asked;
    const seq = await revocationOf(key);
    await vi.waitFor(async () => expect((await ledgerOf(key).receipt(seq))?.effective_at).not.toBeNull(), PATIENCE);
    expect(new Set(await statusesAt(gateways, key))).toEqual(new Set([401]));
  });

  it("returns at once when nobody could decide without it", async () => {
    const elsewhere = await installation.organization();
    const key = await installation.key(elsewhere, ["orders:read"]);
    const { headers } = await call("DELETE", `/api_keys/${key.id}`);
    expect(headers.get("portcullis-receipt")).toMatch(/effective_at="\d{4}-/);
  });
});

describe("a receipt", () => {
  it("is in the body of our own endpoints, and in the header of all", async () => {
    const key = await newKey();
    await gatewaysThatKnow(key);
    const changed = await call("PATCH", `/api_keys/${key.id}`, {}, { permissions: ["orders:read"] });
    const receipt = changed.body["receipt"] as Json;
    expect(receipt).toMatchObject({ object: "receipt", replicas: { "enam-0": "acknowledged", "weur-0": "acknowledged" } });
    expect(Date.parse(String(receipt["effective_at"]))).toBeGreaterThanOrEqual(Date.parse(String(receipt["committed_at"])));
    expect(changed.headers.get("portcullis-receipt")).toContain(`seq=${String(receipt["seq"])}`);
    const expired = await call("POST", `/api_keys/${key.id}/expire`, {}, {});
    expect(expired.body).not.toHaveProperty("receipt");
    expect(expired.headers.get("portcullis-receipt")).toMatch(
      /^cell=\d+, seq=\d+, committed_at="[^"]+", effective_at="[^"]+", replicas=\(/,
    );
  });

  it("is promised to who would rather not wait, and can be asked for until it is complete", async () => {
    const key = await newKey();
    const gateways = await gatewaysThatKnow(key);
    ledgerFaults.onPush.set("apac-ne-0", "hangs");
    const promised = await call("DELETE", `/api_keys/${key.id}`, { Prefer: "wait=5, respond-async" });
    expect(promised).toMatchObject({ status: 202, body: { object: "receipt", effective_at: null } });
    expect(promised.headers.get("preference-applied")).toBe("respond-async");
    const location = promised.headers.get("location") ?? "";
    expect(location).toBe(`/receipts/${String(promised.body["id"])}`);
    expect((await call("GET", location)).body["effective_at"]).toBeNull();
    await vi.waitFor(async () => expect((await call("GET", location)).body["effective_at"]).not.toBeNull(), PATIENCE);
    expect((await call("GET", location)).body).toMatchObject({ replicas: { "enam-0": "acknowledged", "apac-ne-0": "lease_expired" } });
    expect(new Set(await statusesAt(gateways, key))).toEqual(new Set([401]));
  });

  it.each(["/receipts/1-999999999", "/receipts/9-1", "/receipts/x", "/receipts/1-1-1"])("that there is not is 404: %s", async (path) => {
    expect((await call("GET", path)).status).toBe(404);
  });

  it("is shown to nobody without a platform key", async () => {
    const response = await exports.default.fetch(new Request("https://control.example/receipts/0-1"));
    expect(response.status).toBe(401);
  });
});

describe("a route", () => {
  /** Gives the route for orders more, for one test. */
  async function withOrdersRoute(more: Json, run: () => Promise<void>): Promise<void> {
    const { routes } = (await installation.must("GET", "/routes")) as { routes: { name: string }[] };
    await installation.must("PUT", "/routes", {
      routes: routes.map((route) => (route.name === "orders-read" ? { ...route, ...more } : route)),
    });
    try {
      await run();
    } finally {
      healLedger();
      await installation.must("PUT", "/routes", { routes });
    }
  }

  it("with freshness 0 has every request covered by a question that began after it", async () => {
    await withOrdersRoute({ freshness: 0 }, async () => {
      const key = await newKey();
      const gateway = observeGateway();
      gateway.clock.standsStillAtMs = Date.now();
      await gateway.get("/orders", key.value);
      await gateway.get("/orders", key.value);
      const before = gateway.calls.replica;
      await gateway.get("/orders", key.value);
      expect(gateway.calls.replica).toBe(before + 1);
      expect((await gateway.get("/admin/x", key.value)).status).toBe(200);
      expect(gateway.calls.replica).toBe(before + 1);
    });
  });

  it("with freshness 0 refuses a revoked key as soon as the replica knows, before the revocation returns", async () => {
    await withOrdersRoute({ freshness: 0 }, async () => {
      const key = await newKey();
      const gateway = observeGateway({ REGION: "enam" });
      expect((await gateway.get("/orders", key.value)).status).toBe(200);
      ledgerFaults.onPush.set("weur-0", "hangs");
      await observeGateway({ REGION: "weur" }).get("/orders", key.value);
      const { status, headers } = await call("DELETE", `/api_keys/${key.id}`, { Prefer: "respond-async" });
      expect(status).toBe(202);
      await vi.waitFor(async () => expect((await gateway.get("/orders", key.value)).status).toBe(401), PATIENCE);
      expect((await call("GET", headers.get("location") ?? "")).body["effective_at"]).toBeNull();
    });
  });

  it("with a freshness below the lease asks more often", async () => {
    await withOrdersRoute({ freshness: 20 }, async () => {
      const key = await newKey();
      const gateway = observeGateway();
      const start = Date.now();
      gateway.clock.standsStillAtMs = start;
      await gateway.get("/orders", key.value);
      gateway.clock.standsStillAtMs = start + 19;
      await gateway.get("/orders", key.value);
      expect(gateway.calls.replica).toBe(1);
      gateway.clock.standsStillAtMs = start + 20;
      await gateway.get("/orders", key.value);
      expect(gateway.calls.replica).toBe(2);
    });
  });

  it.each<LedgerFault>(["throws"])("refuses with 503 and Retry-After when the replica %s and the lease has run out", async (fault) => {
    const key = await newKey();
    const gateway = observeGateway({ REGION: "sam" });
    gateway.clock.standsStillAtMs = Date.now();
    await gateway.get("/orders", key.value);
    ledgerFaults.onSync.set("sam-0", fault);
    expect((await gateway.get("/orders", key.value)).status).toBe(200);
    gateway.clock.aheadMs = AN_EDGE_LEASE_MS;
    const refused = await gateway.get("/orders", key.value);
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([503, "1"]);
    ledgerFaults.onSync.clear();
    expect((await gateway.get("/orders", key.value)).status).toBe(200);
  });

  it("refuses likewise when its replica is told nothing by the cell", async () => {
    const key = await newKey();
    const gateway = observeGateway({ REGION: "afr" });
    for (let cell = 0; cell < CELLS; cell += 1) ledgerFaults.onGrant.set(`cell-${cell}`, "throws");
    expect((await gateway.get("/orders", key.value)).status).toBe(503);
    healLedger();
    expect((await gateway.get("/orders", key.value)).status).toBe(200);
  });

  it("is open to keys of all cells but the one that hangs", async () => {
    const [hung, working] = await keysOfDifferentCells();
    const gateway = observeGateway({ REGION: "oc" });
    ledgerFaults.onGrant.set(`cell-${cellOfId("api_key", hung.id, CELLS) ?? 0}`, "hangs");
    // One question names both cells; the second one knows already that one of them keeps it waiting.
    await gateway.get("/orders", hung.value);
    expect((await gateway.get("/orders", working.value)).status).toBe(200);
    expect((await gateway.get("/orders", hung.value)).status).toBe(503);
    healLedger();
  });

  it("that allows it decides by older knowledge in an outage, says so, and only for so long", async () => {
    await withOrdersRoute({ outage: { allowStale: 2 } }, async () => {
      const key = await newKey();
      const gateway = observeGateway({ REGION: "me", DECISION_HEADER: "on" });
      gateway.clock.standsStillAtMs = Date.now();
      const fresh = await gateway.get("/orders", key.value);
      expect(fresh.headers.get("portcullis-decision")).toMatch(/^allow;cell=\d+;seq=\d+;age_ms=0$/);
      ledgerFaults.onSync.set("me-0", "throws");
      gateway.clock.aheadMs = 1_999;
      const stale = await gateway.get("/orders", key.value);
      expect([stale.status, stale.headers.get("portcullis-decision")]).toEqual([200, expect.stringMatching(/;age_ms=1999;stale$/)]);
      expect(JSON.parse(gateway.logLines.at(-1) ?? "{}")).toMatchObject({ outcome: "allow", stale: true, age_ms: 1_999 });
      expect(gateway.counted).toEqual(["stale_decision"]);
      // Other routes do not take part in this.
      expect((await gateway.get("/admin/x", key.value)).status).toBe(503);
      gateway.clock.aheadMs = 2_000;
      expect((await gateway.get("/orders", key.value)).status).toBe(503);
    });
  });
});

describe("a decision", () => {
  it("says by which entry it was made and how old that was, in the log always, in a header when the operator asks", async () => {
    const key = await newKey();
    const told = await observeGateway({ DECISION_HEADER: "on" }).get("/orders", key.value);
    expect(told.headers.get("portcullis-decision")).toMatch(/^allow;cell=\d+;seq=\d+;age_ms=\d+$/);
    const gateway = observeGateway();
    expect((await gateway.get("/orders", key.value)).headers.has("portcullis-decision")).toBe(false);
    expect(JSON.parse(gateway.logLines.at(-1) ?? "{}")).toMatchObject({
      seq: expect.any(Number) as number,
      age_ms: expect.any(Number) as number,
    });
  });
});
