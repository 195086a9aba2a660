/** Deliveries inside workerd: days of bad receivers with nothing lost and each object's order kept, and when an endpoint is given up. */
import { env } from "cloudflare:workers";
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { Transaction } from "../../control-plane/ledger/transaction.ts";
import { Random } from "../random.ts";
import { install, type Installation, type Json } from "./installation.ts";
import { deliveriesOf, eventOf, nameOf, newEndpoint, received, type Endpoint } from "./webhook-endpoints.ts";
import { ledgerFaults } from "./ledger-faults.ts";
import {
  accepting,
  cellsReport,
  hanging,
  knowingAll,
  nextAlarm,
  pass,
  webhookWorld,
  type Received,
  type Receiver,
} from "./webhook-world.ts";

const DAY_MS = 24 * 60 * 60 * 1_000;

let installation: Installation;
let organizationId: string;
beforeAll(async () => {
  installation = await install();
  organizationId = await installation.organization();
});
beforeEach(() => {
  webhookWorld.receivers.clear();
  webhookWorld.received.length = 0;
  webhookWorld.resolve = knowingAll;
});

const endpoint = async (receiver?: Receiver, events?: readonly string[]) => newEndpoint(installation, receiver, events);
const deliveries = async (hook: Endpoint, limit?: number) => deliveriesOf(installation, hook, limit);
const rename = async (keyId: string, name: string) => installation.must("PATCH", `/api_keys/${keyId}`, { name });

