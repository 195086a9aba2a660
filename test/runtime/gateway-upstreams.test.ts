/** Where requests go that have several places to go to, how long they wait there, and how much passes. */
import { env } from "cloudflare:workers";
import { decodeJwt } from "jose";
import { beforeAll, describe, expect, it } from "vitest";
import { ConfigurationError } from "../../core/configuration.ts";
import { gatewayConfiguration, requireBindings } from "../../worker/configuration.ts";
import { FAILURES_MAX, OUT_MS } from "../../worker/upstream-choice.ts";
import { install, type Installation, type IssuedKey } from "./installation.ts";
import { observeGateway, type ObservedGateway } from "./observed-gateway.ts";

const [A, B, SPARE] = ["https://a.example", "https://b.example", "https://spare.example"];
const SERVICE = "https://service.internal";
const MIB = 1_048_576;

let installation: Installation;
let key: IssuedKey;
beforeAll(async () => {
  installation = await install();
  key = await installation.key(await installation.organization(), ["orders:read"]);
  const route = (name: string, more: object) => ({
    name,
    methods: ["GET", "POST", "PUT"],
    path: `/${name}`,
    upstream: A,
    permissions: { all: ["orders:read"] },
    ...more,
  });
  const routes = [
    route("single", { timeouts: { firstByte: 20 } }),
    route("weighted", {
      upstream: [
        { url: A, weight: 6 },
        { url: B, weight: 2 },
      ],
    }),
    route("spare", { upstream: [{ url: A }, { url: SPARE, weight: 0 }], timeouts: { firstByte: 20 } }),
    route("once", { upstream: [{ url: A }, { url: B }], retries: 0 }),
    route("thrice", { retries: 3 }),
    route("service", {
      upstream: [
        { url: SERVICE, service: "CUSTOMER_API" },
        { url: SERVICE, service: "CUSTOMER_API" },
      ],
    }),
    route("unbound", { upstream: [{ url: SERVICE, service: "OTHER_API" }] }),
    route("small", { bodyLimits: { request: 5, response: 5 } }),
    route("idle", { timeouts: { idle: 20 } }),
  ];
  await installation.must("PUT", "/routes", { routes });
});

const send = (gateway: ObservedGateway, path: string, init: RequestInit = {}) =>
  gateway.send(path, { ...init, headers: { "X-API-Key": key.value, ...init.headers } });
const hostsOf = (gateway: ObservedGateway) => gateway.forwarded.map(({ url }) => new URL(url).origin);
const answersNothing = () => new Promise<never>(() => {});
const breaks = async () => {
  throw new Error("Network connection lost.");
};
/** A body that comes in these pieces, and then ends or does not. */
function bodyOf(pieces: readonly string[], end: "ends" | "hangs" = "ends"): ReadableStream {
  const rest = pieces.map((piece) => new TextEncoder().encode(piece));
  return new ReadableStream({
    pull: async (controller) => {
      const piece = rest.shift();
      if (piece) controller.enqueue(piece);
      else if (end === "ends") controller.close();
      else await answersNothing();
    },
  });
}

describe("several upstreams", () => {
  it("get their shares, evenly spread", async () => {
    const gateway = observeGateway();
    for (let sent = 0; sent < 8; sent += 1) await send(gateway, "/weighted");
    const hosts = hostsOf(gateway);
    expect(hosts.filter((host) => host === B)).toHaveLength(2);
    for (let at = 1; at < hosts.length; at += 1) expect([hosts[at - 1], hosts[at]]).not.toEqual([B, B]);
  });

  it("stand in for each other, also for one that does not answer in time; one that keeps failing is let alone for a while", async () => {
    const gateway = observeGateway();
    let failing: () => Promise<Response> = breaks;
    gateway.faults.upstream = async ({ url }) => (url.startsWith(A) ? failing() : Response.json({}));
    const sendAndSee = async () => {
      gateway.forwarded.length = 0;
      expect((await send(gateway, "/spare")).status).toBe(200);
      return hostsOf(gateway);
    };
    expect(await sendAndSee()).toEqual([A, SPARE]);
    failing = answersNothing;
    for (let failed = 1; failed < FAILURES_MAX; failed += 1) expect(await sendAndSee()).toEqual([A, SPARE]);
    expect(await sendAndSee()).toEqual([SPARE]);
    gateway.clock.aheadMs += OUT_MS;
    expect(await sendAndSee()).toEqual([A, SPARE]);
    expect(await sendAndSee()).toEqual([SPARE]);
    gateway.clock.aheadMs += OUT_MS;
    failing = async () => Response.json({});
    expect([await sendAndSee(), await sendAndSee()]).toEqual([[A], [A]]);
  });

  it("are tried all the same when all are out", async () => {
    const gateway = observeGateway();
    gateway.faults.upstream = breaks;
    for (let failed = 0; failed < FAILURES_MAX; failed += 1) expect((await send(gateway, "/spare")).status).toBe(502);
    gateway.faults.upstream = async () => Response.json({});
    expect((await send(gateway, "/spare")).status).toBe(200);
  });

  it("are not out for answering 500, nor for a request with a body", async () => {
    const gateway = observeGateway();
    const hosts = new Set<string>();
    gateway.faults.upstream = async ({ method }) => (method === "GET" ? new Response("", { status: 500 }) : breaks());
    for (let sent = 0; sent < 2 * FAILURES_MAX; sent += 1) {
      expect((await send(gateway, "/once")).status).toBe(500);
      expect((await send(gateway, "/once", { method: "POST", body: "x" })).status).toBe(502);
    }
    gateway.forwarded.length = 0;
    for (let sent = 0; sent < 2; sent += 1) await send(gateway, "/once");
    for (const host of hostsOf(gateway)) hosts.add(host);
    expect(hosts).toEqual(new Set([A, B]));
  });

  it("are all named in the assertion, which any of them may get", async () => {
    const gateway = observeGateway();
    await send(gateway, "/weighted");
    await send(gateway, "/single");
    const audiences = gateway.forwarded.map(({ headers }) => decodeJwt(headers.get("portcullis-assertion") ?? "").aud);
    expect(audiences).toEqual([[A, B], A]);
  });
});

