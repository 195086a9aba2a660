/** Limits on several gateways with real limiters: nothing passes beyond what is promised, whoever fails. */
import { env, runDurableObjectAlarm } from "cloudflare:test";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import type { Limit } from "../../core/limits/limit.ts";
import { install, UPSTREAM, type Installation, type IssuedKey } from "./installation.ts";
import { kill } from "./ledger-faults.ts";
import { healLimiters, limiterWorld } from "./limiter-world.ts";
import { observeGateway, type ObservedGateway } from "./observed-gateway.ts";

let installation: Installation;
let organization: string;
beforeAll(async () => {
  installation = await install();
  organization = await installation.organization();
});
afterEach(healLimiters);

const RATE = { name: "calls", kind: "rate", per: "key", limit: 10, window: 60 } as const;
const DAILY = { name: "daily", kind: "quota", per: "key", limit: 10, period: "day" } as const;
const BUDGET = { name: "credits", kind: "budget", per: "organization", limit: 10, period: "month" } as const;
const PLACES = { name: "at-once", kind: "concurrency", per: "key", limit: 2 } as const;

/** Puts a table in force in which /orders has these limits. */
async function limit(limits: readonly Limit[], more: object = {}): Promise<void> {
  const route = { name: "orders", methods: ["GET"], path: "/orders", upstream: UPSTREAM, permissions: { all: ["orders:read"] } };
  const free = { ...route, name: "free", path: "/free" };
  await installation.must("PUT", "/routes", { routes: [{ ...route, ...(limits.length > 0 && { limits }), ...more }, free] });
}

async function freshKey(): Promise<IssuedKey> {
  return installation.key(organization, ["orders:read"]);
}

async function statuses(answers: readonly Promise<Response>[]): Promise<number[]> {
  return (await Promise.all(answers)).map(({ status }) => status);
}

function times<Value>(count: number, make: (at: number) => Value): Value[] {
  return Array.from({ length: count }, (_, at) => make(at));
}

/** Lets the gateways' and the limiters' time pass. */
function pass(ms: number, gateways: readonly ObservedGateway[]): void {
  limiterWorld.aheadMs += ms;
  for (const { clock } of gateways) clock.aheadMs += ms;
}

function openAnswer(): { readonly answer: Response; readonly end: () => void } {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const writer = writable.getWriter();
  void writer.write(new Uint8Array([1])).catch(() => {});
  return { answer: new Response(readable), end: () => void writer.close().catch(() => {}) };
}

