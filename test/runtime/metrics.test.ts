/** What gateways count of their own doing gets to whoever scrapes, once, whatever fails on the way; and how the ledger stands. */
import { env } from "cloudflare:workers";
import { runInDurableObject } from "cloudflare:test";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { cellOfOrganization } from "../../core/identifier.ts";
import type { UsageBatch } from "../../core/usage/batch.ts";
import { readExposition, type Series } from "../exposition.ts";
import { ask } from "./control-plane-client.ts";
import { healKv, kvFaults } from "./faulty-kv.ts";
import { install, unissuedToken, type Installation, type IssuedKey } from "./installation.ts";
import { healLedger, kill, ledgerFaults } from "./ledger-faults.ts";
import { observeGateway, type ObservedGateway } from "./observed-gateway.ts";

const CELLS = 4;
const COUNTING = { USAGE_DELIVERY: "direct" } as const;
const STORES = Array.from({ length: CELLS }, (_, cell) => `cell-${cell}`);

let installation: Installation;
let key: IssuedKey;
let organization: string;
let gateway: ObservedGateway;
beforeAll(async () => {
  installation = await install();
  do organization = await installation.organization();
  while (cellOfOrganization(organization, CELLS) === 0);
  key = await installation.key(organization, ["orders:read"]);
});
beforeEach(async () => {
  gateway = observeGateway(COUNTING);
  for (const name of STORES)
    await runInDurableObject(env.USAGE_STORE.getByName(name), (_, { storage }) => storage.sql.exec("DELETE FROM gateway_counters"));
});
afterEach(() => {
  healLedger();
  healKv();
});

/** What a scraper gets. */
async function scrape(): Promise<Series[]> {
  const response = await ask(installation.adminKey, "GET", "/metrics");
  expect(response.status).toBe(200);
  expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
  return readExposition(await text());
}

/** The same as text. */
async function text(): Promise<string> {
  const { default: controlPlane } = await import("../../control-plane/index.ts");
  const request = new Request("https://control.example/metrics", { headers: { Authorization: `Bearer ${installation.adminKey}` } });
  return (await controlPlane.fetch(request)).text();
}

/** The values of a name's series with these labels. */
function valuesOf(series: readonly Series[], name: string, labels: Readonly<Record<string, string>> = {}): number[] {
  return series
    .filter((each) => each.name === name && Object.entries(labels).every(([label, value]) => each.labels[label] === value))
    .map(({ value }) => value);
}

const decisions = (series: readonly Series[]) =>
  Object.fromEntries(
    series
      .filter(({ name }) => name === "portcullis_decisions_total")
      .map(({ labels, value }) => [`${labels["route"]} ${labels["decision"]} ${labels["reason"]} ${labels["code"]}`, value]),
  );

describe("decisions", () => {
  it("are counted by route, outcome, reason and class, those without a key too", async () => {
    for (let time = 0; time < 3; time += 1) expect((await gateway.get("/orders", key.value)).status).toBe(200);
    expect((await gateway.send("/health")).status).toBe(200);
    expect((await gateway.send("/orders")).status).toBe(401);
    expect((await gateway.get("/orders", unissuedToken())).status).toBe(401);
    expect((await gateway.get("/orders", "nonsense")).status).toBe(401);
    expect((await gateway.get("/admin/x", key.value)).status).toBe(403);
    expect((await gateway.get("/nowhere", key.value)).status).toBe(404);
    gateway.faults.upstream = async () => new Response(null, { status: 503 });
    expect((await gateway.get("/orders", key.value)).status).toBe(503);
    gateway.faults.upstream = () => Promise.reject(new Error("refused"));
    expect((await gateway.get("/orders", key.value)).status).toBe(502);
    expect((await scrape()).filter(({ name }) => name === "portcullis_decisions_total")).toEqual([]);
    await gateway.settled();
    const series = await scrape();
    expect(decisions(series)).toEqual({
      "orders-read allow  2xx": 3,
      "orders-read allow  5xx": 1,
      "orders-read deny missing_credential 4xx": 1,
      "orders-read deny unknown_key 4xx": 1,
      "orders-read deny upstream_unreachable 5xx": 1,
      "health allow  2xx": 1,
      "admin deny insufficient_scope 4xx": 1,
      " deny malformed_token 4xx": 1,
      " deny no_route 4xx": 1,
    });
    expect(valuesOf(series, "portcullis_request_duration_seconds_count", { route: "orders-read" })).toEqual([7]);
  });

  it("are counted also when nothing but refusals comes, and one isolate after the other adds up", async () => {
    for (let isolate = 0; isolate < 3; isolate += 1) {
      const refusing = observeGateway(COUNTING);
      for (let time = 0; time < 2; time += 1) await refusing.get("/orders", "nonsense");
      await refusing.settled();
    }
    expect(decisions(await scrape())).toEqual({ " deny malformed_token 4xx": 6 });
  });

  it("are told without the id of any key, organization or user", async () => {
    await gateway.get("/orders", key.value);
    await gateway.get("/admin/x", key.value);
    await gateway.settled();
    const said = await text();
    expect(said).toContain('route="orders-read"');
    for (const id of [key.id, key.value, organization, "api_key_", "org_"]) expect(said.includes(id), id).toBe(false);
  });
});

