/** How often one may ask: at the control plane's own door, with limits of a size to test. */
import { env } from "cloudflare:workers";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { controlPlaneApp } from "../../control-plane/app.ts";
import { Cells } from "../../control-plane/cells.ts";
import { controlPlaneConfiguration } from "../../control-plane/configuration.ts";
import { UsageStores } from "../../control-plane/usage/access.ts";
import { PlatformKeyUses } from "../../control-plane/http/platform-key-uses.ts";
import { limitsOf } from "../../control-plane/http/rate-limit.ts";
import { webhookAccess } from "../../control-plane/webhooks/access.ts";
import { PLATFORM_ORGANIZATION_ID } from "../../core/identifier.ts";
import { changingNothing } from "./control-plane-client.ts";
import { install, type Installation } from "./installation.ts";

const MINUTE_MS = 60_000;
const CALLER_LIMIT = 3;
const BOOTSTRAP_LIMIT = 2;

let installation: Installation;
let reader = "";
beforeAll(async () => {
  installation = await install();
  reader = (await installation.key(PLATFORM_ORGANIZATION_ID, ["portcullis:routes:read"])).value;
});

/** A fresh isolate's worth of counting, on a clock of its own. */
let nowMs = 0;
let serve: ReturnType<typeof controlPlaneApp>;
beforeEach(() => {
  nowMs = Date.now();
  const configuration = controlPlaneConfiguration(env);
  const limits = { callerRequestsPerMinute: CALLER_LIMIT, bootstrapAttemptsPerMinute: BOOTSTRAP_LIMIT };
  const cells = new Cells(env.LEDGER, configuration.cells);
  serve = controlPlaneApp({
    configuration,
    cells,
    identityProvider: null,
    now: () => nowMs,
    randomBytes: (target) => crypto.getRandomValues(target),
    limits: limitsOf(limits, () => nowMs),
    platformKeyUses: new PlatformKeyUses({ cells, now: () => nowMs, waitUntil: () => {} }),
    usage: new UsageStores(env.USAGE_STORE),
    webhooks: webhookAccess(env.WEBHOOK_DISPATCHER, configuration.webhooks),
  });
});

const ask = async (token: string, path: string, more: RequestInit & { readonly headers?: Record<string, string> } = {}) =>
  serve(new Request(`https://control.example${path}`, { ...more, headers: { Authorization: `Bearer ${token}`, ...more.headers } }));
const statuses = async (times: number, call: () => Promise<Response>) => {
  const answers: number[] = [];
  for (let done = 0; done < times; done++) answers.push((await call()).status);
  return answers;
};
const readRoutes = (token = reader) => ask(token, "/routes");
const post = (token: string, path: string, body: string, headers: Readonly<Record<string, string>> = {}) =>
  ask(token, path, { method: "POST", body, headers: { "Content-Type": "application/json", ...headers } });
/** As {@link install} has sent it, so that the right secret is answered as it was then. */
const bootstrap = (secret: string, address: string) =>
  post(secret, "/bootstrap", "{}", { "Idempotency-Key": "first", "CF-Connecting-IP": address });

describe("a caller", () => {
  it("is told with every answer what is left, and at the end to wait", async () => {
    const first = await readRoutes();
    expect(first.status).toBe(200);
    expect(first.headers.get("RateLimit-Policy")).toBe('"caller";q=3;w=60');
    expect(first.headers.get("RateLimit")).toBe('"caller";r=2;t=60');
    nowMs += 20_500;
    expect((await readRoutes()).headers.get("RateLimit")).toBe('"caller";r=1;t=40');
    await readRoutes();
    const refused = await readRoutes();
    expect(refused.status).toBe(429);
    expect(refused.headers.get("Retry-After")).toBe("40");
    expect(refused.headers.get("RateLimit")).toBe('"caller";r=0;t=40');
    expect(await refused.json()).toEqual({ message: "Too many requests.", code: "rate_limit_exceeded" });
  });

  it("may go on when the minute is over, which began with the first request", async () => {
    expect(await statuses(4, readRoutes)).toEqual([200, 200, 200, 429]);
    nowMs += MINUTE_MS - 1;
    expect((await readRoutes()).status).toBe(429);
    nowMs += 1;
    expect(await statuses(4, readRoutes)).toEqual([200, 200, 200, 429]);
  });

  it("is not held to account for another", async () => {
    expect(await statuses(4, readRoutes)).toEqual([200, 200, 200, 429]);
    expect((await readRoutes(installation.adminKey)).status).toBe(200);
  });

  it("is counted also when it lacks the permission, and once when it sends a body", async () => {
    expect(await statuses(4, () => post(reader, "/organizations", "{}"))).toEqual([403, 403, 403, 429]);
    expect(await statuses(4, () => post(installation.adminKey, "/api_keys/validations", '{"value":"x"}'))).toEqual([200, 200, 200, 429]);
  });

  it("beyond its limit changes nothing", async () => {
    await statuses(3, () => readRoutes(installation.adminKey));
    const create = () => post(installation.adminKey, "/organizations", '{"name":"Acme"}');
    expect((await changingNothing(create)).status).toBe(429);
  });

  it("whose minute lies ahead because the clock was set back does not wait for it", async () => {
    await statuses(4, readRoutes);
    nowMs -= 10 * MINUTE_MS;
    expect((await readRoutes()).status).toBe(200);
  });
});

describe("the bootstrap secret", () => {
  it("is not looked at any more after so many tries from one address, also if it is right", async () => {
    expect(await statuses(3, () => bootstrap("wrong", "192.0.2.1"))).toEqual([401, 401, 429]);
    const right = await bootstrap(env.BOOTSTRAP_SECRET, "192.0.2.1");
    expect([right.status, right.headers.get("Retry-After")]).toEqual([429, "60"]);
  });

  it("can still be used from another address, so that nobody locks the operator out", async () => {
    await statuses(3, () => bootstrap("wrong", "192.0.2.1"));
    expect((await bootstrap(env.BOOTSTRAP_SECRET, "192.0.2.2")).status).toBe(201);
  });
});

it("what is open to anyone is not counted", async () => {
  const answer = await ask("nobody", "/health");
  expect([answer.status, answer.headers.get("RateLimit")]).toEqual([200, null]);
});
