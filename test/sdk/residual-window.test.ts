/** The one option that gives up the promise does it for as long as it says, for keys that were accepted, and no longer. */
import { afterAll, afterEach, beforeAll, expect, it, vi } from "vitest";
import { callApi } from "../../local/api-client.ts";
import { startTestSystem, type TestSystem } from "../system.ts";
import type { RunningApp } from "./apps/settings.ts";
import { startExpress } from "./frameworks.ts";
import { relayTo, type Relay } from "./relay.ts";

const MAX_STALENESS_MS = 10_000;
/** The SDK's own are for production, where machines do not stand still. */
const PATIENCE_MS = 60_000;

let system: TestSystem;
let relay: Relay;
let app: RunningApp;
beforeAll(async () => {
  system = await startTestSystem();
  relay = await relayTo((path, init) => fetch(new URL(path, system.controlPlane), init));
  const options = { controlPlane: relay.origin, apiKey: system.adminKey, timeoutMs: PATIENCE_MS, maxStalenessMs: MAX_STALENESS_MS };
  app = await startExpress({ behind: "nothing", options });
});
afterAll(async () => {
  await app?.stop();
  await relay?.[Symbol.asyncDispose]();
  await system?.[Symbol.asyncDispose]();
});
afterEach(() => {
  relay.behaviour = "pass";
  vi.useRealTimers();
});

async function newKey() {
  const key = await callApi(system.controlPlane, system.adminKey, "POST", `/organizations/${system.organizationId}/api_keys`, {
    name: "key",
  });
  return { id: String(key["id"]), value: String(key["value"]) };
}

async function statusWith(key: string): Promise<number> {
  return (await fetch(new URL("/me", app.origin), { headers: { "X-API-Key": key } })).status;
}

it("accepts a key as it was, until it was asked about too long ago", async () => {
  const { id, value } = await newKey();
  vi.useFakeTimers({ toFake: ["performance"] });
  expect([await statusWith(value), await statusWith(value), relay.asked]).toEqual([200, 200, 1]);
  await callApi(system.controlPlane, system.adminKey, "DELETE", `/api_keys/${id}`);
  vi.advanceTimersByTime(MAX_STALENESS_MS - 1);
  expect(await statusWith(value)).toBe(200);
  vi.advanceTimersByTime(1);
  expect([await statusWith(value), await statusWith(value)]).toEqual([401, 401]);
});

it("lets nobody through on an old answer when the control plane is down", async () => {
  const { value } = await newKey();
  vi.useFakeTimers({ toFake: ["performance"] });
  expect(await statusWith(value)).toBe(200);
  relay.behaviour = "cut";
  vi.advanceTimersByTime(MAX_STALENESS_MS);
  expect(await statusWith(value)).toBe(503);
});

it("remembers no refusal: a key that is good again works at once", async () => {
  const { id, value } = await newKey();
  await callApi(system.controlPlane, system.adminKey, "POST", `/api_keys/${id}/disable`, {});
  expect(await statusWith(value)).toBe(401);
  await callApi(system.controlPlane, system.adminKey, "POST", `/api_keys/${id}/enable`, {});
  expect(await statusWith(value)).toBe(200);
});
