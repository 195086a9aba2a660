/** Usage as charts ask for it, over the embedded store; and the other ways counts can go. */
import { env } from "cloudflare:workers";
import { createExecutionContext, createMessageBatch, getQueueResult } from "cloudflare:test";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { cellOfOrganization } from "../../core/identifier.ts";
import { HOUR_MS, type UsageBatch } from "../../core/usage/batch.ts";
import { requireBindings as requireControlPlaneBindings, controlPlaneConfiguration } from "../../control-plane/configuration.ts";
import { gatewayConfiguration, requireBindings } from "../../worker/configuration.ts";
import worker from "./entry.ts";
import { install, tokenIdOf, type Installation, type IssuedKey, type Json } from "./installation.ts";
import { healLedger, kill, ledgerFaults } from "./ledger-faults.ts";
import { observeGateway, type ObservedGateway } from "./observed-gateway.ts";
import { analyticsRows, countsOf, storeOf } from "./usage-stores.ts";

const DAY_MS = 24 * HOUR_MS;
/** Noon of a day that is over, in UTC. */
const NOON = Math.floor(Date.now() / DAY_MS) * DAY_MS - DAY_MS / 2;
const iso = (ms: number) => new Date(ms).toISOString();

let installation: Installation;
let organization: string;
let reader: IssuedKey;
let writer: IssuedKey;
/** In another cell. */
let other: string;
/** In the same cell. */
let neighbour: string;
beforeAll(async () => {
  installation = await install();
  organization = await installation.organization();
  other = await organizationWhere((isSameCell) => !isSameCell);
  neighbour = await organizationWhere((isSameCell) => isSameCell);
  reader = await installation.key(organization, ["orders:read"]);
  writer = await installation.key(organization, ["orders:read", "orders:write"]);
  const gateway = observeGateway({ USAGE_DELIVERY: "direct" });
  const foreign = await installation.key(other, ["orders:read"]);
  await at(gateway, NOON, "GET", "/orders", reader);
  await at(gateway, NOON + 1, "GET", "/orders", writer);
  await at(gateway, NOON + HOUR_MS, "POST", "/orders", writer);
  await at(gateway, NOON + HOUR_MS, "POST", "/orders", reader);
  await at(gateway, NOON - DAY_MS, "GET", "/orders", reader);
  await at(gateway, NOON, "GET", "/orders", foreign);
  await at(gateway, NOON, "GET", "/orders", await installation.key(neighbour, ["orders:read"]));
  await gateway.settled();
});
afterEach(healLedger);

async function organizationWhere(suits: (isSameCell: boolean) => boolean): Promise<string> {
  for (;;) {
    const found = await installation.organization();
    if (suits(storeOf(found).name === storeOf(organization).name)) return found;
  }
}

async function at(gateway: ObservedGateway, ms: number, method: string, path: string, { value }: IssuedKey): Promise<void> {
  gateway.clock.standsStillAtMs = ms;
  await gateway.send(path, { method, headers: { Authorization: `Bearer ${value}` } });
}

const RANGE = { range_start: iso(NOON - DAY_MS), range_end: iso(NOON + 2 * HOUR_MS) };
const ask = (query: Record<string, string>) =>
  installation.call("GET", `/usage?${new URLSearchParams({ organization_id: organization, ...RANGE, ...query }).toString()}`);
async function rows(query: Record<string, string> = {}): Promise<readonly (readonly [string, string | null, number])[]> {
  const { status, body } = await ask(query);
  expect(status).toBe(200);
  return (body["data"] as readonly { start: string; group: string | null; requests: number }[]).map((row) => [
    row.start,
    row.group,
    row.requests,
  ]);
}

