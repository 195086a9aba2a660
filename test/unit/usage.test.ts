/** Counting in an isolate: what is counted as what, when it leaves, and how much can be lost. */
import { beforeEach, describe, expect, it } from "vitest";
import type { Refused } from "../../core/edge/request.ts";
import { cellOfOrganization } from "../../core/identifier.ts";
import type { ActiveRecord } from "../../core/record.ts";
import { prepareRoute, type PreparedRoute } from "../../core/prepared-route.ts";
import { routeSchema, type Route } from "../../core/route.ts";
import { BATCH_ENTRIES_MAX, BATCH_SIZE_MAX, usageBatchSchema, type UsageBatch } from "../../core/usage/batch.ts";
import { GatewayTally } from "../../core/metrics/tally.ts";
import { permissionsUsed, UsageTally } from "../../core/usage/tally.ts";
import { UsageCounter } from "../../worker/usage-counter.ts";

const CELLS = 16;
const route = (name: string, permissions?: Route["permissions"]): PreparedRoute =>
  prepareRoute(
    routeSchema.parse({
      name,
      methods: ["GET"],
      path: `/${name}`,
      upstream: "https://up.example",
      ...(permissions ? { permissions } : { public: true }),
    }),
  );
const record = (key: number, permissions: readonly string[] = ["*"]): ActiveRecord => ({
  v: 1,
  state: "active",
  stamp: 1,
  token_id: `token${key}`,
  sha256: "0".repeat(64),
  key_id: `api_key_${key}`,
  owner: { type: "organization", id: `org_${key}` },
  environment: "live",
  permissions: [...permissions],
  expires_at_ms: null,
  secret_expires_at_ms: null,
  blocked: null,
  allowed_networks: null,
});

describe("the permissions that a request makes use of", () => {
  it.each([
    ["all that are asked for, in the route's words", { all: ["a:x", "b"] }, ["a:*", "b"], ["a:x", "b"]],
    ["of several in place of each other, the first that is held", { any: ["a", "b", "c"] }, ["b", "c"], ["b"]],
    ["both kinds", { all: ["z"], any: ["a", "b"] }, ["*"], ["z", "a"]],
    ["none more where one that is asked for anyhow will do", { all: ["z"], any: ["a", "z"] }, ["*"], ["z"]],
    ["none where the key cannot pass", { all: ["a"], any: ["b"] }, ["a"], []],
    ["none where one is missing", { all: ["a", "b"] }, ["a"], []],
    ["a wildcard that is asked for", { all: ["a:*"] }, ["*"], ["a:*"]],
    ["none on a public route", undefined, ["a"], []],
  ] as const)("%s", (_, permissions, held, used) => {
    const asked = permissions && {
      ...("all" in permissions && { all: [...permissions.all] }),
      ...("any" in permissions && { any: [...permissions.any] }),
    };
    expect(permissionsUsed(route("r", asked), held)).toEqual(used);
  });
});

describe("a tally", () => {
  it("leaves in parts by cell, each small enough, and none is lost", () => {
    const many = Array.from({ length: 32 }, (_, at) => `${String(at).padStart(2, "0")}${"p".repeat(46)}`);
    const wide = route("wide", { all: many });
    const tally = new UsageTally(7_200_001);
    for (let key = 0; key < 1_000; key += 1) {
      tally.used(record(key), wide, 7_200_001);
      tally.answered(record(key), wide, 200, 200);
    }
    const batches = tally.batches(CELLS, () => crypto.randomUUID());
    const keys = batches.flatMap(({ cell, hour_ms, entries }) => {
      expect(hour_ms).toBe(7_200_000);
      expect(entries.length).toBeLessThanOrEqual(BATCH_ENTRIES_MAX);
      expect(JSON.stringify(entries).length).toBeLessThanOrEqual(BATCH_SIZE_MAX);
      for (const entry of entries) expect(cellOfOrganization(entry.organization_id, CELLS)).toBe(cell);
      return entries.map(({ key_id }) => key_id);
    });
    for (const batch of batches) usageBatchSchema.parse(batch);
    expect(new Set(keys).size).toBe(1_000);
    expect(new Set(batches.map(({ id }) => id)).size).toBe(batches.length);
  });
});