describe("deliveries to bad receivers", () => {
  it.each<[string, Receiver, string, number | null]>([
    ["fails", async () => new Response("no", { status: 500 }), "refused", 500],
    ["hangs", hanging, "timeout", null],
    ["redirects", async () => Response.redirect("https://elsewhere.example.com/", 307), "redirected", 307],
    [
      "closes early",
      async () => {
        throw new TypeError("Network connection lost.");
      },
      "connection_failed",
      null,
    ],
  ])("are tried again with the same bytes and id when it %s", async (_, bad, error, status) => {
    let answers = 0;
    const hook = await endpoint(async (...what) => ((answers += 1) <= 2 ? bad(...what) : accepting(...what)));
    await installation.key(organizationId, []);
    await cellsReport();
    await pass(hook.id, 60 * 60 * 1_000);
    const attempts = received(hook);
    expect(attempts).toHaveLength(3);
    expect(new Set(attempts.map(({ body }) => body)).size).toBe(1);
    expect(new Set(attempts.map(({ headers }) => headers["webhook-id"])).size).toBe(1);
    expect(attempts.map(({ atMs }) => atMs - (attempts[0]?.atMs ?? 0))).toEqual([0, 5_000, 305_000]);
    expect(await deliveries(hook)).toMatchObject([
      {
        status: "delivered",
        next_attempt_at: null,
        attempts: [
          { error, status },
          { error, status },
          { error: null, status: 204 },
        ],
      },
    ]);
  });

  it("lose nothing and keep each key's order over three days of receivers that do anything at all", async () => {
    const chance = new Random(20_261_124);
    const random = () => chance.next();
    const until = webhookWorld.nowMs + 3 * DAY_MS;
    const accepted: Received[] = [];
    const erratic: Receiver = async (what, init) => {
      const fate = random();
      if (webhookWorld.nowMs < until && fate < 0.2) return new Response(null, { status: 503 });
      if (webhookWorld.nowMs < until && fate < 0.23) return hanging(what, init);
      if (webhookWorld.nowMs < until && fate < 0.5) throw new TypeError("Network connection lost.");
      accepted.push(what);
      if (fate > 0.9) throw new TypeError("Connection closed after the event was taken.");
      return new Response(null, { status: 200 });
    };
    const hook = await endpoint(erratic, ["api_key.created", "api_key.updated", "api_key.revoked"]);
    const keys = [];
    for (let nth = 0; nth < 4; nth++) keys.push(await installation.key(organizationId, [], { name: "0" }));
    for (let change = 1; change <= 6; change++) {
      for (const key of keys) for (let nth = 0; nth < 3; nth++) await rename(key.id, `${change}.${nth}`);
      await cellsReport();
      await pass(hook.id, Math.floor(random() * DAY_MS * 0.5));
      if (random() < 0.5) await evictDurableObject(env.WEBHOOK_DISPATCHER.getByName(hook.id));
    }
    while ((await deliveries(hook, 100)).some(({ status }) => status === "pending")) await nextAlarm(hook.id);

    const expected = (await installation.must("GET", `/events?organization_id=${organizationId}&order=desc&limit=100`))["data"] as Json[];
    for (const key of keys) {
      const history = expected
        .filter(({ data }) => (data as Json)["id"] === key.id)
        .map(({ id }) => id)
        .toReversed();
      const heard = accepted.filter((delivery) => eventOf(delivery).data["id"] === key.id).map((delivery) => eventOf(delivery).id);
      expect(heard.filter((id, nth) => id !== heard[nth - 1])).toEqual(history);
    }
    expect((await deliveries(hook, 100)).every(({ status }) => status === "delivered")).toBe(true);
  });

  it("go on while one of them is being waited for", async () => {
    let release = () => {};
    const released = new Promise<void>((resolve) => (release = resolve));
    const hook = await endpoint(async (what) => {
      if (nameOf(what) === "slow") await released;
      return new Response(null, { status: 200 });
    });
    await installation.key(organizationId, [], { name: "slow" });
    const quick = Array.from({ length: 10 }, (_, nth) => `quick ${nth}`);
    for (const name of quick) await installation.key(organizationId, [], { name });
    await cellsReport();
    const turn = nextAlarm(hook.id);
    await vi.waitFor(() => expect(received(hook).map(nameOf)).toEqual(expect.arrayContaining(quick)), { timeout: 60_000 });
    release();
    await turn;
    expect((await deliveries(hook, 100)).map(({ status }) => status)).toEqual(["slow", ...quick].map(() => "delivered"));
  });

  it("are read from a cell in parts when there are many, in order and completely", async () => {
    const hook = await endpoint(accepting, ["routes.replaced"]);
    const noises = Array.from({ length: 250 }, (_, nth) => nth);
    await runInDurableObject(env.LEDGER.getByName("cell-3"), async (ledger, { storage }) => {
      storage.transactionSync(() => {
        const transaction = new Transaction(storage.sql, Date.now(), { type: "system", id: "test" });
        for (const nth of noises) transaction.append("routes.replaced", `source ${nth % 7}`, { nth, source: nth % 7 });
      });
      await ledger.alarm();
    });
    await cellsReport();
    await pass(hook.id, 60_000);
    const heard = received(hook).map((delivery) => eventOf(delivery).data as unknown as { nth: number; source: number });
    expect(heard.map(({ nth }) => nth).toSorted((a, b) => a - b)).toEqual(noises);
    for (let source = 0; source < 7; source++) {
      const mine = heard.filter((said) => said.source === source).map(({ nth }) => nth);
      expect(mine).toEqual(mine.toSorted((a, b) => a - b));
    }
  });

  it("that thousands of events about one object wait for its first holds back nothing else", async () => {
    const hook = await endpoint(
      async (what) => new Response(null, { status: eventOf(what).data["of"] === "stuck" ? 500 : 200 }),
      ["routes.replaced"],
    );
    await runInDurableObject(env.LEDGER.getByName("cell-3"), async (ledger, { storage }) => {
      storage.transactionSync(() => {
        const transaction = new Transaction(storage.sql, Date.now(), { type: "system", id: "test" });
        for (let nth = 0; nth < 5_000; nth++) transaction.append("routes.replaced", "stuck", { of: "stuck" });
        for (let nth = 0; nth < 20; nth++) transaction.append("routes.replaced", `free ${nth}`, { of: "free" });
      });
      await ledger.alarm();
    });
    await cellsReport();
    await pass(hook.id, 4_000);
    const heard = Map.groupBy(received(hook), (delivery) => eventOf(delivery).data["of"]);
    expect([heard.get("free")?.length, heard.get("stuck")?.length]).toEqual([20, 1]);
  });

  it("that one key's events are not taken holds back only that key's", async () => {
    const stuck = await installation.key(organizationId, [], { name: "stuck" });
    const free = await installation.key(organizationId, [], { name: "free" });
    const hook = await endpoint(async (what) => new Response(null, { status: eventOf(what).data["id"] === stuck.id ? 500 : 200 }));
    await rename(stuck.id, "stuck 1");
    await rename(stuck.id, "stuck 2");
    await rename(free.id, "free 1");
    await cellsReport();
    await pass(hook.id, 1_000);
    expect(received(hook).map(nameOf).toSorted()).toEqual(["free 1", "stuck 1"]);
    const waiting = (await deliveries(hook)).filter(({ status }) => status === "pending");
    expect(waiting.map(({ attempts, next_attempt_at }) => [(attempts as []).length, next_attempt_at === null])).toEqual([
      [1, false],
      [0, true],
    ]);
    // The endpoint takes others' events now and then, so it is the event that is given up, after three days.
    for (let day = 0; day < 4; day++) {
      await rename(free.id, `free on day ${day}`);
      await cellsReport();
      await pass(hook.id, DAY_MS);
    }
    expect((await deliveries(hook)).map(({ status, attempts }) => [status, (attempts as []).length]).slice(0, 2)).toEqual([
      ["failed", 10],
      ["pending", expect.any(Number)],
    ]);
    expect(received(hook).map(nameOf)).toContain("stuck 2");
    expect(await installation.must("GET", `/webhook_endpoints/${hook.id}`)).toMatchObject({ status: "enabled" });
  });
});