describe("a rate", () => {
  it("admits no more than its limit over all gateways, until the window has passed", async () => {
    await limit([{ ...RATE, limit: 50 }]);
    const key = await freshKey();
    const gateways = times(5, () => observeGateway());
    const round = async () =>
      (await statuses(gateways.flatMap((gateway) => times(40, () => gateway.get("/orders", key.value))))).filter((status) => status === 200)
        .length;
    const admitted = await round();
    expect(admitted).toBeLessThanOrEqual(50);
    expect(admitted).toBeGreaterThan(20);
    expect(gateways.reduce((sum, { calls }) => sum + calls.upstream, 0)).toBe(admitted);
    pass(70_000, gateways);
    expect(await round()).toBeGreaterThan(20);
    expect(gateways.reduce((sum, { calls }) => sum + calls.upstream, 0)).toBeLessThanOrEqual(100);
  });

  it("costs a cold key one question, and a hot one far less than one per request", async () => {
    await limit([
      { ...RATE, limit: 100_000 },
      { ...DAILY, limit: 100_000 },
    ]);
    const [key, gateway] = [await freshKey(), observeGateway()];
    await gateway.get("/orders", key.value);
    expect(gateway.calls.limiter).toBe(1);
    for (let made = 0; made < 400; made += 1) await gateway.get("/orders", key.value);
    expect(gateway.calls.upstream).toBe(401);
    expect(gateway.calls.limiter).toBeLessThan(40);
  });

  it("costs a route without limits nothing", async () => {
    await limit([RATE]);
    const [key, gateway] = [await freshKey(), observeGateway()];
    const answer = await gateway.get("/free", key.value);
    expect([answer.status, answer.headers.get("RateLimit"), gateway.calls.limiter]).toEqual([200, null, 0]);
  });

  it("says how it stands, and on 429 until when; a denied key is refused from memory until then, and another one is not", async () => {
    await limit([{ ...RATE, limit: 2 }]);
    const [key, gateway] = [await freshKey(), observeGateway()];
    const sinceMs = Date.now();
    const first = await gateway.get("/orders", key.value);
    expect(first.headers.get("RateLimit-Policy")).toBe('"calls";q=2;w=60');
    expect(first.headers.get("RateLimit")).toMatch(/^"calls";r=1;t=\d+$/);
    expect(first.headers.get("X-RateLimit-Remaining")).toBe("1");
    await gateway.get("/orders", key.value);
    const denied = await gateway.get("/orders", key.value);
    const retryAfterS = Number(denied.headers.get("Retry-After"));
    expect(denied.status).toBe(429);
    expect(await denied.json()).toMatchObject({
      type: "https://iana.org/assignments/http-problem-types#quota-exceeded",
      status: 429,
      code: "rate_limited",
      "violated-policies": ["calls"],
    });
    expect(retryAfterS).toBeGreaterThan(58 - Math.floor((Date.now() - sinceMs) / 1_000));
    expect(denied.headers.get("RateLimit")).toBe(`"calls";r=0;t=${retryAfterS}`);
    expect(JSON.parse(gateway.logLines.at(-1) ?? "")).toMatchObject({ outcome: "deny", reason: "rate_limited", limits: ["calls"] });
    const asked = gateway.calls.limiter;
    expect(await statuses(times(20, () => gateway.get("/orders", key.value)))).toEqual(times(20, () => 429));
    expect(gateway.calls.limiter).toBe(asked);
    expect((await gateway.get("/orders", (await freshKey()).value)).status).toBe(200);
    pass((retryAfterS + 3) * 1_000, [gateway]);
    expect((await gateway.get("/orders", key.value)).status).toBe(200);
  });

  it("holds in each region for itself where the limit says so, and over all of them where not", async () => {
    for (const [scope, admitted] of [
      ["region", 4],
      ["global", 2],
    ] as const) {
      await limit([{ ...RATE, scope, limit: 2 }]);
      const key = await freshKey();
      const gateways = ["weur", "enam"].map((REGION) => observeGateway({ REGION }));
      for (const gateway of gateways) for (let made = 0; made < 4; made += 1) await gateway.get("/orders", key.value);
      expect(gateways.reduce((sum, { calls }) => sum + calls.upstream, 0)).toBe(admitted);
    }
  });

  it("is another one for whom it is overridden, from the moment the table is in force", async () => {
    await limit([{ ...RATE, limit: 1 }]);
    const [key, gateway] = [await freshKey(), observeGateway()];
    const three = async () => statuses(times(3, () => gateway.get("/orders", key.value)));
    // Which of them it is that passes is nobody's promise: they come at once.
    expect((await three()).toSorted((one, other) => one - other)).toEqual([200, 429, 429]);
    await limit([{ ...RATE, limit: 1, overrides: { [key.id]: 4 } }]);
    expect(await three()).toEqual([200, 200, 200]);
  });

  it("is shared by all keys of an organization, or by all who use a route", async () => {
    for (const per of ["owner", "organization", "route"] as const) {
      await limit([{ ...RATE, name: `by-${per}`, per, limit: 3 }]);
      const [keys, gateway] = [await Promise.all(times(2, freshKey)), observeGateway()];
      for (const key of [...keys, ...keys, ...keys]) await gateway.get("/orders", key.value);
      expect(gateway.calls.upstream).toBe(3);
    }
  });

  it("counts nothing of what is refused for the key", async () => {
    await limit([RATE]);
    const gateway = observeGateway();
    const powerless = await installation.key(organization, ["reports:read"]);
    expect((await gateway.get("/orders", powerless.value)).status).toBe(403);
    expect((await gateway.send("/orders")).status).toBe(401);
    expect(gateway.calls.limiter).toBe(0);
  });

  it("does not let a key pass that was revoked while its limiter was asked", async () => {
    await limit([RATE]);
    const [key, gateway] = [await freshKey(), observeGateway()];
    let answer = () => {};
    limiterWorld.answered = new Promise((resolve) => (answer = resolve));
    const request = gateway.get("/orders", key.value);
    while (gateway.calls.limiter === 0) await scheduler.wait(1);
    await installation.must("DELETE", `/api_keys/${key.id}`);
    answer();
    expect((await request).status).toBe(401);
    expect(gateway.calls.upstream).toBe(0);
  });
});

