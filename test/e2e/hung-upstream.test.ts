/** An API that takes requests and says nothing: each of them ends in time, though they wait together, and whatever becomes of the one that ticks. */
import { once } from "node:events";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, it } from "vitest";
import { callApi } from "../../local/api-client.ts";
import { TICK_MS } from "../../worker/answer-deadlines.ts";
import { LONG_LEASES, startTestSystem, type TestSystem } from "../system.ts";

/** Longer than a tick, so that timers come from it. */
const FIRST_BYTE_MS = TICK_MS + 2_000;
const CLIENTS = 16;
const TICKS = 3;

let system: TestSystem;
let upstream: http.Server;
let key: string;

beforeAll(async () => {
  system = await startTestSystem({ settings: LONG_LEASES });
  upstream = http.createServer((request, response) => void (request.url === "/answers" && response.end("ok"))).listen(0, "127.0.0.1");
  await once(upstream, "listening");
  const { port } = upstream.address() as AddressInfo;
  const route = {
    name: "all",
    methods: ["GET"],
    path: "/*",
    upstream: `http://127.0.0.1:${port}`,
    permissions: { all: ["orders:read"] },
    timeouts: { firstByte: FIRST_BYTE_MS },
  };
  await callApi(system.controlPlane, system.adminKey, "PUT", "/routes", { routes: [route] });
  const asked = { name: "waits", permissions: ["orders:read"] };
  key = String(
    (await callApi(system.controlPlane, system.adminKey, "POST", `/organizations/${system.organizationId}/api_keys`, asked))["value"],
  );
});
afterAll(async () => {
  upstream?.close();
  upstream?.closeAllConnections();
  await system?.[Symbol.asyncDispose]();
});

function get(path: string, signal?: AbortSignal): Promise<Response> {
  return fetch(new URL(path, system.gateway), { headers: { Authorization: `Bearer ${key}` }, ...(signal && { signal }) });
}

it("ends all requests that wait, also when the client has gone of the one that ticks", { timeout: 60_000 }, async () => {
  const hangsUp = new AbortController();
  const arrived = once(upstream, "request");
  const ticking = get("/hangs", hangsUp.signal).catch((error: unknown) => error);
  await arrived;
  const waiting = [get("/hangs"), get("/hangs")];
  expect(await (await get("/answers")).text()).toBe("ok");
  hangsUp.abort();
  expect(await ticking).toMatchObject({ name: "AbortError" });
  for (const response of await Promise.all(waiting)) {
    expect(response.status).toBe(504);
    expect(await response.json()).toMatchObject({ code: "upstream_timeout" });
  }
  expect(await (await get("/answers")).text()).toBe("ok");
});

/** For so long, because only code that has run tens of thousands of times is compiled in the way in which this has gone wrong. */
it("answers all requests that are under way when the tick comes", { timeout: 90_000 }, async () => {
  const untilMs = Date.now() + TICKS * TICK_MS + 2_000;
  const statuses = new Set<number>();
  const client = async () => {
    while (Date.now() < untilMs) {
      const response = await get("/answers");
      statuses.add(response.status);
      await response.arrayBuffer();
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
  expect([...statuses]).toEqual([200]);
});