describe("counts on their way", () => {
  it("that were taken, the answer being lost, are counted once", async () => {
    await gateway.get("/orders", key.value);
    gateway.faults.usage = "unanswered";
    await gateway.settled();
    gateway.faults.usage = "none";
    await gateway.get("/orders", key.value);
    await gateway.settled();
    await gateway.get("/orders", key.value);
    await gateway.settled();
    expect(decisions(await scrape())).toEqual({ "orders-read allow  2xx": 3 });
  });

  it("wait while nobody takes them, however long, and none is lost", async () => {
    gateway.faults.usage = "unreachable";
    for (let time = 0; time < 5; time += 1) {
      await gateway.get("/orders", key.value);
      await gateway.settled();
    }
    expect(decisions(await scrape())).toEqual({});
    gateway.faults.usage = "none";
    await gateway.get("/orders", key.value);
    await gateway.settled();
    await gateway.get("/orders", key.value);
    await gateway.settled();
    expect(decisions(await scrape())).toEqual({ "orders-read allow  2xx": 7 });
  });

  it("that were taken survive the store", async () => {
    await gateway.get("/orders", key.value);
    await gateway.settled();
    for (const name of STORES) await kill(env.USAGE_STORE.getByName(name));
    expect(decisions(await scrape())).toEqual({ "orders-read allow  2xx": 1 });
  });

  it("go through a queue as well", async () => {
    gateway = observeGateway({ USAGE_DELIVERY: "queue" });
    await gateway.get("/orders", key.value);
    await gateway.settled();
    await expect.poll(async () => decisions(await scrape()), { timeout: 60_000 }).toEqual({ "orders-read allow  2xx": 1 });
  });

  it("of a gateway that is not to be trusted spoil nothing and fill nothing", async () => {
    const part = { region: "local", routes: [], events: {}, calls: {}, leases: [] };
    const line = { route: "r", outcomes: { "2xx": 1 }, durations: Array.from({ length: 15 }, () => 0), duration_ms: 0 };
    const record = (gatewayPart: unknown) =>
      env.USAGE_COLLECTOR?.record([
        { v: 1, id: crypto.randomUUID(), cell: 0, hour_ms: 0, entries: [], gateway: gatewayPart } as UsageBatch,
      ]);
    for (const wrong of [
      { ...part, region: "moon" },
      { ...part, routes: [{ ...line, outcomes: { "6xx": 1 } }] },
      { ...part, routes: [{ ...line, outcomes: { "2xx": -1 } }] },
      { ...part, routes: [{ ...line, outcomes: { "2xx": Number.MAX_VALUE } }] },
      { ...part, routes: [{ ...line, durations: [1] }] },
      { ...part, routes: [{ ...line, route: "r".repeat(65) }] },
      { ...part, routes: Array.from({ length: 51 }, () => line) },
      { ...part, leases: [{ cell: 99, asked: 1, renewed: 1 }] },
      { ...part, calls: { moon: { asked: 1, answered: 1 } } },
    ])
      await record(wrong);
    expect(decisions(await scrape())).toEqual({});
    const named = (from: number) => Array.from({ length: 50 }, (_, at) => ({ ...line, route: `"\n\\${from + at}` }));
    for (let from = 0; from < 1_500; from += 50) await record({ ...part, routes: named(from) });
    const series = await scrape();
    expect(valuesOf(series, "portcullis_decisions_total")).toHaveLength(1_000);
    // The latest are the ones that are kept.
    expect(valuesOf(series, "portcullis_decisions_total", { route: '"\n\\1499' })).toEqual([1]);
    expect(valuesOf(series, "portcullis_decisions_total", { route: '"\n\\0' })).toEqual([]);
  });
});

