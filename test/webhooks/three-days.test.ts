/**
 * Three days of deliveries by the real dispatchers to a real server that does everything a server can do wrong: over sockets, by the
 * platform's own fetch. Only the time of the alarms is virtual, and the receiver's clock goes with it. A receiver that is as bad as
 * that for three days is heard by one more attempt of each event, the tenth: so nothing may be lost.
 */
import { env } from "cloudflare:workers";
import { evictDurableObject } from "cloudflare:test";
import { beforeAll, expect, it, vi } from "vitest";
import { Random } from "../random.ts";
import { install, type Installation, type Json } from "../runtime/installation.ts";
import { deliveriesOf } from "../runtime/webhook-endpoints.ts";
import { cellsReport, nextAlarm, passTogether, webhookWorld } from "../runtime/webhook-world.ts";
import { behave, overTheWire, report, setClock, urlOf } from "./receiver.ts";
import { FATES, type Arrival, type Fate, type NamedSecret } from "./report.ts";

const HOUR_MS = 60 * 60 * 1_000;
const DAY_MS = 24 * HOUR_MS;
const PATIENCE = { timeout: 60_000, interval: 50 };
/** How long the dispatchers wait for an answer, in ms: in the storm little, for so much is really waited, and afterwards as long as ever. */
const TIMEOUT_MS = { storm: 300, calm: 15_000 } as const;
const KEYS = 4;
/** Changes of each key in each part of the three days. */
const CHANGES = 2;
const PART_MS = 12 * HOUR_MS;

const ALL = Object.keys(FATES) as Fate[];
/** Half of the time it is as good as any, so that there is an order to be kept at all. */
const STORM: readonly Fate[] = [...ALL, "accepts", "accepts", "accepts", "accepts", "accepts", "accepts"];
const DOWN = ALL.filter((fate) => !FATES[fate].takes);

let installation: Installation;
let organizationId: string;
beforeAll(async () => {
  webhookWorld.receivers.set("127.0.0.1", overTheWire);
  webhookWorld.timeoutMs = TIMEOUT_MS.storm;
  webhookWorld.atTime = setClock;
  // The cells' clock is the real one, and says when an overlap of secrets ends: near enough for the longest overlap to reach.
  webhookWorld.nowMs = Date.now() + 10 * DAY_MS;
  installation = await install();
  organizationId = await installation.organization();
});

interface Hook {
  readonly id: string;
  readonly name: string;
  readonly secrets: readonly NamedSecret[];
}

/** A webhook endpoint at the receiver. */
async function hookAt(name: string, events: readonly string[], fates: readonly Fate[]): Promise<Hook> {
  const made = await installation.must("POST", "/webhook_endpoints", { endpoint_url: urlOf(name), events });
  const hook = { id: String(made["id"]), name, secrets: [{ name: "first", secret: String(made["secret"]) }] };
  await behave(name, { secrets: hook.secrets, fates });
  return hook;
}

/** Another secret; the one before is good for a day of the virtual clock. */
async function rotated(hook: Hook): Promise<Hook> {
  const overlap_seconds = Math.round((webhookWorld.nowMs + DAY_MS - Date.now()) / 1_000);
  const { secret } = await installation.must("POST", `/webhook_endpoints/${hook.id}/rotate_secret`, { overlap_seconds });
  const secrets = [...hook.secrets, { name: "second", secret: String(secret) }];
  await behave(hook.name, { secrets, fates: STORM });
  return { ...hook, secrets };
}

/** The receiver takes everything from now on. */
async function calmDown({ name, secrets }: Hook): Promise<void> {
  webhookWorld.timeoutMs = TIMEOUT_MS.calm;
  await behave(name, { secrets, fates: ["accepts"] });
}

const deliveries = async ({ id }: Hook) => deliveriesOf(installation, { id, host: "", secret: "" }, 100);
const arrivalsAt = async ({ name }: Hook) => (await report()).arrivals[name] ?? [];
const eventOf = ({ body }: Arrival) => JSON.parse(body) as { readonly id: string; readonly data: Json };
const byEvent = (arrivals: readonly Arrival[]) => [...Map.groupBy(arrivals, ({ webhookId }) => webhookId).values()];

/** Ids of events about a key in the order in which they were taken; what is taken twice in a row counts once. */
function takenAbout(arrivals: readonly Arrival[], keyId: string): string[] {
  const taken = arrivals.filter(({ isTaken }) => isTaken).map(eventOf);
  const ids = taken.filter(({ data }) => data["id"] === keyId).map(({ id }) => id);
  return ids.filter((id, nth) => id !== ids[nth - 1]);
}