describe("a request that got no answer", () => {
  it.each([
    ["/thrice", "GET", undefined, 4],
    ["/thrice", "PUT", undefined, 4],
    ["/thrice", "PUT", "x", 1],
    ["/thrice", "POST", undefined, 1],
    ["/once", "GET", undefined, 1],
    ["/weighted", "GET", undefined, 2],
    ["/single", "GET", undefined, 2],
  ])("%s %s with the body %s is sent %i times", async (path, method, body, times) => {
    const gateway = observeGateway();
    gateway.faults.upstream = breaks;
    const response = await send(gateway, path, { method, ...(body !== undefined && { body }) });
    expect([response.status, gateway.calls.upstream]).toEqual([502, times]);
    expect(response.headers.get("proxy-status")).toBe('portcullis;error=connection_terminated;details="upstream_unreachable"');
  });

  it.each([undefined, "a body"])(
    "is 504 after the route's time, and not sent again where there is only one upstream; with the body %s",
    async (body) => {
      const gateway = observeGateway();
      gateway.faults.upstream = async (request) => {
        await request.arrayBuffer();
        return answersNothing();
      };
      const response = await send(gateway, "/single", body === undefined ? {} : { method: "PUT", body });
      expect([response.status, gateway.calls.upstream]).toEqual([504, 1]);
      expect(await response.json()).toMatchObject({ code: "upstream_timeout" });
      expect(response.headers.get("proxy-status")).toBe('portcullis;error=http_response_timeout;details="upstream_timeout"');
    },
  );

  it("has its time from the end of its body on", async () => {
    const gateway = observeGateway();
    const received: string[] = [];
    gateway.faults.upstream = async (request) => {
      received.push(await request.text());
      return Response.json({});
    };
    let finish = () => {};
    const held = new Promise<void>((resolve) => (finish = resolve));
    const body = new ReadableStream({
      start: async (controller) => {
        controller.enqueue(new TextEncoder().encode("slow "));
        await held;
        controller.enqueue(new TextEncoder().encode("client"));
        controller.close();
      },
    });
    const answered = send(gateway, "/single", { method: "POST", body, duplex: "half" } as RequestInit);
    await scheduler.wait(100);
    finish();
    expect((await answered).status).toBe(200);
    expect(received).toEqual(["slow client"]);
  });
});

describe("a service", () => {
  const bound = { UPSTREAM_SERVICES: "CUSTOMER_API" };

  it("gets the request instead of the network", async () => {
    const gateway = observeGateway(bound);
    const response = await send(gateway, "/service?a=1", { method: "POST", body: "hello" });
    const got: { url: string; body: string; assertion: string } = await response.json();
    expect([got.url, got.body, gateway.calls.upstream]).toEqual([`${SERVICE}/service?a=1`, "hello", 0]);
    expect(decodeJwt(got.assertion).aud).toBe(SERVICE);
  });

  it("is asked past the platform's cache, as if the option for that were used, and hears nothing of it", async () => {
    interface Got {
      readonly cf: unknown;
      readonly caching: unknown;
    }
    const byOption = await env.CUSTOMER_API.fetch(SERVICE, { cache: "no-store" });
    const { cf } = await byOption.json<Got>();
    const response = await send(observeGateway(bound), "/service");
    expect(cf).toBeTypeOf("object");
    expect(await response.json()).toMatchObject({ cf, caching: [null, null] });
  });

  it.each([
    ["not allowed", {}, "/service"],
    ["not known", bound, "/unbound"],
  ])("that is %s is 500, and says so", async (_what, settings, path) => {
    const response = await send(observeGateway(settings), path);
    expect(response.status).toBe(500);
    expect(response.headers.get("proxy-status")).toBe('portcullis;error=proxy_configuration_error;details="upstream_misconfigured"');
  });

  it.each(["ABSENT_API", "TOKEN_PREFIX"])("%s, which is none, stops the start", (name) => {
    const start = (names: string) => {
      const settings = { ...env, USAGE_DELIVERY: "off", UPSTREAM_SERVICES: names };
      requireBindings(gatewayConfiguration(settings), settings);
    };
    expect(() => start("CUSTOMER_API")).not.toThrow();
    expect(() => start(`CUSTOMER_API,${name}`)).toThrow(ConfigurationError);
    for (const own of ["KEYS", "LEDGER_READER", "LIMITER_ACCESS", "METRICS", "USAGE_COLLECTOR", "USAGE_QUEUE"])
      expect(() => start(own)).toThrow(/UPSTREAM_SERVICES: must not name a binding of the gateway itself/);
  });
});