describe("usage", () => {
  it("is counted by the hour, or by the day", async () => {
    expect(await rows()).toEqual([
      [iso(NOON - DAY_MS), null, 1],
      [iso(NOON), null, 2],
      [iso(NOON + HOUR_MS), null, 2],
    ]);
    expect(await rows({ granularity: "day" })).toEqual([
      [iso(NOON - 1.5 * DAY_MS), null, 1],
      [iso(NOON - DAY_MS / 2), null, 4],
    ]);
  });

  it.each([
    [
      "api_key",
      () => [
        [reader.id, 2],
        [writer.id, 2],
      ],
    ],
    [
      "route",
      () => [
        ["orders-read", 2],
        ["orders-write", 2],
      ],
    ],
    [
      "permission",
      () => [
        ["orders:read", 2],
        ["orders:write", 1],
      ],
    ],
    [
      "status",
      () => [
        ["200", 3],
        ["403", 1],
      ],
    ],
    [
      "refusal",
      () => [
        [null, 3],
        ["insufficient_scope", 1],
      ],
    ],
    ["organization", () => [[organization, 4]]],
  ] as const)("is told apart by %s", async (group_by, expected) => {
    const found = await rows({ group_by, granularity: "day", range_start: iso(NOON - DAY_MS / 2) });
    expect(found.map(([, group, requests]) => [group, requests])).toEqual(expected());
  });

  it.each([
    ["a key", () => ({ api_key_id: reader.id }), 3],
    ["a key, without its organization", () => ({ organization_id: "", api_key_id: reader.id }), 3],
    ["a route", () => ({ route: "orders-write" }), 2],
    ["a permission", () => ({ permission: "orders:write" }), 1],
    ["a permission, grouped by it", () => ({ permission: "orders:write", group_by: "permission" }), 1],
    ["hours from one on", () => ({ range_start: iso(NOON) }), 4],
    ["hours before one", () => ({ range_end: iso(NOON) }), 1],
    ["nothing there is", () => ({ route: "none" }), 0],
  ] as const)("is asked for by %s", async (_, query, requests) => {
    expect((await rows(query())).reduce((sum, row) => sum + row[2], 0)).toBe(requests);
  });

  it("of all organizations is one chart", async () => {
    expect(await rows({ organization_id: "" })).toEqual([
      [iso(NOON - DAY_MS), null, 1],
      [iso(NOON), null, 4],
      [iso(NOON + HOUR_MS), null, 2],
    ]);
  });

  it("of another organization is not told with a key of this one, nor the other way round", async () => {
    for (const elsewhere of [other, neighbour]) {
      expect(await rows({ organization_id: elsewhere, api_key_id: reader.id })).toEqual([]);
      expect(await rows({ organization_id: elsewhere })).toEqual([[iso(NOON), null, 1]]);
    }
  });

  it.each([{ organization_id: "" }, {}])("comes in pages that miss and repeat nothing: %j", async (whose) => {
    const asked = { ...whose, group_by: "api_key" };
    const whole = await rows(asked);
    const walked: (typeof whole)[number][] = [];
    for (let after: string | null = ""; after !== null;) {
      const { body } = await ask({ ...asked, limit: "1", after });
      walked.push(
        ...(body["data"] as readonly { start: string; group: string; requests: number }[]).map(
          (row) => [row.start, row.group, row.requests] as const,
        ),
      );
      ({ after } = body["list_metadata"] as { readonly after: string | null });
    }
    expect(walked).toEqual(whole);
    expect(whole.length).toBeGreaterThan(3);
  });

  it.each([
    [{ granularity: "minute" }, "granularity"],
    [{ group_by: "token" }, "group_by"],
    [{ limit: "0" }, "limit"],
    [{ limit: "1001" }, "limit"],
    [{ after: "bm90IGEgY3Vyc29y" }, "after"],
    [{ api_key_id: "api_key_1" }, "api_key_id"],
    [{ permission: "' OR 1=1 --" }, "permission"],
    [{ range_start: iso(NOON - 33 * DAY_MS), range_end: iso(NOON) }, "range_start"],
    [{ range_start: iso(NOON - 402 * DAY_MS), range_end: iso(NOON), granularity: "day" }, "range_start"],
  ] as const)("is not told to %j", async (query, field) => {
    const { status, body } = await ask(query);
    expect(status).toBe(422);
    expect(body["errors"]).toMatchObject([{ field }]);
  });

  it("takes what looks like SQL for a name", async () => {
    expect(await rows({ route: "orders-read' OR '1'='1" })).toEqual([]);
  });

  it("is still there after the store's life has ended", async () => {
    await kill(storeOf(organization));
    expect(await rows()).toHaveLength(3);
  });
});