describe("a quota", () => {
  it("outlives its limiter, and begins again the next day", async () => {
    await limit([DAILY]);
    const [key, gateway] = [await freshKey(), observeGateway()];
    // A stub is of no use any more when its object has died.
    const limiter = () => env.LIMITER.getByName(`global/key:${key.id}`);
    for (let made = 0; made < 8; made += 1) {
      await gateway.get("/orders", key.value);
      if (made % 3 === 0) await kill(limiter());
    }
    expect(gateway.calls.upstream).toBe(8);
    await kill(limiter());
    const [one, other] = [observeGateway(), observeGateway()];
    for (const each of [one, other, one, other, one, other]) await each.get("/orders", key.value);
    expect(one.calls.upstream + other.calls.upstream).toBeLessThanOrEqual(2);
    const denied = await other.get("/orders", key.value);
    expect(await denied.json()).toMatchObject({ status: 429, code: "quota_exceeded" });
    pass(86_400_000, [other]);
    expect((await other.get("/orders", key.value)).status).toBe(200);
  });

  it("leaves nothing behind when it counts nothing any more", async () => {
    await limit([RATE]);
    const [key, gateway] = [await freshKey(), observeGateway()];
    const limiter = env.LIMITER.getByName(`global/key:${key.id}`);
    await gateway.get("/orders", key.value);
    await runDurableObjectAlarm(limiter);
    expect((await gateway.get("/orders", key.value)).headers.get("X-RateLimit-Remaining")).toBe("8");
    pass(3_600_000, [gateway]);
    await runDurableObjectAlarm(limiter);
    expect(await runDurableObjectAlarm(limiter)).toBe(false);
    expect((await gateway.get("/orders", key.value)).headers.get("X-RateLimit-Remaining")).toBe("9");
  });
});

describe("a budget", () => {
  it("is not overspent by concurrent requests, and counts what a route costs", async () => {
    organization = await installation.organization();
    await limit([BUDGET], { cost: 3 });
    const key = await freshKey();
    const gateways = times(3, () => observeGateway());
    await statuses(gateways.flatMap((gateway) => times(20, () => gateway.get("/orders", key.value))));
    const admitted = gateways.reduce((sum, { calls }) => sum + calls.upstream, 0);
    expect(admitted).toBeGreaterThan(0);
    expect(admitted * 3).toBeLessThanOrEqual(10);
  });

  it("is not charged for what came to nothing, but for everything else", async () => {
    organization = await installation.organization();
    await limit([BUDGET], { cost: 5 });
    const [key, gateway] = [await freshKey(), observeGateway()];
    for (const status of [503, 500, 304, 503, 404, 200]) {
      gateway.faults.upstream = async () => new Response(null, { status });
      const answer = await gateway.get("/orders", key.value);
      expect(answer.status).toBe(status === 200 ? 429 : status);
    }
  });

  it("counts while a request is under way, which may still cost", async () => {
    organization = await installation.organization();
    await limit([BUDGET], { cost: 6 });
    const [key, gateway] = [await freshKey(), observeGateway()];
    const { answer, end } = openAnswer();
    gateway.faults.upstream = async () => new Response(answer.body, { status: 500 });
    const first = await gateway.get("/orders", key.value);
    expect((await gateway.get("/orders", key.value)).status).toBe(429);
    end();
    await first.arrayBuffer();
    pass(3_000, [gateway]);
    await gateway.settled();
    gateway.faults.upstream = async () => new Response("done");
    expect((await gateway.get("/orders", key.value)).status).toBe(200);
  });
});

