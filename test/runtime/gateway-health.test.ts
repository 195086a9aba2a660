/** The gateway's health says what is so: KV, the replica, each cell and each lease, one after the other taken away. And it is no way to load the ledger. */
import { env } from "cloudflare:workers";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { cellOfOrganization } from "../../core/identifier.ts";
import { ROUTES_RECORD_NAME } from "../../core/route.ts";
import { healKv, kvFaults } from "./faulty-kv.ts";
import { install, type Installation, type IssuedKey, type Json } from "./installation.ts";
import { healLedger, kill, ledgerFaults, standingsAsked } from "./ledger-faults.ts";
import { observeGateway, type ObservedGateway } from "./observed-gateway.ts";
import { drainOutboxes } from "./outbox.ts";

const PATH = "/.well-known/portcullis/health";
const HEALTH_SECRET = "only-for-tests-only-for-tests-only-for-tests";
const REPLICA = "local-0";
const CELLS = 4;

let installation: Installation;
let key: IssuedKey;
let cell: number;
beforeAll(async () => {
  installation = await install();
  let organization = "";
  do organization = await installation.organization();
  while (cellOfOrganization(organization, CELLS) === 0);
  cell = cellOfOrganization(organization, CELLS);
  key = await installation.key(organization, ["orders:read"]);
  await drainOutboxes();
});

let gateway: ObservedGateway;
beforeEach(() => {
  gateway = observeGateway({ HEALTH_SECRET });
  // No lease runs out because a machine is busy.
  gateway.clock.standsStillAtMs = Date.now();
});
afterEach(async () => {
  healKv();
  healLedger();
  await kill(env.LEDGER_REPLICA.getByName(REPLICA));
});

interface Check {
  readonly componentId?: string;
  readonly status: string;
  readonly output?: string;
  readonly [more: string]: unknown;
}

interface Details {
  readonly status: string;
  readonly checks: Readonly<Record<string, readonly Check[]>>;
}

/** What the operator is told, and the status with which. */
async function details(): Promise<{ readonly http: number; readonly status: string; readonly checks: Details["checks"] }> {
  const response = await gateway.send(PATH, { headers: { "Portcullis-Health-Secret": HEALTH_SECRET } });
  return { http: response.status, ...(await response.json<Details>()) };
}

/** A second later nothing is remembered. The leases of 100 ms have run out, too. */
const aSecondLater = () => (gateway.clock.aheadMs += 1_000);
/** Puts the replica's leases to an end: it forgets them when it dies. */
const forgetLeases = () => kill(env.LEDGER_REPLICA.getByName(REPLICA));
const statusesOf = (checks: Details["checks"], name: string) =>
  Object.fromEntries((checks[name] ?? []).map(({ componentId = "", status }) => [componentId, status]));

describe("health", () => {
  it("passes when all is well, and anybody is told that much and no more", async () => {
    const response = await gateway.send(PATH);
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe("application/health+json");
    expect(response.headers.get("cache-control")).toBe("no-store");
    expect(await response.json<Json>()).toEqual({ status: "pass" });
  });

  it("tells the operator of every cell in use, and the leases, until when", async () => {
    expect((await gateway.get("/orders", key.value)).status).toBe(200);
    const { http, status, checks } = await details();
    expect([http, status]).toEqual([200, "pass"]);
    expect(Object.keys(checks)).toEqual(["kv:responseTime", "replica:responseTime", "cell:answers", "lease:age"]);
    expect(checks["replica:responseTime"]).toMatchObject([{ componentId: REPLICA, status: "pass" }]);
    expect(statusesOf(checks, "cell:answers")).toEqual({ 0: "pass", [cell]: "pass" });
    const until = new Date((gateway.clock.standsStillAtMs ?? 0) + 100).toISOString();
    expect(checks["lease:age"]).toMatchObject([
      { componentId: "0", status: "pass", observedValue: 0, live: true, until },
      { componentId: String(cell), status: "pass", observedValue: 0, live: true, until },
    ]);
  });

  it("tells nobody else any of that: not who guesses the secret, nor anybody where there is none", async () => {
    const without = observeGateway();
    for (const [asked, secret] of [
      [gateway, HEALTH_SECRET.slice(1)],
      [gateway, `${HEALTH_SECRET} x`],
      [gateway, ""],
      [without, HEALTH_SECRET],
      [without, ""],
      [without, "null"],
    ] as const) {
      const response = await asked.send(PATH, { headers: { "Portcullis-Health-Secret": secret } });
      expect(Object.keys(await response.json<Json>()), secret).toEqual(["status"]);
    }
  });

  it("warns when KV does not answer: requests are decided all the same", async () => {
    kvFaults.readsRefused = true;
    const { http, status, checks } = await details();
    expect([http, status]).toEqual([200, "warn"]);
    expect(checks["kv:responseTime"]).toMatchObject([{ status: "warn" }]);
    expect((await gateway.get("/orders", key.value)).status).toBe(200);
    healKv();
    aSecondLater();
    expect((await details()).status).toBe("pass");
  });

  it("asks KV for something that is there", async () => {
    await details();
    expect(kvFaults.gets).toBe(1);
    expect(await env.KEYS.get(ROUTES_RECORD_NAME)).not.toBeNull();
  });

  it.each(["throws", "hangs"] as const)("fails when the replica %s: then requests are refused", async (fault) => {
    ledgerFaults.onSync.set(REPLICA, fault);
    ledgerFaults.onProbe.set(REPLICA, fault);
    const { http, status, checks } = await details();
    expect([http, status]).toEqual([503, "fail"]);
    expect(checks["replica:responseTime"]).toMatchObject([{ status: "fail" }]);
    expect(checks["cell:answers"]).toMatchObject([{ componentId: "0", status: "warn" }]);
    expect(checks["lease:age"]).toMatchObject([{ componentId: "0", status: "fail", output: "there has been no lease yet" }]);
    expect((await gateway.get("/orders", key.value)).status).toBe(503);
  });

  it("warns as long as a lease lasts that cannot be renewed, and fails when it has run out", async () => {
    gateway = observeGateway({ HEALTH_SECRET });
    gateway.clock.standsStillAtMs = Date.now();
    await details();
    ledgerFaults.onSync.set(REPLICA, "throws");
    // The report is a second old, while the lease is taken to be none.
    gateway.clock.aheadMs += 1_000;
    const late = await details();
    expect([late.http, late.status]).toEqual([503, "fail"]);
    expect(late.checks["lease:age"]).toMatchObject([{ status: "fail", live: false, observedValue: 1_000 }]);
    expect(late.checks["replica:responseTime"]).toMatchObject([{ status: "pass" }]);
  });

  it.each(["throws", "hangs"] as const)("warns of a cell that %s while its lease lasts, and fails when there is none", async (fault) => {
    expect((await gateway.get("/orders", key.value)).status).toBe(200);
    ledgerFaults.onStanding.set(`cell-${cell}`, fault);
    ledgerFaults.onGrant.set(`cell-${cell}`, fault);
    const first = await details();
    expect([first.http, first.status]).toEqual([200, "warn"]);
    expect(statusesOf(first.checks, "cell:answers")).toEqual({ 0: "pass", [cell]: "warn" });
    expect(statusesOf(first.checks, "lease:age")).toEqual({ 0: "pass", [cell]: "pass" });
    await forgetLeases();
    aSecondLater();
    const second = await details();
    expect([second.http, second.status]).toEqual([503, "fail"]);
    expect(statusesOf(second.checks, "lease:age")).toEqual({ 0: "pass", [cell]: "fail" });
    healLedger();
    await forgetLeases();
    aSecondLater();
    expect((await details()).status).toBe("pass");
  });

  it("fails when nobody can be asked at all, and does not fail itself when it is told nonsense", async () => {
    for (const fault of ["unreachable", "unintelligible", "overloaded"] as const) {
      gateway.faults.ledger = fault;
      const { http, status } = await details();
      expect([http, status], fault).toEqual([503, "fail"]);
      aSecondLater();
    }
  });
});