describe("counts may go another way", () => {
  let gateway: ObservedGateway;
  let key: IssuedKey;
  let fresh: string;
  beforeEach(async () => {
    fresh = await installation.organization();
    key = await installation.key(fresh, ["orders:read"]);
  });
  const counted = async () => (await countsOf(fresh)).map(({ requests }) => requests);

  it("through a queue", async () => {
    gateway = observeGateway({ USAGE_DELIVERY: "queue" });
    await gateway.get("/orders", key.value);
    await gateway.settled();
    await gateway.get("/orders", key.value);
    await gateway.settled();
    await expect.poll(counted, { timeout: 60_000 }).toEqual([2]);
  });

  it("through a queue, from which a message comes again until it is kept, and is counted once", async () => {
    const kept = batchOf(fresh, key);
    let elsewhere = await installation.organization();
    while (storeOf(elsewhere).name === storeOf(fresh).name) elsewhere = await installation.organization();
    const notKept = batchOf(elsewhere, await installation.key(elsewhere, []));
    const messages = [kept, notKept, { v: 1, id: "nonsense" }].map((body, place) => ({
      id: String(place),
      timestamp: new Date(),
      attempts: 1,
      body,
    }));
    ledgerFaults.onUsage.set(storeOf(elsewhere).name ?? "", "throws");
    const first = createMessageBatch("usage", messages);
    await worker.queue(first);
    const outcome = await getQueueResult(first, createExecutionContext());
    expect(outcome.explicitAcks).toEqual(["0", "2"]);
    expect(outcome.retryMessages.map(({ msgId }) => msgId)).toEqual(["1"]);
    healLedger();
    const again = createMessageBatch("usage", messages);
    await worker.queue(again);
    expect((await getQueueResult(again, createExecutionContext())).explicitAcks).toEqual(["0", "1", "2"]);
    expect(await counted()).toEqual([7]);
  });

  it("and to the Analytics Engine as well, each batch once", async () => {
    gateway = observeGateway({ USAGE_DELIVERY: "direct" });
    gateway.faults.usage = "unanswered";
    await gateway.get("/orders", key.value);
    await gateway.get("/orders", key.value);
    await gateway.settled();
    const hour = iso(Math.floor(Date.now() / HOUR_MS) * HOUR_MS);
    expect(analyticsRows.filter(({ indexes }) => indexes?.[0] === fresh)).toEqual([
      { indexes: [fresh], blobs: [fresh, key.id, "orders-read", "orders:read", "", hour], doubles: [2, 200] },
    ]);
  });

  it("but not one that is not bound", () => {
    const gatewayOf = (delivery: string, bindings: Json) =>
      requireBindings(gatewayConfiguration({ ...env, USAGE_DELIVERY: delivery }), bindings);
    expect(() => gatewayOf("direct", {})).toThrow("needs the control plane's entrypoint UsageCollector bound as USAGE_COLLECTOR");
    expect(() => gatewayOf("queue", {})).toThrow("needs a queue bound as USAGE_QUEUE");
    expect(() => gatewayOf("carrier pigeon", {})).toThrow("USAGE_DELIVERY: must be 'direct', 'queue' or 'off'");
    expect(() => gatewayOf("off", {})).not.toThrow();
    expect(() => gatewayOf("queue", { ...env })).not.toThrow();
    const on = controlPlaneConfiguration({ ...env, USAGE_ANALYTICS: "on" });
    expect(() => requireControlPlaneBindings(on, {})).toThrow("needs a dataset bound as USAGE_ANALYTICS_DATASET");
    expect(() => requireControlPlaneBindings(on, { ...env })).not.toThrow();
    expect(() => controlPlaneConfiguration({ ...env, USAGE_RETENTION_DAYS: "401" })).toThrow("USAGE_RETENTION_DAYS: must be 1 to 400");
  });
});

/** Seven requests of a key, as a gateway sends them. */
function batchOf(organization_id: string, { id, value }: IssuedKey): UsageBatch {
  return {
    v: 1,
    id: crypto.randomUUID(),
    cell: cellOfOrganization(organization_id, Number(env.CELLS)),
    hour_ms: NOON,
    entries: [
      {
        key_id: id,
        token_id: tokenIdOf({ id, value }),
        organization_id,
        route: "orders-read",
        permissions: ["orders:read"],
        used_at_ms: NOON,
        counts: [{ status: 200, refusal: null, requests: 7 }],
      },
    ],
  };
}