/** Events about a key as the list has them, oldest first. */
async function historyOf(keyId: string): Promise<string[]> {
  const listed = await installation.must("GET", `/events?organization_id=${organizationId}&order=asc&limit=100`);
  return (listed["data"] as Json[]).filter(({ data }) => (data as Json)["id"] === keyId).map(({ id }) => String(id));
}

/** Three days in which keys are made, changed and revoked, and the secret is replaced in the middle. */
async function threeDays(storm: Hook, down: Hook): Promise<{ readonly storm: Hook; readonly keys: readonly string[] }> {
  const chance = new Random(20_261_130);
  const keys: string[] = [];
  let hook = storm;
  for (let nth = 0; nth < KEYS; nth++) keys.push((await installation.key(organizationId, [], { name: "made" })).id);
  for (let part = 0; part < 6; part++) {
    if (part === 2) hook = await rotated(hook);
    for (const id of keys)
      for (let nth = 0; nth < CHANGES; nth++) await installation.must("PATCH", `/api_keys/${id}`, { name: `${part}.${nth}` });
    if (part === 5) for (const id of keys) await installation.must("DELETE", `/api_keys/${id}`);
    await cellsReport();
    await passTogether([hook.id, down.id], PART_MS);
    if (chance.chance(0.5)) await evictDurableObject(env.WEBHOOK_DISPATCHER.getByName(hook.id));
  }
  return { storm: hook, keys };
}

it("three days of a bad receiver lose nothing, keep each key's order, and every delivery verifies, over a replaced secret, too", async () => {
  const down = await hookAt("down", ["api_key.created"], DOWN);
  const { storm, keys } = await threeDays(await hookAt("storm", ["api_key.created", "api_key.updated", "api_key.revoked"], STORM), down);
  await calmDown(storm);
  while ((await deliveries(storm)).some(({ status }) => status === "pending")) await nextAlarm(storm.id);

  const arrivals = await arrivalsAt(storm);
  expect(new Set(arrivals.map(({ fate }) => fate))).toEqual(new Set(ALL));
  for (const id of keys) {
    const history = await historyOf(id);
    expect(history).toHaveLength(1 + 6 * CHANGES + 1);
    expect(takenAbout(arrivals, id)).toEqual(history);
  }
  const log = await deliveries(storm);
  expect(log.every(({ status }) => status === "delivered")).toBe(true);
  const errors = new Set(log.flatMap(({ attempts }) => (attempts as Json[]).map(({ error }) => error)));
  expect(errors).toEqual(new Set([null, "refused", "timeout", "redirected", "connection_failed"]));
  expect(byEvent(arrivals).every((same) => new Set(same.map(({ body }) => body)).size === 1)).toBe(true);
  expect(arrivals.every((arrival) => eventOf(arrival).id === arrival.webhookId)).toBe(true);
  expectSignatures(arrivals);
  expect((await report()).followed).toBe(0);
  await vi.waitFor(async () => expect((await report()).endless).toBe(0), PATIENCE);

  await expectDisabledAndNothingLost(down, keys);
});

/** Both libraries, always: with the first secret, with both while one replaces the other, and then with the second alone. */
function expectSignatures(arrivals: readonly Arrival[]): void {
  const seen = new Set(arrivals.map(({ standard, workos, workosNext }) => JSON.stringify({ standard, workos, workosNext })));
  expect(seen).toEqual(
    new Set([
      JSON.stringify({ standard: ["first"], workos: ["first"], workosNext: [] }),
      JSON.stringify({ standard: ["first", "second"], workos: ["first"], workosNext: ["second"] }),
      JSON.stringify({ standard: ["second"], workos: ["second"], workosNext: [] }),
    ]),
  );
}

/** What took nothing for the whole schedule is disabled; enabled again, it hears of everything. */
async function expectDisabledAndNothingLost(down: Hook, keys: readonly string[]): Promise<void> {
  const path = `/webhook_endpoints/${down.id}`;
  webhookWorld.timeoutMs = TIMEOUT_MS.storm;
  await passTogether([down.id], DAY_MS);
  expect(await installation.must("GET", path)).toMatchObject({ status: "disabled", disabled_reason: "sustained_failure" });
  const before = await arrivalsAt(down);
  expect(before.some(({ isTaken }) => isTaken)).toBe(false);
  expect(Math.max(...byEvent(before).map(({ length }) => length))).toBe(10);
  await calmDown(down);
  await installation.must("PATCH", path, { status: "enabled" });
  await passTogether([down.id], HOUR_MS);
  const taken = (await arrivalsAt(down)).filter(({ isTaken }) => isTaken).map((arrival) => String(eventOf(arrival).data["id"]));
  expect(taken.toSorted()).toEqual(keys.toSorted());
}
