/** Clients that people use, through the gateway to a real server: what they send and get is what they would without it. */
import { execFile } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import http, { type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { promisify } from "node:util";
import { EventSource } from "eventsource";
import { Client, fetch as undiciFetch, FormData } from "undici";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { callApi } from "../../local/api-client.ts";
import { LONG_LEASES, startTestSystem, type TestSystem } from "../system.ts";

const MIB = 1_048_576;
const LARGE = 64 * MIB;

let system: TestSystem;
let upstream: http.Server;
let sockets: WebSocketServer;
let authorization: string;
/** What the upstream does with the next request. */
let serve: (request: IncomingMessage, response: ServerResponse) => void;

beforeAll(async () => {
  system = await startTestSystem({ settings: LONG_LEASES });
  upstream = http.createServer((request, response) => serve(request, response)).listen(0, "127.0.0.1");
  sockets = new WebSocketServer({ server: upstream, handleProtocols: (offered) => [...offered].at(-1) ?? false });
  await once(upstream, "listening");
  const { port } = upstream.address() as AddressInfo;
  const route = {
    name: "all",
    methods: ["GET", "POST", "PUT"],
    path: "/*",
    upstream: `http://127.0.0.1:${port}`,
    permissions: { all: ["orders:read"] },
  };
  await callApi(system.controlPlane, system.adminKey, "PUT", "/routes", { routes: [route] });
  const asked = { name: "clients", permissions: ["orders:read"] };
  const key = await callApi(system.controlPlane, system.adminKey, "POST", `/organizations/${system.organizationId}/api_keys`, asked);
  authorization = `Bearer ${String(key["value"])}`;
});
afterAll(async () => {
  sockets?.close();
  upstream?.close();
  upstream?.closeAllConnections();
  await system?.[Symbol.asyncDispose]();
});

const url = (path: string) => new URL(path, system.gateway);
/** Answers what it got, digested. */
const echoes = (request: IncomingMessage, response: ServerResponse) => {
  const digest = createHash("sha256");
  let bytes = 0;
  request.on("data", (piece: Buffer) => {
    digest.update(piece);
    bytes += piece.length;
  });
  request.on("end", () => response.end(JSON.stringify({ method: request.method, url: request.url, bytes, sha256: digest.digest("hex") })));
};
const sha256 = (data: Buffer | string) => createHash("sha256").update(data).digest("hex");

describe("undici", () => {
  it("sends several requests down one connection, and gets each its own answer", async () => {
    serve = echoes;
    const client = new Client(system.gateway.origin, { pipelining: 4 });
    const paths = Array.from({ length: 12 }, (_, at) => `/undici/${at}`);
    const got = await Promise.all(
      paths.map(async (path) => (await client.request({ path, method: "GET", headers: { authorization } })).body.json()),
    );
    expect(got).toMatchObject(paths.map((path) => ({ url: path })));
    await client.close();
  });

  it("sends a form of 64 MB, which arrives byte for byte", async () => {
    const file = randomBytes(LARGE);
    let received: Buffer | undefined;
    serve = (request, response) => {
      const pieces: Buffer[] = [];
      request.on("data", (piece: Buffer) => pieces.push(piece));
      request.on("end", () => {
        received = Buffer.concat(pieces);
        response.end(request.headers["content-type"]);
      });
    };
    const form = new FormData();
    form.set("file", new File([file], "large.bin"));
    const answer = await undiciFetch(url("/form"), { method: "POST", headers: { authorization }, body: form });
    expect(await answer.text()).toMatch(/^multipart\/form-data; boundary=/);
    const at = received?.indexOf(file.subarray(0, 64)) ?? -1;
    expect(sha256(received?.subarray(at, at + LARGE) ?? "")).toBe(sha256(file));
  });
});

describe("curl", () => {
  const curl = async (...options: string[]) =>
    (await promisify(execFile)("curl", ["--silent", "--show-error", "--header", `Authorization: ${authorization}`, ...options])).stdout;

  it("waits for 100 and gets it, and its body arrives", async () => {
    serve = echoes;
    const body = "x".repeat(100_000);
    const output = await curl("--include", "--header", "Expect: 100-continue", "--data-binary", body, url("/curl").href);
    expect(output).toMatch(/^HTTP\/1\.1 100 Continue/);
    expect(output).toContain(sha256(body));
  });

  it("gets a range behind a redirect that it follows itself", async () => {
    serve = (request, response) => {
      if (request.url === "/moved") response.writeHead(302, { Location: "/target" }).end();
      else response.writeHead(206, { "Content-Range": "bytes 0-3/9", "Content-Length": 4 }).end(request.headers.range?.slice(-4));
    };
    expect(await curl("--location", "--range", "0-3", "--write-out", " %{http_code} %{num_redirects}", url("/moved").href)).toBe(
      "=0-3 206 1",
    );
  });
});

describe("eventsource", () => {
  it("gets each event when it happens, and comes back with the last one's id", async () => {
    const connections: { lastId: string | undefined; response: ServerResponse }[] = [];
    let connected = () => {};
    serve = (request, response) => {
      response.writeHead(200, { "Content-Type": "text/event-stream" }).write("retry: 1\n\n");
      connections.push({ lastId: request.headers["last-event-id"] as string | undefined, response });
      connected();
    };
    const events: string[] = [];
    let arrived = () => {};
    const next = async () => new Promise<void>((resolve) => (arrived = resolve));
    const source = new EventSource(url("/events"), {
      fetch: (input, init) => fetch(input, { ...init, headers: { ...init.headers, Authorization: authorization } }),
    });
    source.addEventListener("tick", ({ data }) => {
      events.push(String(data));
      arrived();
    });
    await new Promise<void>((resolve) => (connected = resolve));
    for (const id of ["1", "2"]) {
      const event = next();
      connections[0]?.response.write(`id: ${id}\nevent: tick\ndata: ${id}\n\n`);
      await event;
    }
    const again = new Promise<void>((resolve) => (connected = resolve));
    connections[0]?.response.end();
    await again;
    source.close();
    expect([events, connections.map(({ lastId }) => lastId)]).toEqual([
      ["1", "2"],
      [undefined, "2"],
    ]);
  });
});

describe("ws", () => {
  const connect = (protocols: string[] = []) => new WebSocket(url("/socket"), protocols, { headers: { authorization } });

  it("agrees on a protocol, and sends and gets text, bytes and pings", async () => {
    const accepted = once(sockets, "connection") as Promise<[WebSocket, IncomingMessage]>;
    const client = connect(["v1.example", "v2.example"]);
    const [[server, request]] = await Promise.all([accepted, once(client, "open")]);
    expect([client.protocol, request.headers["authorization"]]).toEqual(["v2.example", undefined]);
    expect(request.headers["portcullis-assertion"]).toBeDefined();
    server.on("message", (data: Buffer, isBinary: boolean) => server.send(data, { binary: isBinary }));
    const large = randomBytes(MIB);
    for (const [sent, isBinary] of [
      ["text é", false],
      [large, true],
    ] as const) {
      client.send(sent);
      const [got, wasBinary] = (await once(client, "message")) as [Buffer, boolean];
      expect([sha256(got), wasBinary]).toEqual([sha256(sent), isBinary]);
    }
    client.close();
  });

  it.each(["the server", "the client"])("is told why %s closes", async (who) => {
    const accepted = once(sockets, "connection") as Promise<[WebSocket]>;
    const client = connect();
    const [[server]] = await Promise.all([accepted, once(client, "open")]);
    const [closing, told] = who === "the server" ? [server, client] : [client, server];
    const closed = once(told, "close") as Promise<[number, Buffer]>;
    closing.close(4001, "no more");
    const [code, reason] = await closed;
    expect([code, reason.toString()]).toEqual([4001, "no more"]);
  });

  it("is refused before it is one when the key is not good", async () => {
    const client = new WebSocket(url("/socket"), { headers: { authorization: "Bearer nonsense" } });
    const [, response] = (await once(client, "unexpected-response")) as [unknown, IncomingMessage];
    expect([response.statusCode, response.headers["proxy-status"]]).toEqual([
      401,
      'portcullis;error=http_request_denied;details="malformed_token"',
    ]);
    response.resume();
    client.on("error", () => {});
    client.terminate();
  });
});

describe("Node's http", () => {
  const open = (method: string, path: string, headers: http.OutgoingHttpHeaders = {}) =>
    http.request(url(path), { method, headers: { authorization, ...headers } });

  it("gets HEAD without a body and with the length of GET, trailers or not", async () => {
    serve = (_request, response) => response.writeHead(200, { "Content-Length": 5 }).end("hello");
    const request = open("HEAD", "/head").end();
    const [response] = (await once(request, "response")) as [IncomingMessage];
    expect([response.headers["content-length"], (await Readable.from(response).toArray()).length]).toEqual(["5", 0]);
  });

  it("is held back while the upstream takes nothing, and goes on when it does", async () => {
    let held: IncomingMessage | undefined;
    const arrived = new Promise<void>((resolve) => {
      serve = (request, response) => {
        held = request;
        request.pause();
        request.on("end", () => response.end("all"));
        resolve();
      };
    });
    const request = open("POST", "/slow", { "Content-Length": LARGE });
    let sent = 0;
    const piece = Buffer.alloc(MIB);
    const finished = (async () => {
      for (; sent < LARGE; sent += MIB) if (!request.write(piece)) await once(request, "drain");
      request.end();
    })();
    await arrived;
    const stopped = await untilSteady(() => sent);
    expect(stopped).toBeLessThan(LARGE / 2);
    held?.resume();
    const [response] = (await once(request, "response")) as [IncomingMessage];
    await finished;
    expect((await Readable.from(response).toArray()).join("")).toBe("all");
  });

  it("holds the upstream back while it takes nothing, and gets all when it does", async () => {
    let written = 0;
    serve = (_request, response) => {
      response.writeHead(200, { "Content-Length": LARGE });
      const piece = Buffer.alloc(MIB);
      void (async () => {
        for (; written < LARGE; written += MIB) if (!response.write(piece)) await once(response, "drain");
        response.end();
      })();
    };
    const request = open("GET", "/large").end();
    const [response] = (await once(request, "response")) as [IncomingMessage];
    expect(await untilSteady(() => written)).toBeLessThan(LARGE / 2);
    let got = 0;
    for await (const piece of response) got += (piece as Buffer).length;
    expect(got).toBe(LARGE);
  });

  it("that goes away in the middle of its body is gone for the upstream, too", async () => {
    const upstreamLost = new Promise<void>((resolve) => {
      serve = (request) => {
        request.once("data", () => client.destroy());
        request.on("error", () => resolve());
        request.on("close", () => resolve());
      };
    });
    const client = open("POST", "/gone", { "Content-Length": 100 });
    client.on("error", () => {});
    client.write("begun");
    await upstreamLost;
  });

  it("that goes away in the middle of an answer is gone for the upstream, too", async () => {
    const upstreamLost = new Promise<void>((resolve) => {
      serve = (_request, response) => {
        response.writeHead(200).write("begun");
        const more = setInterval(() => response.write("more"), 10);
        response.on("close", () => {
          clearInterval(more);
          resolve();
        });
      };
    });
    const client = open("GET", "/gone").end();
    const [response] = (await once(client, "response")) as [IncomingMessage];
    await once(response, "data");
    client.destroy();
    await upstreamLost;
  });
});

/** A count once it has not changed for a while; with back-pressure it stops when every buffer on the way is full. */
async function untilSteady(count: () => number): Promise<number> {
  for (let [last, unchanged] = [-1, 0]; unchanged < 10;) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    [last, unchanged] = count() === last && last > 0 ? [last, unchanged + 1] : [count(), 0];
  }
  return count();
}
