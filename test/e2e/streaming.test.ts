/** Bodies pass piece by piece, both ways, over real sockets. The upstream is held back by the test, so a gateway that gathers a body would hang. */
import { once } from "node:events";
import http, { type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, it } from "vitest";
import { callApi } from "../../local/api-client.ts";
import { LONG_LEASES, startTestSystem, type TestSystem } from "../system.ts";

let system: TestSystem;
let upstream: http.Server;
let key: string;
/** What the upstream does with the next request. */
let serve: (request: IncomingMessage, response: ServerResponse) => void;

beforeAll(async () => {
  system = await startTestSystem({ settings: LONG_LEASES });
  upstream = http.createServer((request, response) => serve(request, response)).listen(0, "127.0.0.1");
  await once(upstream, "listening");
  const { port } = upstream.address() as AddressInfo;
  const route = {
    name: "all",
    methods: ["GET", "POST"],
    path: "/*",
    upstream: `http://127.0.0.1:${port}`,
    permissions: { all: ["orders:read"] },
  };
  await callApi(system.controlPlane, system.adminKey, "PUT", "/routes", { routes: [route] });
  const asked = { name: "streams", permissions: ["orders:read"] };
  key = String(
    (await callApi(system.controlPlane, system.adminKey, "POST", `/organizations/${system.organizationId}/api_keys`, asked))["value"],
  );
});
afterAll(async () => {
  upstream?.close();
  upstream?.closeAllConnections();
  await system?.[Symbol.asyncDispose]();
});

function send(method: string): http.ClientRequest {
  return http.request(new URL("/x", system.gateway), { method, headers: { Authorization: `Bearer ${key}` } });
}

/** Gives the pieces of a body one after the other, and undefined at its end. */
function piecesOf(body: IncomingMessage): () => Promise<string | undefined> {
  const pieces = body[Symbol.asyncIterator]();
  return async () => {
    const { value, done } = await pieces.next();
    return done === true ? undefined : String(value);
  };
}

it("hands each piece of an answer on before the next one exists", async () => {
  let answer: ServerResponse | undefined;
  serve = (_, response) => {
    answer = response;
    response.writeHead(200, { "Content-Type": "text/event-stream" });
    response.write("data: one\n\n");
  };
  const request = send("GET").end();
  const [response] = (await once(request, "response")) as [IncomingMessage];
  const next = piecesOf(response);
  expect(await next()).toBe("data: one\n\n");
  answer?.write("data: two\n\n");
  expect(await next()).toBe("data: two\n\n");
  answer?.end("data: three\n\n");
  expect([await next(), await next()]).toEqual(["data: three\n\n", undefined]);
});

it("hands each piece of a request on before the next one exists, and an answer that comes before the request has ended", async () => {
  let received: IncomingMessage | undefined;
  const arrived = new Promise<void>((resolve) => {
    serve = (request, response) => {
      received = request;
      response.writeHead(200).write("early ");
      resolve();
      request.on("end", () => response.end("late"));
    };
  });
  const request = send("POST");
  request.write("first");
  await arrived;
  if (!received) throw new Error("nothing arrived");
  const nextReceived = piecesOf(received);
  expect(await nextReceived()).toBe("first");
  const [response] = (await once(request, "response")) as [IncomingMessage];
  const nextAnswered = piecesOf(response);
  expect(await nextAnswered()).toBe("early ");
  request.end("last");
  expect([await nextReceived(), await nextReceived()]).toEqual(["last", undefined]);
  expect([await nextAnswered(), await nextAnswered()]).toEqual(["late", undefined]);
});
