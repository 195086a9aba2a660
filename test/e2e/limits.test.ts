/** Answers on routes whose limits are settled at their end, over real sockets: nothing of them changes, and their end is noticed. */
import { once } from "node:events";
import http, { type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, it } from "vitest";
import { callApi } from "../../local/api-client.ts";
import { LONG_LEASES, startTestSystem, type TestSystem } from "../system.ts";

let system: TestSystem;
let upstream: http.Server;
let key: string;
let serve: (request: IncomingMessage, response: ServerResponse) => void;

beforeAll(async () => {
  system = await startTestSystem({ settings: LONG_LEASES });
  upstream = http.createServer((request, response) => serve(request, response)).listen(0, "127.0.0.1");
  await once(upstream, "listening");
  const { port } = upstream.address() as AddressInfo;
  const route = {
    name: "all",
    methods: ["GET"],
    path: "/*",
    upstream: `http://127.0.0.1:${port}`,
    permissions: { all: ["orders:read"] },
    limits: [{ name: "one-at-a-time", kind: "concurrency", per: "key", limit: 1 }],
  };
  await callApi(system.controlPlane, system.adminKey, "PUT", "/routes", { routes: [route] });
  const asked = { name: "limited", permissions: ["orders:read"] };
  key = String(
    (await callApi(system.controlPlane, system.adminKey, "POST", `/organizations/${system.organizationId}/api_keys`, asked))["value"],
  );
});
afterAll(async () => {
  upstream?.close();
  upstream?.closeAllConnections();
  await system?.[Symbol.asyncDispose]();
});

async function send(method = "GET"): Promise<IncomingMessage> {
  const request = http.request(new URL("/x", system.gateway), {
    method,
    headers: { Authorization: `Bearer ${key}`, "Accept-Encoding": "gzip" },
  });
  const [response] = (await once(request.end(), "response")) as [IncomingMessage];
  return response;
}

async function bytesOf(response: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of response as AsyncIterable<Buffer>) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** Sends until the place is free: that it is, is told a moment after the last byte. */
async function sendWhenFree(method = "GET"): Promise<IncomingMessage> {
  for (;;) {
    const response = await send(method);
    if (response.statusCode !== 429) return response;
    response.resume();
  }
}

it("passes compressed bytes on as they are, with and without a length", async () => {
  const packed = gzipSync("some text ".repeat(1_000));
  for (const length of [{ "Content-Length": packed.length }, {}]) {
    serve = (_, response) => response.writeHead(200, { "Content-Encoding": "gzip", ...length }).end(packed);
    const response = await sendWhenFree();
    expect(response.headers["content-encoding"]).toBe("gzip");
    expect(response.headers["content-length"]).toBe("Content-Length" in length ? String(packed.length) : undefined);
    expect((await bytesOf(response)).equals(packed)).toBe(true);
  }
});

it("says the length of an answer to HEAD", async () => {
  serve = (_, response) => response.writeHead(200, { "Content-Length": 17 }).end();
  const response = await sendWhenFree("HEAD");
  expect(response.headers["content-length"]).toBe("17");
  response.resume();
});

it("has the place again when the client goes in the middle of an answer, and the upstream is told", async () => {
  const gone = new Promise<void>((resolve) => {
    serve = (_, response) => {
      response.writeHead(200);
      // That a client has gone is noticed when there is something to be sent to it.
      const writing = setInterval(() => response.write("more"), 20);
      response.on("close", () => {
        clearInterval(writing);
        resolve();
      });
    };
  });
  const response = await sendWhenFree();
  await once(response, "data");
  expect((await send()).statusCode).toBe(429);
  response.destroy();
  await gone;
  serve = (_, other) => other.end("done");
  expect(String(await bytesOf(await sendWhenFree()))).toBe("done");
});
