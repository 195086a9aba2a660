/** Limits of a route together with what else it says: web pages, and rules for headers. With attacks. */
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { LIMIT_HEADERS } from "../../core/limits/headers.ts";
import { install, UPSTREAM, type Installation, type IssuedKey } from "./installation.ts";
import { healLimiters, limiterWorld } from "./limiter-world.ts";
import { observeGateway, type ObservedGateway } from "./observed-gateway.ts";

const PAGE = "https://app.example.com";
const READ = { methods: ["GET"], upstream: UPSTREAM, permissions: { all: ["orders:read"] } };
const LIMITED = { ...READ, limits: [{ name: "calls", kind: "rate", per: "key", limit: 2, window: 60 }] };
const CORS = { origins: [PAGE], exposed: ["ETag"] };
const ROUTES = [
  { ...LIMITED, name: "paged", path: "/paged", cors: CORS },
  { ...LIMITED, name: "any-page", path: "/any-page", cors: { origins: ["*"] } },
  { ...READ, name: "free", path: "/free", cors: CORS },
  {
    ...LIMITED,
    name: "ruled",
    path: "/ruled",
    headers: {
      response: {
        set: { RateLimit: '"calls";r=999', "X-RateLimit-Remaining": "999", "Retry-After": "0" },
        remove: ["RateLimit-Policy", "X-RateLimit-Limit", "X-RateLimit-Reset"],
      },
    },
  },
];

let installation: Installation;
let organization: string;
beforeAll(async () => {
  installation = await install();
  organization = await installation.organization();
  await installation.must("PUT", "/routes", { routes: ROUTES });
});
afterEach(healLimiters);

const freshKey = (): Promise<IssuedKey> => installation.key(organization, ["orders:read"]);

function fromPage(gateway: ObservedGateway, path: string, { value }: IssuedKey, origin = PAGE): Promise<Response> {
  return gateway.send(path, { headers: { Authorization: `Bearer ${value}`, Origin: origin } });
}

/** What a script of a page may read: the headers that are exposed to it, if it may read the answer at all. */
function readableTo(origin: string, { headers }: Response): string[] {
  const allowed = headers.get("access-control-allow-origin");
  if (allowed !== "*" && allowed !== origin) return [];
  const exposed = (headers.get("access-control-expose-headers") ?? "").toLowerCase().split(", ");
  return [...headers.keys()].filter((name) => exposed.includes(name));
}

const SAID = LIMIT_HEADERS.filter((name) => name !== "Retry-After").map((name) => name.toLowerCase());

describe("pages of a limited route", () => {
  it("can read how the limit stands", async () => {
    for (const path of ["/paged", "/any-page"]) {
      const answer = await fromPage(observeGateway(), path, await freshKey());
      expect(answer.status).toBe(200);
      expect(readableTo(PAGE, answer)).toEqual(expect.arrayContaining(SAID));
    }
  });

  it("can read a 429, why it is one and when to come again", async () => {
    for (const path of ["/paged", "/any-page"]) {
      const [gateway, key] = [observeGateway(), await freshKey()];
      for (let used = 0; used < 2; used += 1) await fromPage(gateway, path, key);
      const denied = await fromPage(gateway, path, key);
      expect(denied.status).toBe(429);
      expect(readableTo(PAGE, denied)).toEqual(expect.arrayContaining([...SAID, "retry-after"]));
      expect(await denied.json()).toMatchObject({ code: "rate_limited", "violated-policies": ["calls"] });
    }
  });

  it("can read that nobody can count now", async () => {
    limiterWorld.fault = "throws";
    const refused = await fromPage(observeGateway(), "/paged", await freshKey());
    expect(refused.status).toBe(503);
    expect(readableTo(PAGE, refused)).toContain("retry-after");
  });

  it("of other origins can read nothing of it", async () => {
    const [gateway, key] = [observeGateway(), await freshKey()];
    const evil = "https://evil.example";
    for (let used = 0; used < 3; used += 1) expect(readableTo(evil, await fromPage(gateway, "/paged", key, evil))).toEqual([]);
  });

  it("are told of no limit where there is none", async () => {
    const answer = await fromPage(observeGateway(), "/free", await freshKey());
    expect(answer.headers.get("access-control-expose-headers")).toBe("Portcullis-Request-Id, ETag");
  });
});

describe("a preflight", () => {
  it("takes nothing of a limit, and asks no limiter, however many come", async () => {
    const [gateway, key] = [observeGateway(), await freshKey()];
    const preflight = { Origin: PAGE, "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization" };
    for (let sent = 0; sent < 20; sent += 1) {
      const withKey = { ...preflight, Authorization: `Bearer ${key.value}` };
      const headers = sent % 2 === 0 ? preflight : withKey;
      expect((await gateway.send("/paged", { method: "OPTIONS", headers })).status).toBe(204);
    }
    expect([gateway.calls.limiter, gateway.calls.upstream]).toEqual([0, 0]);
    const statuses = [];
    for (let sent = 0; sent < 3; sent += 1) statuses.push((await fromPage(gateway, "/paged", key)).status);
    expect(statuses).toEqual([200, 200, 429]);
  });

  it("is answered also where the limit is used up", async () => {
    const [gateway, key] = [observeGateway(), await freshKey()];
    for (let used = 0; used < 3; used += 1) await fromPage(gateway, "/paged", key);
    const headers = { Origin: PAGE, "Access-Control-Request-Method": "GET" };
    expect((await gateway.send("/paged", { method: "OPTIONS", headers })).status).toBe(204);
  });
});

describe("what is said of a limit", () => {
  it("is the gateway's: rules for headers neither take it out nor say otherwise, nor does the upstream", async () => {
    const [gateway, key] = [observeGateway(), await freshKey()];
    gateway.faults.upstream = async () => new Response("", { headers: { RateLimit: '"theirs";r=7', "X-RateLimit-Limit": "7" } });
    const allowed = await gateway.get("/ruled", key.value);
    expect(allowed.headers.get("RateLimit-Policy")).toBe('"calls";q=2;w=60');
    expect(allowed.headers.get("RateLimit")).toMatch(/^"calls";r=1;t=\d+$/);
    expect(["Limit", "Remaining"].map((name) => allowed.headers.get(`X-RateLimit-${name}`))).toEqual(["2", "1"]);
    await gateway.get("/ruled", key.value);
    const denied = await gateway.get("/ruled", key.value);
    expect(denied.status).toBe(429);
    expect(Number(denied.headers.get("Retry-After"))).toBeGreaterThan(0);
    expect(denied.headers.get("RateLimit")).toMatch(/^"calls";r=0;t=\d+$/);
  });
});