describe("an endpoint that takes nothing any more", () => {
  it("is disabled after three days, and nothing is lost when it is enabled again", async () => {
    let isDown = true;
    // Having been enabled again it refuses a little longer: that must not count with what it refused before.
    let takesAgain = 3;
    const hook = await endpoint(async () => {
      const isTaken = !isDown && (takesAgain -= 1) < 0;
      return new Response(null, { status: isTaken ? 200 : 500 });
    });
    const watcher = await endpoint(accepting, ["webhook_endpoint.disabled"]);
    const names = ["down 1", "down 2", "down 3"];
    for (const name of names) await installation.key(organizationId, [], { name });
    await cellsReport();
    await pass(hook.id, 4 * DAY_MS);
    expect(await installation.must("GET", `/webhook_endpoints/${hook.id}`)).toMatchObject({
      status: "disabled",
      disabled_reason: "sustained_failure",
    });
    await cellsReport();
    await pass(watcher.id, 1_000);
    expect(received(watcher).map((delivery) => eventOf(delivery).data)).toMatchObject([{ object: "webhook_endpoint", id: hook.id }]);

    const attempts = received(hook).length;
    await pass(hook.id, DAY_MS);
    expect(received(hook)).toHaveLength(attempts);
    const refused = await installation.call(
      "POST",
      `/webhook_endpoints/${hook.id}/deliveries/${String((await deliveries(hook))[0]?.["id"])}/redeliver`,
    );
    expect(refused.body).toMatchObject({ code: "webhook_endpoint_disabled" });

    await installation.key(organizationId, [], { name: "while disabled" });
    isDown = false;
    await installation.must("PATCH", `/webhook_endpoints/${hook.id}`, { status: "enabled" });
    await cellsReport();
    await pass(hook.id, 60_000);
    expect(new Set(received(hook).slice(attempts).map(nameOf))).toEqual(new Set([...names, "while disabled"]));
    expect((await deliveries(hook)).map(({ status }) => status)).toEqual(["delivered", "delivered", "delivered", "delivered"]);
  });

  it("is disabled at once when it answers that it is gone", async () => {
    const hook = await endpoint(async () => new Response(null, { status: 410 }));
    await installation.key(organizationId, []);
    await cellsReport();
    await pass(hook.id, 10_000);
    expect(received(hook)).toHaveLength(1);
    expect(await installation.must("GET", `/webhook_endpoints/${hook.id}`)).toMatchObject({ status: "disabled", disabled_reason: "gone" });
  });

  it("is sent nothing after it was deleted, and the cells forget it", async () => {
    const hook = await endpoint(async () => new Response(null, { status: 500 }));
    await installation.key(organizationId, []);
    await cellsReport();
    await pass(hook.id, 1_000);
    expect(await installation.call("DELETE", `/webhook_endpoints/${hook.id}`)).toMatchObject({ status: 204 });
    await installation.key(organizationId, []);
    await cellsReport();
    await pass(hook.id, DAY_MS);
    expect(received(hook)).toHaveLength(1);
    expect(await installation.call("GET", `/webhook_endpoints/${hook.id}/deliveries`)).toMatchObject({ status: 404 });
    const rows = await runInDurableObject(env.LEDGER.getByName("cell-0"), (_, { storage }) =>
      storage.sql.exec("SELECT 1 FROM webhook_endpoints WHERE id = ?", hook.id).toArray(),
    );
    expect(rows).toEqual([]);
    const subscriptions = await runInDurableObject(env.LEDGER.getByName("cell-0"), (_, { storage }) =>
      storage.sql.exec("SELECT 1 FROM webhook_subscriptions WHERE endpoint_id = ?", hook.id).toArray(),
    );
    expect(subscriptions).toEqual([]);
    const kept = await runInDurableObject(env.WEBHOOK_DISPATCHER.getByName(hook.id), (_, { storage }) =>
      ["deliveries", "attempts"].map((table) => storage.sql.exec(`SELECT * FROM ${table}`).toArray()),
    );
    expect(kept).toEqual([[], []]);
  });
});