describe("an isolate", () => {
  const read = route("read", { all: ["orders:read"] });
  let nowMs: number;
  let counter: UsageCounter;
  let sent: UsageBatch[];
  let gatewaySent: UsageBatch[];
  let isReachable: boolean;
  let dropped: number;
  let waits: { readonly ms: number; readonly go: () => void }[];
  let outliving: Promise<unknown>[];
  const context = { waitUntil: (promise: Promise<unknown>) => void outliving.push(promise) };

  beforeEach(() => {
    nowMs = 3_600_000 * 1_000;
    sent = [];
    gatewaySent = [];
    isReachable = true;
    dropped = 0;
    waits = [];
    outliving = [];
    const ports = {
      now: () => nowMs,
      randomUuid: () => crypto.randomUUID(),
      send: async (batches: readonly UsageBatch[]) => {
        if (!isReachable) throw new Error("Network connection lost.");
        sent.push(...batches.filter(({ gateway }) => !gateway));
        gatewaySent.push(...batches.filter(({ gateway }) => gateway));
      },
      wait: async (ms: number) => new Promise<void>((go) => waits.push({ ms, go })),
      dropped: () => (dropped += 1),
    };
    counter = new UsageCounter(ports, CELLS, new GatewayTally());
  });

  const answered = (status: number) => ({ status, nowMs, ms: 0 });
  const request = (key: ActiveRecord, status = 200) => {
    counter.used({ route: read, record: key }, context);
    counter.answered({ route: read, record: key }, answered(status), context);
  };
  const letTimePass = async () => {
    const state = { isOver: false };
    const over = Promise.all(outliving.splice(0)).then(() => (state.isOver = true));
    while (!state.isOver) {
      for (const { go } of waits.splice(0)) go();
      await new Promise((resolve) => setImmediate(resolve));
    }
    await over;
  };
  const requestsSent = () =>
    sent
      .flatMap(({ entries }) => entries)
      .flatMap(({ counts }) => counts)
      .reduce((sum, count) => sum + count.requests, 0);

  it("sends what one request began 10 s later, within that request's own time, and waits for no other", async () => {
    request(record(1));
    request(record(1));
    expect(waits.map(({ ms }) => ms)).toEqual([10_000]);
    expect(sent).toEqual([]);
    await letTimePass();
    expect(requestsSent()).toBe(2);
    expect(waits).toEqual([]);
    request(record(1));
    expect(waits).toHaveLength(1);
  });

  it("has never more than 10,000 requests that are not on their way", () => {
    const one = record(1);
    for (let made = 1; made <= 35_000; made += 1) {
      request(one);
      expect(made - requestsSent()).toBeLessThan(10_000);
    }
  });

  it("has never more than 2,000 keys that are not on their way", () => {
    for (let key = 0; key < 5_000; key += 1) request(record(key));
    expect(sent.flatMap(({ entries }) => entries)).toHaveLength(4_000);
  });

  it("sends batches again when none were taken", async () => {
    isReachable = false;
    const one = record(1);
    request(one);
    await letTimePass();
    isReachable = true;
    request(one);
    await letTimePass();
    expect(requestsSent()).toBe(2);
    expect(new Set(sent.map(({ id }) => id)).size).toBe(2);
    expect(dropped).toBe(0);
  });

  it("drops the oldest beyond 256 batches, and says so", async () => {
    isReachable = false;
    const one = record(1);
    for (let batch = 0; batch < 260; batch += 1) {
      request(one, 200 + batch);
      await letTimePass();
    }
    expect(dropped).toBe(4);
    isReachable = true;
    request(one, 599);
    await letTimePass();
    const statuses = sent.flatMap(({ entries }) => entries.flatMap(({ counts }) => counts.map(({ status }) => status)));
    expect(statuses[0]).toBe(205);
    expect(statuses).toHaveLength(256);
  });

  it("goes on after a timer that was lost with its request", async () => {
    request(record(1));
    outliving = [];
    waits.splice(0);
    nowMs += 15_000;
    request(record(1));
    expect(waits).toHaveLength(1);
    await letTimePass();
    expect(requestsSent()).toBe(2);
  });

  it("sends an answer that came after its request's batch had left", async () => {
    counter.used({ route: read, record: record(1) }, context);
    await letTimePass();
    expect(sent).toMatchObject([{ entries: [{ used_at_ms: nowMs, counts: [] }] }]);
    counter.answered({ route: read, record: record(1) }, answered(200), context);
    await letTimePass();
    expect(sent).toMatchObject([{}, { entries: [{ used_at_ms: null, counts: [{ status: 200, refusal: null, requests: 1 }] }] }]);
  });

  it("counts refusals of whoever holds the secret, and nobody else's", async () => {
    const known = { route: read, record: record(1) };
    const refusals: Refused[] = [
      { ...known, reason: "insufficient_scope" },
      { ...known, reason: "upstream_unreachable" },
      { ...known, reason: "invalid_secret" },
      { route: read, reason: "unknown_key" },
      { reason: "no_route" },
    ];
    for (const refused of refusals) counter.answered(refused, answered(499), context);
    await letTimePass();
    expect(sent).toMatchObject([
      {
        entries: [
          {
            used_at_ms: null,
            counts: [
              { refusal: "insufficient_scope", requests: 1 },
              { refusal: null, requests: 1 },
            ],
          },
        ],
      },
    ]);
  });

  it("sends the counts of its own doing beside usage, and loses none while usage is dropped", async () => {
    isReachable = false;
    for (let batch = 0; batch < 300; batch += 1) {
      request(record(1), 200 + (batch % 2));
      await letTimePass();
    }
    expect(dropped).toBe(44);
    isReachable = true;
    for (let batch = 0; batch < 2; batch += 1) {
      request(record(1));
      await letTimePass();
    }
    for (const batch of gatewaySent) usageBatchSchema.parse(batch);
    const counted = gatewaySent.flatMap(({ gateway }) => gateway?.routes ?? []).map(({ outcomes }) => outcomes["2xx"] ?? 0);
    expect(counted.reduce((sum, requests) => sum + requests, 0)).toBe(302);
    expect(new Set(gatewaySent.map(({ id }) => id)).size).toBe(gatewaySent.length);
  });

  it("sends them also when only refusals without a key come, and plans no second flush for them", async () => {
    for (let time = 0; time < 3; time += 1) counter.answered({ reason: "forged_token" }, answered(401), context);
    expect(waits.map(({ ms }) => ms)).toEqual([10_000]);
    await letTimePass();
    expect(sent).toEqual([]);
    expect(gatewaySent.map(({ gateway }) => gateway?.routes[0]?.outcomes)).toEqual([{ forged_token: 3 }]);
  });
});