describe("asking for health", () => {
  it("a hundred times at once and a hundred times within a second asks once", async () => {
    const all = await Promise.all(Array.from({ length: 100 }, async () => (await gateway.send(PATH)).status));
    for (let time = 0; time < 100; time += 1) await gateway.send(PATH);
    expect(new Set(all)).toEqual(new Set([200]));
    // A question for the leases, and one which cells answer.
    expect(gateway.calls).toEqual({ kv: 1, replica: 2, ledger: 0, limiter: 0, upstream: 0 });
    aSecondLater();
    await gateway.send(PATH);
    expect(gateway.calls).toMatchObject({ kv: 2, replica: 4 });
  });

  it("from many isolates asks a cell no more often than once a second", async () => {
    standingsAsked.splice(0);
    const beganAtMs = Date.now();
    await Promise.all(Array.from({ length: 50 }, () => observeGateway().send(PATH)));
    const seconds = Math.ceil((Date.now() - beganAtMs) / 1_000);
    expect(standingsAsked.length).toBeGreaterThan(0);
    expect(standingsAsked.length).toBeLessThanOrEqual(seconds + 1);
  });

  it("goes on when the one who asked first has gone", async () => {
    ledgerFaults.onProbe.set(REPLICA, "hangs");
    void gateway.send(PATH);
    await expect.poll(() => gateway.calls.replica).toBe(2);
    const second = await gateway.send(PATH);
    expect(second.status).toBe(200);
    expect(gateway.calls.replica).toBe(2);
    expect(gateway.outliving.length).toBeGreaterThan(0);
  });

  it("does not write a line of log each time, and asks no upstream", async () => {
    await gateway.send(PATH);
    expect(gateway.logLines).toEqual([]);
    expect(gateway.calls.upstream).toBe(0);
  });
});

describe.each([PATH, "/.well-known/portcullis/jwks.json"])("%s", (path) => {
  it.each(["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])("refuses %s, and says what there is", async (method) => {
    const response = await gateway.send(path, { method });
    expect([response.status, response.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
    expect(await response.json<Json>()).toMatchObject({ code: "method_not_allowed", status: 405 });
    expect(gateway.calls).toMatchObject({ kv: 0, replica: 0 });
    expect(JSON.parse(gateway.logLines[0] ?? "")).toMatchObject({ outcome: "deny", reason: "method_not_allowed", status: 405 });
  });

  it("answers HEAD as GET, without a body", async () => {
    const [get, head] = [await gateway.send(path), await gateway.send(path, { method: "HEAD" })];
    expect([head.status, head.headers.get("content-type")]).toEqual([get.status, get.headers.get("content-type")]);
    expect(await head.text()).toBe("");
    expect(await get.text()).not.toBe("");
  });

  it("is no longer ours with anything behind it", async () => {
    expect((await gateway.send(`${path}x`)).status).toBe(404);
    expect((await gateway.send(`${path}/x`)).status).toBe(404);
  });
});