describe("settings that come", () => {
  const change = async (hook: Endpoint, body: Json) => installation.must("PATCH", `/webhook_endpoints/${hook.id}`, body);

  it.each<[string, (hook: Endpoint) => Promise<unknown>]>([
    ["that it is deleted", async (hook) => installation.call("DELETE", `/webhook_endpoints/${hook.id}`)],
    ["that it is disabled", async (hook) => change(hook, { status: "disabled" })],
    ["that it is elsewhere", async (hook) => change(hook, { endpoint_url: `https://new-${hook.host}/` })],
  ])("while an attempt looks its host up hold for that attempt, too: %s", async (_, settle) => {
    const hook = await endpoint();
    await installation.key(organizationId, []);
    await cellsReport();
    let release = () => {};
    const released = new Promise<void>((resolve) => (release = resolve));
    const asked = new Promise<void>((isAsked) => {
      webhookWorld.resolve = async (url) => {
        isAsked();
        await released;
        return knowingAll(url);
      };
    });
    const turn = nextAlarm(hook.id);
    await asked;
    await settle(hook);
    release();
    await turn;
    expect(received(hook)).toEqual([]);
  });

  it("while the old host is still to answer are not undone by what it answers", async () => {
    let release = () => {};
    const released = new Promise<void>((resolve) => (release = resolve));
    const hook = await endpoint(async () => {
      await released;
      return new Response(null, { status: 410 });
    });
    await installation.key(organizationId, []);
    await cellsReport();
    const turn = nextAlarm(hook.id);
    await vi.waitFor(() => expect(received(hook)).toHaveLength(1), { timeout: 60_000 });
    await change(hook, { endpoint_url: `https://new-${hook.host}/` });
    release();
    await turn;
    await pass(hook.id, 60_000);
    expect(await installation.must("GET", `/webhook_endpoints/${hook.id}`)).toMatchObject({ status: "enabled" });
    expect(await deliveries(hook)).toMatchObject([{ status: "delivered", attempts: [{ error: "gone" }, { error: null }] }]);
  });

  it("when it was given up and nobody could be told begin its deliveries anew", async () => {
    let takes = false;
    let refusals = 0;
    const hook = await endpoint(async () => new Response(null, { status: takes && (refusals += 1) > 2 ? 200 : 500 }));
    await installation.key(organizationId, []);
    await cellsReport();
    ledgerFaults.dyingAtCommand.add("cell-0");
    while (received(hook).length < 10) await nextAlarm(hook.id);
    expect(ledgerFaults.dyingAtCommand.size).toBe(0);
    takes = true;
    await change(hook, { events: ["api_key.created", "api_key.updated"] });
    await pass(hook.id, 60 * 60 * 1_000);
    expect(await installation.must("GET", `/webhook_endpoints/${hook.id}`)).toMatchObject({ status: "enabled" });
    expect(await deliveries(hook)).toMatchObject([{ status: "delivered" }]);
  });
});