describe("a request's body", () => {
  it.each([
    ["hello", 200],
    ["hello!", 413],
  ])("%s with its length is %i", async (body, status) => {
    const gateway = observeGateway();
    const response = await send(gateway, "/small", { method: "POST", body, headers: { "Content-Length": String(body.length) } });
    expect(response.status).toBe(status);
    expect(await gateway.forwarded[0]?.text()).toBe(status === 200 ? body : undefined);
  });

  it.each([
    [["hel", "lo"], 200],
    [["hel", "lo!"], 413],
    [["hello!!!"], 413],
  ])("in the pieces %j is %i", async (pieces, status) => {
    const gateway = observeGateway();
    gateway.faults.upstream = async (request) => {
      await request.text();
      return Response.json({});
    };
    const response = await send(gateway, "/small", { method: "POST", body: bodyOf(pieces), duplex: "half" } as RequestInit);
    expect(response.status).toBe(status);
    if (status === 413)
      expect(response.headers.get("proxy-status")).toBe('portcullis;error=http_request_error;details="request_too_large"');
  });
});

describe("an answer's body", () => {
  const answered = async (path: string, answer: Response) => {
    const gateway = observeGateway();
    gateway.faults.upstream = async () => answer;
    const response = await send(gateway, path);
    const text = response.text().catch(() => "(cut)");
    return { gateway, response, text: await text };
  };
  const cuts = ({ logLines }: ObservedGateway) =>
    logLines.map((line) => JSON.parse(line) as Record<string, unknown>).filter(({ event }) => event === "response_cut");

  it("passes up to the limit, and nobody hears of it", async () => {
    const { text, gateway } = await answered("/small", new Response(bodyOf(["hel", "lo"])));
    expect([text, cuts(gateway)]).toEqual(["hello", []]);
  });

  it("that announces too much is 502", async () => {
    const { response } = await answered("/small", new Response("hello!", { headers: { "Content-Length": "6" } }));
    expect(response.status).toBe(502);
    expect(response.headers.get("proxy-status")).toBe('portcullis;error=http_response_body_size;details="upstream_response_too_large"');
  });

  it("that turns out to be too much is cut off", async () => {
    const { text, gateway } = await answered("/small", new Response(bodyOf(["hel", "lo!"])));
    expect([text, cuts(gateway)]).toMatchObject(["(cut)", [{ route: "small", reason: "too_large" }]]);
  });

  it("whose next piece does not come in time is cut off", async () => {
    const { text, gateway } = await answered("/idle", new Response(bodyOf(["first"], "hangs")));
    expect([text, cuts(gateway)]).toMatchObject(["(cut)", [{ route: "idle", reason: "idle" }]]);
  });

  it("is neither cut off nor gathered because the client takes its time", async () => {
    const gateway = observeGateway();
    let pulled = 0;
    gateway.faults.upstream = async () => {
      const pull = (controller: ReadableStreamDefaultController) => {
        if (pulled === 8) controller.close();
        else controller.enqueue(new Uint8Array(MIB));
        pulled += 1;
      };
      return new Response(new ReadableStream({ pull }, { highWaterMark: 0 }));
    };
    const response = await send(gateway, "/idle");
    await scheduler.wait(100);
    expect(pulled).toBeLessThan(3);
    expect((await response.arrayBuffer()).byteLength).toBe(8 * MIB);
  });
});

describe("a request that has been here before", () => {
  it.each([
    ["1.1 portcullis", {}, 508],
    ["1.0 a.example (comment), HTTP/1.1 PORTCULLIS (b)", {}, 508],
    ["1.1 portcullis", { VIA_NAME: "inner" }, 200],
    ["1.1 inner", { VIA_NAME: "inner" }, 508],
    ["1.1 portcullis.example, 1.1 a (b, 1.1 portcullis , c)", {}, 200],
  ])("Via %s with %j is %i", async (via, settings, status) => {
    const response = await send(observeGateway(settings), "/weighted", { headers: { Via: via } });
    expect(response.status).toBe(status);
    if (status === 508) expect(response.headers.get("proxy-status")).toBe('portcullis;error=proxy_loop_detected;details="request_loop"');
  });
});
