/** Apps without a gateway: they ask the control plane, and never go by what it said of a key before. */
import http from "node:http";
import { text } from "node:stream/consumers";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { callApi } from "../../local/api-client.ts";
import { startTestSystem, type TestSystem } from "../system.ts";
import type { RunningApp, Settings } from "./apps/settings.ts";
import { FRAMEWORKS, startExpress } from "./frameworks.ts";
import { relayTo, type Relay } from "./relay.ts";

/** Milliseconds: the SDK's own are for production, where machines do not stand still. */
const PATIENCE_MS = 60_000;

let system: TestSystem;
let relay: Relay;
/** A platform key that can do nothing but validate. */
let validator: string;
beforeAll(async () => {
  system = await startTestSystem();
  relay = await relayTo((path, init) => fetch(new URL(path, system.controlPlane), init));
  const asked = { name: "my API", permissions: ["portcullis:api_keys:validate"] };
  validator = String((await controlPlane("POST", "/organizations/org_platform/api_keys", asked))["value"]);
});
afterAll(async () => {
  await relay?.[Symbol.asyncDispose]();
  await system?.[Symbol.asyncDispose]();
});
afterEach(() => {
  relay.behaviour = "pass";
});

function controlPlane(method: string, path: string, body?: Record<string, unknown>) {
  return callApi(system.controlPlane, system.adminKey, method, path, body);
}

async function newKey(permissions: string[], more: Record<string, unknown> = {}) {
  const key = await controlPlane("POST", `/organizations/${system.organizationId}/api_keys`, { name: "key", permissions, ...more });
  return { id: String(key["id"]), value: String(key["value"]) };
}

function settings(options: { readonly apiKey?: string; readonly timeoutMs?: number; readonly maxStalenessMs?: number } = {}): Settings {
  return { behind: "nothing", options: { controlPlane: relay.origin, apiKey: validator, timeoutMs: PATIENCE_MS, ...options } };
}

/** Sends header fields one by one, as `fetch` would not. */
async function sendFields(origin: string, fields: readonly string[]) {
  const request = http.request(new URL("/me", origin), { headers: ["Host", new URL(origin).host, ...fields] }).end();
  const response = await new Promise<http.IncomingMessage>((resolve, reject) => request.on("response", resolve).on("error", reject));
  return { status: response.statusCode, problem: JSON.parse(await text(response)) as Record<string, unknown> };
}

function get(origin: string, path: string, key: string): Promise<Response> {
  return fetch(new URL(path, origin), { headers: { Authorization: `Bearer ${key}` } });
}