describe("what gateways depend on", () => {
  it("is counted by what was asked and what was answered", async () => {
    await gateway.get("/orders", key.value);
    await gateway.settled();
    const series = await scrape();
    const local = { region: "local" };
    expect(valuesOf(series, "portcullis_dependency_calls_total", { ...local, dependency: "kv" })).toEqual([2]);
    expect(valuesOf(series, "portcullis_dependency_answers_total", { ...local, dependency: "kv" })).toEqual([2]);
    expect(valuesOf(series, "portcullis_leases_granted_total", { ...local, cell: "0" })[0]).toBeGreaterThan(0);
    expect(valuesOf(series, "portcullis_leases_granted_total", local)).toEqual(valuesOf(series, "portcullis_lease_requests_total", local));
  });

  it("shows by its difference what fails", async () => {
    kvFaults.readsRefused = true;
    gateway.faults.ledger = "unreachable";
    expect((await gateway.get("/orders", key.value)).status).toBe(503);
    healKv();
    gateway.faults.ledger = "none";
    await gateway.settled();
    const series = await scrape();
    expect(valuesOf(series, "portcullis_dependency_calls_total", { dependency: "kv" })).toEqual([2]);
    expect(valuesOf(series, "portcullis_dependency_answers_total", { dependency: "kv" })).toEqual([0]);
    expect(valuesOf(series, "portcullis_dependency_answers_total", { dependency: "replica" })).toEqual([0]);
    expect(valuesOf(series, "portcullis_lease_requests_total", { cell: "0" })[0]).toBeGreaterThan(0);
    expect(valuesOf(series, "portcullis_leases_granted_total", { cell: "0" })).toEqual([0]);
    expect(decisions(series)).toEqual({ " deny ledger_unreachable 5xx": 1 });
  });
});

describe("the ledger", () => {
  it("is told cell by cell", async () => {
    const series = await scrape();
    expect(valuesOf(series, "portcullis_cell_up")).toEqual([1, 1, 1, 1]);
    const before = valuesOf(series, "portcullis_ledger_entries_total").reduce((sum, entries) => sum + entries, 0);
    await installation.organization();
    const after = valuesOf(await scrape(), "portcullis_ledger_entries_total").reduce((sum, entries) => sum + entries, 0);
    expect(after).toBe(before + 1);
  });

  it.each(["throws", "hangs"] as const)("of which a cell %s says so, and what gateways counted is still there", async (fault) => {
    await gateway.get("/orders", key.value);
    await gateway.settled();
    ledgerFaults.onStanding.set("cell-2", fault);
    const series = await scrape();
    expect(valuesOf(series, "portcullis_cell_up")).toEqual([1, 1, 0, 1]);
    expect(decisions(series)).toEqual({ "orders-read allow  2xx": 1 });
  });

  it("says what is not in KV yet", async () => {
    kvFaults.putsRefused = true;
    await installation.key(organization, ["orders:read"]);
    const cell = String(cellOfOrganization(organization, CELLS));
    const pending = valuesOf(await scrape(), "portcullis_unpublished_records", { cell });
    expect(pending[0]).toBeGreaterThan(0);
  });
});

describe("GET /metrics", () => {
  it("leaves out what gateways counted while a part of it cannot be had: a part would look like counters that began anew", async () => {
    await gateway.get("/orders", key.value);
    await gateway.settled();
    ledgerFaults.onCounters.set("cell-1", "throws");
    const series = await scrape();
    expect(valuesOf(series, "portcullis_usage_store_up")).toEqual([1, 0, 1, 1]);
    expect(series.some(({ name }) => name.startsWith("portcullis_decisions") || name.startsWith("portcullis_request"))).toBe(false);
    expect(valuesOf(series, "portcullis_cell_up")).toEqual([1, 1, 1, 1]);
  });

  it("is for who may read metrics", async () => {
    expect((await ask(null, "GET", "/metrics")).status).toBe(401);
    const { value } = await installation.must("POST", "/organizations/org_platform/api_keys", {
      name: "usage only",
      permissions: ["portcullis:usage:read"],
    });
    expect((await ask(String(value), "GET", "/metrics")).status).toBe(403);
    const scraper = await installation.must("POST", "/organizations/org_platform/api_keys", {
      name: "Prometheus",
      permissions: ["portcullis:metrics:read"],
    });
    expect((await ask(String(scraper["value"]), "GET", "/metrics")).status).toBe(200);
  });
});