describe("a concurrency limit", () => {
  it("has only so many requests under way over all gateways, from their beginning to the last byte of their answers", async () => {
    await limit([PLACES]);
    const key = await freshKey();
    const [one, other] = [observeGateway(), observeGateway()];
    const open = times(2, openAnswer);
    const answers: Response[] = [];
    for (const [at, gateway] of [one, other].entries()) {
      gateway.faults.upstream = async () => open[at]?.answer ?? new Response();
      answers.push(await gateway.get("/orders", key.value));
    }
    const denied = await one.get("/orders", key.value);
    expect(denied.headers.get("RateLimit")).toBe('"at-once";r=0');
    expect(await denied.json()).toMatchObject({ status: 429, code: "concurrency_exceeded" });
    for (const { end } of open) end();
    for (const answer of answers) await answer.arrayBuffer();
    one.faults.upstream = async () => new Response("done");
    expect(await (await one.get("/orders", key.value)).text()).toBe("done");
    // One thing that goes on beside the requests may lead to another.
    for (const gateway of [one, other]) while (gateway.outliving.length > 0) await gateway.settled();
    const third = observeGateway();
    expect((await third.get("/orders", key.value)).status).toBe(200);
  });

  it("does not change an answer's bytes or headers", async () => {
    await limit([PLACES]);
    const [key, gateway] = [await freshKey(), observeGateway()];
    gateway.faults.upstream = async () => new Response("12345", { headers: { "Content-Length": "5", ETag: '"a"' } });
    const answer = await gateway.get("/orders", key.value);
    expect([answer.headers.get("Content-Length"), answer.headers.get("ETag"), await answer.text()]).toEqual(["5", '"a"', "12345"]);
  });
});

describe("a limiter that cannot be reached", () => {
  it.each(["throws", "hangs"] as const)("and %s has requests refused with 503, unless the route allows otherwise", async (fault) => {
    await limit([RATE]);
    const [key, gateway] = [await freshKey(), observeGateway()];
    limiterWorld.fault = fault;
    const answer = await gateway.get("/orders", key.value);
    expect(answer.status).toBe(503);
    expect(answer.headers.get("Retry-After")).toBe("1");
    expect(await answer.json()).toMatchObject({ code: "limiter_unreachable" });
    await limit([RATE], { outage: { allowStale: 5 } });
    expect((await gateway.get("/orders", key.value)).status).toBe(200);
    expect(JSON.parse(gateway.logLines.at(-1) ?? "")).toMatchObject({ outcome: "allow", unlimited: true });
    expect(gateway.counted).toContain("unlimited_decision");
    gateway.clock.aheadMs += 5_000;
    expect((await gateway.get("/orders", key.value)).status).toBe(503);
  });

  it("is asked beside the requests until it answers, and nobody waits for it", async () => {
    await limit([RATE]);
    const [key, gateway] = [await freshKey(), observeGateway()];
    limiterWorld.fault = "throws";
    await gateway.get("/orders", key.value);
    healLimiters();
    gateway.clock.aheadMs += 1_000;
    expect((await gateway.get("/orders", key.value)).status).toBe(503);
    await gateway.settled();
    expect((await gateway.get("/orders", key.value)).status).toBe(200);
  });

  it("does not take away what is leased already", async () => {
    await limit([{ ...RATE, limit: 1_000 }]);
    const [key, gateway] = [await freshKey(), observeGateway()];
    for (let made = 0; made < 20; made += 1) await gateway.get("/orders", key.value);
    limiterWorld.fault = "throws";
    expect((await gateway.get("/orders", key.value)).status).toBe(200);
  });
});