describe.each(FRAMEWORKS)("%s", (framework, start) => {
  let app: RunningApp;
  beforeAll(async () => {
    app = await start(settings());
  });
  afterAll(() => app?.stop());

  it("is told of an organization's key and of a person's, in either place", async () => {
    const { organizationId } = system;
    const own = await newKey(["orders:read"]);
    const answer = await get(app.origin, "/orders", own.value);
    expect([answer.status, await answer.json()]).toEqual([
      200,
      { type: "organization", keyId: own.id, organizationId, environment: "live", permissions: ["orders:read"], route: null },
    ]);
    const userId = String(system.users[0]?.id);
    const hers = await controlPlane("POST", `/user_management/users/${userId}/api_keys`, { name: "hers", organization_id: organizationId });
    const me = await fetch(new URL("/me", app.origin), { headers: { "X-API-Key": String(hers["value"]) } });
    expect(await me.json()).toMatchObject({ type: "user", userId, organizationId, permissions: [] });
  });

  it("does not accept a key that was revoked, nor a permission that was taken away, once the call has returned", async () => {
    const key = await newKey(["orders:read", "orders:write"]);
    expect((await get(app.origin, "/orders/7", key.value)).status).toBe(200);
    await controlPlane("PATCH", `/api_keys/${key.id}`, { permissions: ["orders:read"] });
    const narrowed = await get(app.origin, "/orders/7", key.value);
    expect([narrowed.status, await narrowed.json()]).toMatchObject([403, { missing_permissions: ["orders:write"] }]);
    await controlPlane("DELETE", `/api_keys/${key.id}`);
    const answer = await get(app.origin, "/me", key.value);
    expect([answer.status, answer.headers.get("www-authenticate"), await answer.json()]).toMatchObject([
      401,
      'Bearer realm="portcullis", error="invalid_token", error_description="Invalid API key"',
      { code: "invalid_key" },
    ]);
  });

  it("asks about every request, also about those that come at once", async () => {
    const key = await newKey([]);
    const before = relay.asked;
    const answers = await Promise.all(Array.from({ length: 5 }, () => get(app.origin, "/me", key.value)));
    expect([answers.map(({ status }) => status), relay.asked - before]).toEqual([[200, 200, 200, 200, 200], 5]);
  });

  it("refuses a key in two places, and what is no key, without asking", async () => {
    const { value } = await newKey([]);
    const before = relay.asked;
    const twice = await sendFields(app.origin, ["Authorization", `Bearer ${value}`, "X-API-Key", value]);
    expect(twice).toMatchObject({ status: 400, problem: { code: "multiple_credentials" } });
    const malformed = await sendFields(app.origin, ["Authorization", `Digest ${value}`]);
    expect(malformed).toMatchObject({ status: 400, problem: { code: "malformed_credential" } });
    const none = await sendFields(app.origin, ["Portcullis-Permissions", "*"]);
    expect(none).toMatchObject({ status: 401, problem: { code: "missing_credential" } });
    expect(relay.asked).toBe(before);
  });

  it("accepts a key that is bound to networks only from those", async () => {
    const here = await newKey([], { allowed_networks: ["127.0.0.0/8"] });
    const elsewhere = await newKey([], { allowed_networks: ["192.0.2.0/24"] });
    expect((await get(app.origin, "/me", here.value)).status).toBe(200);
    expect((await get(app.origin, "/me", elsewhere.value)).status).toBe(401);
  });

  it.each(["cut", "nonsense", 429, 500] as const)("answers 503 when the control plane does not say (%s)", async (behaviour) => {
    const key = await newKey(["orders:read"]);
    expect((await get(app.origin, "/orders", key.value)).status).toBe(200);
    relay.behaviour = behaviour;
    const answer = await get(app.origin, "/orders", key.value);
    expect([answer.status, answer.headers.get("retry-after"), await answer.json()]).toMatchObject([
      503,
      "1",
      { code: "ledger_unreachable" },
    ]);
  });

  it.skipIf(framework === "Next.js")("does not reach a handler that demands a permission of nobody in particular", async () => {
    const key = await newKey(["orders:read"]);
    expect((await get(app.origin, "/forgotten", key.value)).status).toBe(500);
  });

  it.runIf(framework === "Next.js")("fences pages and handlers by the proxy file", async () => {
    const key = await newKey([]);
    expect((await get(app.origin, "/fenced", key.value)).status).toBe(200);
    expect((await get(app.origin, "/fenced", `${key.value.slice(0, -1)}_`)).status).toBe(401);
    const bypass = { "x-middleware-subrequest": "proxy:proxy:proxy:proxy:proxy" };
    expect((await fetch(new URL("/fenced", app.origin), { headers: bypass })).status).toBe(401);
  });
});

describe("an app", () => {
  it("answers 503 when its own platform key is not accepted, or when the control plane takes too long", async () => {
    const key = await newKey([]);
    const locked = await startExpress(settings({ apiKey: key.value }));
    expect((await get(locked.origin, "/me", key.value)).status).toBe(503);
    await locked.stop();
    const impatient = await startExpress(settings({ timeoutMs: 50 }));
    relay.behaviour = "hang";
    expect((await get(impatient.origin, "/me", key.value)).status).toBe(503);
    await impatient.stop();
  });

  it("refuses two Authorization headers, of which Node would read the first", async () => {
    const app = await startExpress(settings());
    const { value } = await newKey([]);
    const answer = await sendFields(app.origin, ["Authorization", `Bearer ${value}`, "Authorization", "Bearer other"]);
    expect(answer).toMatchObject({ status: 400, problem: { code: "multiple_credentials" } });
    await app.stop();
  });
});
