/** For how long an Idempotency-Key is remembered. The clock is set forward, so this file's installation ages by days. */
import { env } from "cloudflare:workers";
import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { COMMAND_KEPT_MS } from "../../control-plane/ledger/execute.ts";
import { cellOfOrganization } from "../../core/identifier.ts";
import { ask, changingNothing } from "./control-plane-client.ts";
import { install, type Installation } from "./installation.ts";

const DAY_MS = 24 * 60 * 60 * 1000;

let installation: Installation;
let organizationId: string;
let nowMs: number;
beforeAll(async () => {
  installation = await install();
  organizationId = await installation.organization();
  nowMs = Date.now();
});
afterEach(() => {
  vi.useRealTimers();
});

/** Sets the clock forward. */
function later(ms: number): void {
  nowMs += ms;
  vi.useFakeTimers({ toFake: ["Date"], now: nowMs });
}

const make = async (idempotencyKey: string) =>
  ask(installation.adminKey, "POST", `/organizations/${organizationId}/api_keys`, {
    json: { name: "CI" },
    headers: { "Idempotency-Key": idempotencyKey },
  });
const cell = () => env.LEDGER.getByName(`cell-${cellOfOrganization(organizationId, Number(env.CELLS))}`);
const remembered = () => runInDurableObject(cell(), (_, { storage }) => storage.sql.exec("SELECT 1 FROM commands").toArray().length);

describe("an Idempotency-Key", () => {
  it("is kept for 24 hours", () => {
    expect(COMMAND_KEPT_MS).toBe(DAY_MS);
  });

  it("answers as before for that time to the millisecond; then the request is a new one, with a token of its own", async () => {
    later(DAY_MS);
    const first = await make("once");
    later(DAY_MS - 1);
    expect((await changingNothing(() => make("once"))).body).toEqual(first.body);
    later(1);
    const second = await make("once");
    expect(second.status).toBe(201);
    for (const member of ["id", "value"]) expect(second.body[member] === first.body[member], member).toBe(false);
    expect((await changingNothing(() => make("once"))).body).toEqual(second.body);
  });

  it("answers as before for that time to the millisecond also when the user a key was made for is gone; then there is no such user", async () => {
    later(DAY_MS);
    const { userId } = await installation.member(organizationId, "member");
    const once = () =>
      ask(installation.adminKey, "POST", `/user_management/users/${userId}/api_keys`, {
        json: { name: "Mine", organization_id: organizationId },
        headers: { "Idempotency-Key": "user's" },
      });
    const first = await once();
    expect(first.status).toBe(201);
    later(0);
    const ended = await ask(installation.adminKey, "DELETE", `/user_management/users/${userId}`, { headers: { Prefer: "respond-async" } });
    expect([202, 204]).toContain(ended.status);
    later(DAY_MS - 1);
    expect((await changingNothing(once)).body).toEqual(first.body);
    later(1);
    expect(await changingNothing(once)).toMatchObject({ status: 404, body: { code: "entity_not_found" } });
  });

  it("is forgotten, with the sealed token, by an alarm that is set for that moment, and no earlier", async () => {
    later(2 * DAY_MS);
    await runDurableObjectAlarm(cell());
    expect(await remembered()).toBe(0);
    await make("one");
    later(1);
    await make("another");
    later(DAY_MS - 2);
    await runDurableObjectAlarm(cell());
    expect(await remembered()).toBe(2);
    expect(await runInDurableObject(cell(), (_, { storage }) => storage.getAlarm())).toBe(nowMs + 1);
    later(1);
    await runDurableObjectAlarm(cell());
    expect(await remembered()).toBe(1);
  });
});
