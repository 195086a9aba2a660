/**
 * Requests as no well-behaved client writes them, byte by byte over a socket: each is refused, or what was authorised is exactly
 * what the upstream gets. Every route leads to a folder of its own at the upstream, so that the upstream can tell which one it was.
 */
import { once } from "node:events";
import http from "node:http";
import net, { type AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { decodeJwt } from "jose";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { callApi } from "../../local/api-client.ts";
import { LONG_LEASES, startTestSystem, type TestSystem } from "../system.ts";

const HOST = "Host: gateway.example\r\n";
/** Stands for the header with the key, which may use every route but `admin`. */
const KEY = "<key>\r\n";

let system: TestSystem;
let upstream: http.Server;
let keyHeader: string;
/** What reached the upstream, oldest first: method, path, body. */
let reached: string[] = [];
let headersReached: http.IncomingHttpHeaders[] = [];

beforeAll(async () => {
  system = await startTestSystem({ settings: LONG_LEASES });
  upstream = http
    .createServer((request, response) => {
      headersReached.push(request.headers);
      void text(request).then((body) => {
        reached.push([request.method, request.url, ...(body === "" ? [] : [body])].join(" "));
        response.end("served");
      });
    })
    .listen(0, "127.0.0.1");
  await once(upstream, "listening");
  const { port } = upstream.address() as AddressInfo;
  const route = (name: string, path: string, more: object) => ({
    name,
    methods: ["GET", "POST", "OPTIONS"],
    path,
    upstream: `http://127.0.0.1:${port}/of-${name}`,
    permissions: { all: ["orders:read"] },
    ...more,
  });
  const routes = [
    route("orders", "/orders", {}),
    route("below", "/orders/*", {}),
    route("hosted", "/hosted", { host: "api.example" }),
    route("admin", "/admin", { permissions: { all: ["invoices:pay"] } }),
    route("admin-below", "/admin/*", { permissions: { all: ["invoices:pay"] } }),
  ];
  await callApi(system.controlPlane, system.adminKey, "PUT", "/routes", { routes });
  const asked = { name: "raw", permissions: ["orders:read"] };
  const key = await callApi(system.controlPlane, system.adminKey, "POST", `/organizations/${system.organizationId}/api_keys`, asked);
  keyHeader = `Authorization: Bearer ${String(key["value"])}\r\n`;
});
afterAll(async () => {
  upstream?.close();
  upstream?.closeAllConnections();
  await system?.[Symbol.asyncDispose]();
});
afterEach(() => {
  reached = [];
  headersReached = [];
});

/** Sends the bytes, and answers all that comes back until the gateway has closed the connection. */
async function exchange(bytes: string): Promise<string> {
  const socket = net.connect(Number(system.gateway.port), system.gateway.hostname);
  socket.end(Buffer.from(bytes.replaceAll(KEY, keyHeader), "latin1"));
  return text(socket);
}

const statusesOf = (answers: string) => [...answers.matchAll(/HTTP\/1\.[01] (\d{3}) /g)].map(([, status]) => Number(status));
const get = (target: string, head = HOST) => `GET ${target} HTTP/1.1\r\n${head}${KEY}\r\n`;
const post = (framing: string, body: string) => `POST /orders HTTP/1.1\r\n${HOST}${KEY}${framing}\r\n${body}`;

/** What is sent, the statuses of all answers to it, and what reaches the upstream. */
type Case = readonly [what: string, bytes: string, statuses: readonly number[], reaches: readonly string[]];

async function expectAsSaid([what, bytes, statuses, reaches]: Case): Promise<void> {
  expect([what, statusesOf(await exchange(bytes)), reached]).toEqual([what, statuses, reaches]);
}

/** Ways round a rule for `/admin` that some gateway and some server behind it once disagreed on. */
const PASSED_ELSEWHERE: readonly (readonly [what: string, target: string])[] = [
  ["that climbs out of a parameter", "/orders/..;/admin"],
  ["that climbs out of a named parameter", "/orders/..;a=b/admin"],
  ["with an escaped parameter", "/orders/%3b/../admin"],
  ["with a parameter in an escaped dot segment", "/orders/%2e%2e;/admin"],
  ["that stands still in escapes", "/%2e/admin"],
  ["that stands still behind", "/admin/."],
  ["that stands still behind, in escapes", "/admin/%2e"],
  ["with three slashes", "///admin"],
  ["with a slash in escapes before it", "/%2fadmin"],
  ["with a slash in escapes behind", "/admin%2f"],
  ["with a slash in escapes of escapes", "/%252fadmin"],
  ["with escapes of escapes of escapes", "/orders/%25252e%25252e/admin"],
  ["with a backslash before it", "/\\admin"],
  ["with a backslash behind", "/admin\\"],
  ["that climbs by a mix of both", "/orders/..\\/admin"],
  ["that climbs by escaped backslashes twice", "/orders/%5c..%5cadmin"],
  ["with an escaped tab behind", "/admin%09"],
  ["with an escaped line break behind", "/admin%0d%0a"],
  ["with a header in escapes", "/orders%0d%0aX-A:%201"],
  ["with an escaped NUL behind", "/admin%00"],
  ["with an escaped NUL and a suffix", "/admin%00.json"],
  ["with an overlong dot", "/orders/%c0%ae%c0%ae/admin"],
  ["with an overlong slash", "/orders/..%c0%afadmin"],
  ["with an overlong slash of three bytes", "/orders/..%e0%80%afadmin"],
  ["with escapes that are not UTF-8", "/admin%ff"],
  ["with half a surrogate", "/admin%ed%a0%80"],
  ["with an escape of another kind", "/orders/%u002e%u002e/admin"],
  ["with an escaped question mark that is escaped again", "/admin%253f"],
  ["with an escaped DEL behind", "/admin%7f"],
  ["with an escaped C1 control behind", "/admin%c2%85"],
  ["with a percent sign behind", "/admin%"],
  ["in absolute form with two slashes", "http://gateway.example//admin"],
  ["in absolute form that climbs in escapes", "http://gateway.example/orders/%2e%2e/admin"],
];

describe("a target", () => {
  it.each<Case>([
    ["in order", get("/orders"), [200], ["GET /of-orders/orders"]],
    ["that climbs", get("/orders/../admin"), [400], []],
    ["that climbs out of the upstream's folder", get("/orders/../../of-admin/admin"), [400], []],
    ["that climbs in escapes", get("/orders/%2e%2e/admin"), [400], []],
    ["that climbs in half an escape", get("/orders/.%2E/admin"), [400], []],
    ["that climbs by backslashes", get("/orders\\..\\admin"), [400], []],
    ["that climbs by escaped backslashes", get("/orders/..%5cadmin"), [400], []],
    ["that climbs by escaped slashes", get("/orders/..%2fadmin"), [400], []],
    ["that climbs in escapes of escapes", get("/orders/%252e%252e/admin"), [400], []],
    ["that stands still", get("/orders/./1"), [400], []],
    ["with an empty segment first", get("//admin"), [400], []],
    ["that looks like a host", get("//api.example/hosted"), [400], []],
    ["with an empty segment inside", get("/orders//1"), [400], []],
    ["with a parameter", get("/orders;/../admin"), [400], []],
    ["with a fragment, which is no part of it", get("/orders#/../admin"), [200], ["GET /of-orders/orders"]],
    ["that climbs behind the question mark only", get("/orders?next=/../admin"), [200], ["GET /of-orders/orders?next=/../admin"]],
    ["with what may stand plain in escapes", get("/orders/%7Eabc%41"), [200], ["GET /of-below/orders/~abcA"]],
    ["with bytes that should be escapes", get("/orders/\xc3\xa9"), [200], ["GET /of-below/orders/%C3%A9"]],
    ["with bytes that are not UTF-8", get("/orders/\xe9"), [400], []],
    ["with NUL in it", get("/orders\0"), [400], []],
    ["with a tab in it", get("/orders\t/admin"), [400], []],
    ["with a blank in it", get("/orders /admin"), [400], []],
    // What has got past other gateways: their matching and the server's reading of the path differed
    ...PASSED_ELSEWHERE.map(([what, target]): Case => [what, get(target), [400], []]),
    ["with another case than the route's", get("/ADMIN"), [404], []],
    ["with a full stop behind", get("/admin."), [404], []],
    ["with a blank in escapes behind", get("/admin%20"), [404], []],
    ["with a suffix that some frameworks cut off", get("/admin.json"), [404], []],
    ["with a slash behind", get("/admin/"), [403], []],
    ["with a letter of it in escapes", get("/%61dmin"), [403], []],
    ["with all of it in escapes", get("/%61%64%6D%69%6E"), [403], []],
    ["with a full-width letter", get("/%EF%BD%81dmin"), [404], []],
    [
      "with full-width dots and slashes, which are letters",
      get("/orders/%EF%BC%8E%EF%BC%8E%EF%BC%8Fadmin"),
      [200],
      ["GET /of-below/orders/%EF%BC%8E%EF%BC%8E%EF%BC%8Fadmin"],
    ],
    ["with a method in the query", get("/orders?_method=DELETE"), [200], ["GET /of-orders/orders?_method=DELETE"]],
    ["that is a question mark only", get("?"), [400], []],
    ["without a slash", get("orders"), [404], []],
    ["that is a star", `OPTIONS * HTTP/1.1\r\n${HOST}${KEY}\r\n`, [400], []],
    ["of a tunnel", `CONNECT /orders HTTP/1.1\r\n${HOST}${KEY}\r\n`, [500], []],
    ["in absolute form", get("http://gateway.example/orders"), [200], ["GET /of-orders/orders"]],
    ["in absolute form that climbs", get("http://gateway.example/orders/../admin"), [400], []],
    ["in absolute form with a host that Host does not name", get("http://api.example/hosted"), [404], []],
    ["in absolute form with a user name", get("http://api.example@gateway.example/hosted"), [404], []],
    ["in absolute form with an odd path in the user name", get("http://x/admin@gateway.example/orders"), [404], []],
    ["in the form of HTTP/0.9", "GET /orders\r\n", [400], []],
    ["of a version nobody knows", `GET /orders HTTP/2.0\r\n${HOST}${KEY}\r\n`, [400], []],
    ["of a method nobody knows", `GETT /orders HTTP/1.1\r\n${HOST}${KEY}\r\n`, [501], []],
    ["of a method in small letters", `get /orders HTTP/1.1\r\n${HOST}${KEY}\r\n`, [501], []],
    // Such a one would end the text that it stands in, in the log.
    ["of a method with a quotation mark", `G"ET /orders HTTP/1.1\r\n${HOST}${KEY}\r\n`, [400], []],
    ["of a method with a backslash", `G\\ET /orders HTTP/1.1\r\n${HOST}${KEY}\r\n`, [400], []],
    ["of a method with a control character", `G\u0001ET /orders HTTP/1.1\r\n${HOST}${KEY}\r\n`, [400], []],
  ])("%s", (...said) => expectAsSaid(said));
});

describe("a Host", () => {
  const hosted = (value: string) => get("/hosted", `Host: ${value}\r\n`);
  const served = ["GET /of-hosted/hosted"];

  it.each<Case>([
    ["in order", hosted("api.example"), [200], served],
    ["with a port", hosted("api.example:8443"), [200], served],
    ["in capitals", hosted("API.Example"), [200], served],
    ["with the root's dot", hosted("api.example."), [200], served],
    ["with two dots", hosted("api.example.."), [404], []],
    ["with a user name", hosted("user@api.example"), [404], []],
    ["as the user name of another", hosted("api.example@evil.example"), [404], []],
    ["with another behind a comma", hosted("api.example, evil.example"), [404], []],
    ["with another behind a blank", hosted("api.example evil.example"), [404], []],
    ["with a port that is none", hosted("api.example:x"), [404], []],
    ["that only begins like it", hosted("api.example.evil.example"), [404], []],
    ["that only ends like it", hosted("evil-api.example"), [404], []],
    ["twice, the right one first", get("/hosted", "Host: api.example\r\nHost: evil.example\r\n"), [404], []],
    ["twice, the right one last", get("/hosted", "Host: evil.example\r\nHost: api.example\r\n"), [404], []],
    ["that is empty", hosted(""), [400], []],
    ["that is not there", get("/hosted", ""), [400], []],
    ["with a path that is not its own", get("/orders", "Host: gateway.example/admin?\r\n"), [403], []],
    ["with a path that climbs", get("/admin", "Host: gateway.example/orders/..\r\n"), [400], []],
    ["with a fragment", get("/orders", "Host: gateway.example/admin#\r\n"), [400], []],
    ["with a backslash", get("/orders", "Host: gateway.example\\admin\r\n"), [400], []],
    ["with a path in front of the target's", get("/hosted", "Host: api.example/orders\r\n"), [200], ["GET /of-below/orders/hosted"]],
  ])("%s", (...said) => expectAsSaid(said));
});

describe("a header", () => {
  it.each<Case>([
    ["that is folded", get("/orders", `${HOST}X-A: one\r\n two\r\n`), [400], []],
    ["that hides a key in a fold", `GET /orders HTTP/1.1\r\n${HOST}X-A: one\r\n ${KEY}\r\n`, [400], []],
    ["with a blank before its colon", get("/orders", `${HOST}X-A : one\r\n`), [400], []],
    ["with a carriage return in it", get("/orders", `${HOST}X-A: one\rX-B: two\r\n`), [400], []],
    ["with NUL in it", get("/orders", `${HOST}X-A: one\0two\r\n`), [400], []],
    ["without a colon", get("/orders", `${HOST}X-A\r\n`), [400], []],
    ["without a name", get("/orders", `${HOST}: one\r\n`), [400], []],
    ["before all others, folded into the request line", `GET /orders HTTP/1.1\r\n ${HOST}${KEY}\r\n`, [400], []],
  ])("%s", (...said) => expectAsSaid(said));

  it("of our own that a client sends arrives as ours, however it is written", async () => {
    const imitations = ["Portcullis-Assertion", "portcullis_assertion", "PORTCULLIS-ASSERTION", "Portcullis.Key.Id"].map(
      (name) => `${name}: mine\r\n`,
    );
    expect(statusesOf(await exchange(get("/orders", HOST + imitations.join(""))))).toEqual([200]);
    expect(decodeJwt(String(headersReached[0]?.["portcullis-assertion"]))["key_id"]).toMatch(/^api_key_/);
    expect(JSON.stringify(headersReached)).not.toContain("mine");
  });
});

describe("the end of a request", () => {
  /** A request for what the key may not do, to be taken for the rest of another one. */
  const smuggled = `GET /admin HTTP/1.1\r\n${HOST}\r\n`;
  const withKey = `GET /admin HTTP/1.1\r\n${HOST}${KEY}\r\n`;
  const one = (body: string) => `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
  const postedOnce = (body = "") => [`POST /of-orders/orders${body && ` ${body}`}`];

  it.each<Case>([
    ["by Content-Length", post("Content-Length: 5\r\n", `hello${withKey}`), [200, 403], postedOnce("hello")],
    ["in chunks", post("Transfer-Encoding: chunked\r\n", one("hello") + withKey), [200, 403], postedOnce("hello")],
    [
      "in chunks with extensions and a trailer",
      post("Transfer-Encoding: chunked\r\n", "5;a=b\r\nhello\r\n0\r\nX-A: 1\r\n\r\n"),
      [200],
      postedOnce("hello"),
    ],
    [
      "by both: the chunks count, and nothing more is read",
      post("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", one("hello") + smuggled),
      [200],
      postedOnce("hello"),
    ],
    [
      "by both in the other order",
      post("Transfer-Encoding: chunked\r\nContent-Length: 500\r\n", one("hello") + smuggled),
      [200],
      postedOnce("hello"),
    ],
    [
      "by both, the length for what the chunks do not hold",
      post(`Content-Length: ${5 + smuggled.length}\r\nTransfer-Encoding: chunked\r\n`, `0\r\n\r\n${smuggled}`),
      [200],
      postedOnce(),
    ],
    ["by two lengths", post("Content-Length: 5\r\nContent-Length: 0\r\n", `hello${smuggled}`), [400], []],
    ["by a list of lengths", post("Content-Length: 5, 5\r\n", `hello${smuggled}`), [400], []],
    ["by a length with a sign", post("Content-Length: +5\r\n", `hello${smuggled}`), [400], []],
    ["by a length below nothing", post("Content-Length: -5\r\n", `hello${smuggled}`), [400], []],
    ["by a length in another base", post("Content-Length: 0x5\r\n", `hello${smuggled}`), [400], []],
    ["by a length beyond every number", post(`Content-Length: ${"9".repeat(40)}\r\n`, `hello${smuggled}`), [400], []],
    [
      "by a coding that only looks like chunks",
      post("Transfer-Encoding: xchunked\r\nContent-Length: 5\r\n", `hello${smuggled}`),
      [400],
      [],
    ],
    ["by chunks in a fold", post("Transfer-Encoding:\r\n chunked\r\nContent-Length: 5\r\n", `hello${smuggled}`), [400], []],
    ["by chunks behind a vertical tab", post("Transfer-Encoding: \x0bchunked\r\nContent-Length: 5\r\n", `hello${smuggled}`), [400], []],
    ["by identity", post("Transfer-Encoding: identity\r\nContent-Length: 5\r\n", `hello${smuggled}`), [400], []],
    [
      "of a GET, by a length: what it holds is a body and no request",
      `GET /orders HTTP/1.1\r\n${HOST}${KEY}Content-Length: ${smuggled.length}\r\n\r\n${smuggled}`,
      [200],
      ["GET /of-orders/orders"],
    ],
    ["of a GET without a length: what follows is a request of its own", get("/orders") + smuggled, [200, 401], ["GET /of-orders/orders"]],
  ])("%s", (...said) => expectAsSaid(said));
});
