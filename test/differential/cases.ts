/** The requests, and what the origin answers to each: bytes, as recorded from clients and servers or as RFC 9110 to 9112 have them in their corners. */
import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib";
import { REQUESTS_OUT_OF_ORDER } from "./out-of-order.ts";

/** One exchange. */
export interface Case {
  readonly name: string;
  /** All of the request but Host, the key, the case's number and Connection, which are put behind the request line. */
  readonly request: string;
  /** Absent: 200 with a short body. */
  readonly answer?: string;
}

const get = (target: string, head = "") => `GET ${target} HTTP/1.1\r\n${head}\r\n`;
const ok = "HTTP/1.1 200 OK\r\n";
const sized = (body: string, head = "", status = "200 OK") => `HTTP/1.1 ${status}\r\n${head}Content-Length: ${body.length}\r\n\r\n${body}`;
const bytes = (buffer: Buffer) => buffer.toString("latin1");

const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
const BODIES: Readonly<Record<string, string>> = {
  "no body": "\r\n",
  "an empty body": "Content-Length: 0\r\n\r\n",
  "a body": "Content-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello",
  "a body in chunks": "Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n",
  "chunks with extensions": 'Transfer-Encoding: chunked\r\n\r\n5;a=b;c="d"\r\nhello\r\n0\r\n\r\n',
  "chunks with trailers": "Trailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 5\r\n\r\n",
};

const TARGETS = [
  "/",
  "/a/b/c",
  "/a/",
  "/a?b=1&c=2",
  "/a?",
  "/a?b=%2F%2e%2e%2F",
  "/a?b=/../c",
  "/a?q=a+b%20c",
  "/a?q=\"quoted\"&x='y'",
  "/a?q={json:[1]}|^`",
  "/a?b=c?d=e",
  "/a?%",
  "/a?q=\xc3\xa9",
  "/a?;=;",
  "/a?//",
  "/a%20b",
  "/a%2Db",
  "/%61",
  "/a%C3%A9",
  "/a%c3%a9",
  "/a:b@c",
  "/a,b!$&'()*+=",
  "/~user",
  "/-._~",
  "/a%25b",
  "/a%26b",
  "/a%3Fb",
  "/a%23b",
  "/a%40b",
  "/...",
  "/.hidden",
  "/a..b/c",
  `/${"long".repeat(300)}`,
  "/a%5Bb%5D",
  "/a\xc3\xa9",
  "/a|b",
  '/a"b',
  "/a[b]",
  "/a{b}",
  "/a^b`c",
  "/%7Ea",
];

const REQUEST_HEADERS: Readonly<Record<string, string>> = {
  "a header of one's own": "X-Own: 1",
  "an empty header": "X-Empty:",
  "a header with blanks around": "X-Blank: \t  a b \t ",
  "a header twice": "X-Twice: a\r\nX-Twice: b",
  "a header with bytes that are UTF-8": "X-Utf8: \xc3\xa9",
  "a header with bytes that are not": "X-Latin1: \xe9",
  "a header with an underscore": "X_Under: 1",
  "a header with odd characters in its name": "X!#$%&'*+.^`|~: 1",
  "a header of 8 KB": `X-Long: ${"a".repeat(8_000)}`,
  "a hundred headers": Array.from({ length: 100 }, (_, at) => `X-H${at}: ${at}`).join("\r\n"),
  "a list with blanks": "X-List: a , b,c ,, d",
  Accept: "Accept: text/html;q=0.9, */*;q=0.1",
  "Accept-Encoding": "Accept-Encoding: gzip, br;q=0.5, zstd",
  "Accept-Encoding identity": "Accept-Encoding: identity",
  "Accept-Encoding empty": "Accept-Encoding:",
  "Accept-Language": "Accept-Language: de-CH, en;q=0.7",
  "User-Agent": "User-Agent: curl/8.5.0",
  "If-None-Match": 'If-None-Match: "a", W/"b"',
  "If-Match": 'If-Match: "a"',
  "If-Match star": "If-Match: *",
  "If-Modified-Since": "If-Modified-Since: Sat, 29 Oct 1994 19:43:31 GMT",
  "If-Unmodified-Since": "If-Unmodified-Since: Sat, 29 Oct 1994 19:43:31 GMT",
  Range: "Range: bytes=0-499",
  "several ranges": "Range: bytes=0-0,-1",
  "a range of nothing known": "Range: lines=1-2",
  "If-Range": 'Range: bytes=5-\r\nIf-Range: "a"',
  "Cache-Control": "Cache-Control: max-age=0",
  "Cache-Control no-cache": "Cache-Control: no-cache\r\nPragma: no-cache",
  "only-if-cached": "Cache-Control: only-if-cached",
  Cookie: "Cookie: a=1; b=2",
  "two Cookies": "Cookie: a=1; b=2\r\nCookie: c=3",
  "a Cookie with a comma": "Cookie: a=1,2; b=x, y",
  "a Cookie in quotes": 'Cookie: a="1, 2"; b=',
  "an empty Cookie": "Cookie:",
  Origin: "Origin: https://app.example",
  preflight: "Origin: https://app.example\r\nAccess-Control-Request-Method: PUT\r\nAccess-Control-Request-Headers: x-a, x-b",
  Referer: "Referer: https://app.example/a?b#c",
  "Content-Encoding without a body": "Content-Encoding: gzip",
  From: "From: a@example.com",
  "Max-Forwards": "Max-Forwards: 5",
  DNT: "DNT: 1\r\nSec-Fetch-Mode: cors\r\nSec-CH-UA: x",
  traceparent: "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\ntracestate: a=b",
  "Idempotency-Key": 'Idempotency-Key: "8e03978e"',
  Via: "Via: 1.0 fred, 1.1 p.example.net (Apache/1.1)",
  Forwarded: "Forwarded: for=192.0.2.60;proto=http;by=203.0.113.43",
  "X-Forwarded-For": "X-Forwarded-For: 192.0.2.60, 203.0.113.43",
  "X-Forwarded-Host": "X-Forwarded-Host: evil.example",
  "X-Forwarded-Proto": "X-Forwarded-Proto: https",
  "X-Real-IP": "X-Real-IP: 192.0.2.60",
  "X-Original-URL": "X-Original-URL: /admin",
  "X-HTTP-Method-Override": "X-HTTP-Method-Override: DELETE",
  "the gateway's own": "Portcullis-Key-Id: mine",
  "Keep-Alive": "Keep-Alive: timeout=5",
  "Proxy-Connection": "Proxy-Connection: keep-alive",
  "Proxy-Authorization": "Proxy-Authorization: Basic YTpi",
  TE: "TE: gzip",
  "TE trailers": "TE: trailers",
  "Trailer without one": "Trailer: X-Sum",
  "Upgrade to HTTP/2": "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__",
  "a header that Connection names": "Connection: close, X-Hop\r\nX-Hop: 1",
  "Connection names Host and the key": "Connection: close, Host, Authorization",
  "an expectation nobody knows": "Expect: 200-ok",
  Priority: "Priority: u=1, i",
  Early: "Early-Data: 1",
  "an HTTP date in another form": "If-Modified-Since: Sunday, 06-Nov-94 08:49:37 GMT",
};

const text = "The portcullis is down. ".repeat(20);
const ANSWERS: Readonly<Record<string, string>> = {
  "a body": sized("ok", "Content-Type: text/plain\r\n"),
  "no body at all": `${ok}Content-Length: 0\r\n\r\n`,
  "a body in chunks": `${ok}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n`,
  "chunks with extensions": `${ok}Transfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\n\r\n`,
  "chunks with trailers": `${ok}Trailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 3\r\n\r\n`,
  "a body to the end of the connection": `${ok}Connection: close\r\n\r\nuntil the end`,
  "HTTP/1.0": "HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc",
  "a reason of its own": sized("ok", "", "200 Fine by me"),
  "an empty reason": "HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nok",
  "a body that ends too early": `${ok}Content-Length: 10\r\n\r\nabc`,
  "chunks that end too early": `${ok}Transfer-Encoding: chunked\r\n\r\n5\r\nabc`,
  "more than its length": `${ok}Content-Length: 2\r\n\r\nok and more`,
  "100 first": `HTTP/1.1 100 Continue\r\n\r\n${sized("ok")}`,
  "103 first": `HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n${sized("ok")}`,
  "102 twice first": `HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n${sized("ok")}`,
  "two cookies": sized("ok", "Set-Cookie: a=1; Path=/; HttpOnly\r\nSet-Cookie: b=2; Expires=Wed, 21 Oct 2026 07:28:00 GMT\r\n"),
  "headers twice": sized("ok", "Vary: Accept\r\nVary: Origin\r\nLink: </a>; rel=next\r\nLink: </b>; rel=prev\r\n"),
  "two challenges": sized("no", 'WWW-Authenticate: Basic realm="a"\r\nWWW-Authenticate: Bearer\r\n', "401 Unauthorized"),
  "a list with blanks": sized("ok", "X-List: a , b,c\r\n"),
  "an empty header": sized("ok", "X-Empty:\r\n"),
  "a header in UTF-8": sized("ok", "X-Utf8: \xc3\xa9\r\n"),
  "a header in Latin-1": sized("ok", "X-Latin1: \xe9\r\n"),
  "a header of 8 KB": sized("ok", `X-Long: ${"a".repeat(8_000)}\r\n`),
  "an entity tag": sized("ok", 'ETag: "abc"\r\nLast-Modified: Sat, 29 Oct 1994 19:43:31 GMT\r\nVary: Accept-Encoding\r\n'),
  "a weak entity tag": sized("ok", 'ETag: W/"abc"\r\n'),
  "what caches need": sized("ok", "Cache-Control: public, max-age=60\r\nAge: 5\r\nExpires: Wed, 21 Oct 2026 07:28:00 GMT\r\n"),
  "a date and a server": sized("ok", "Date: Sat, 29 Oct 1994 19:43:31 GMT\r\nServer: example\r\n"),
  "a problem of the origin's own": sized(
    '{"a":1}',
    "Content-Type: application/problem+json\r\nRetry-After: 5\r\n",
    "503 Service Unavailable",
  ),
  "Proxy-Status of the origin's own": sized("no", "Proxy-Status: cache;error=dns_timeout\r\n", "502 Bad Gateway"),
  "gzip bytes": sized(
    bytes(gzipSync(text)),
    'Content-Encoding: gzip\r\nContent-Type: text/plain\r\nETag: "z"\r\nVary: Accept-Encoding\r\n',
  ),
  "gzip bytes in chunks": `${ok}Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n${gzipSync(text).length.toString(16)}\r\n${bytes(gzipSync(text))}\r\n0\r\n\r\n`,
  "brotli bytes": sized(bytes(brotliCompressSync(text)), "Content-Encoding: br\r\n"),
  "deflate bytes": sized(bytes(deflateSync(text)), "Content-Encoding: deflate\r\n"),
  "what says to be zstd": sized("(\xb5/\xfd", "Content-Encoding: zstd\r\n"),
  "gzip twice": sized(bytes(gzipSync(gzipSync(text))), "Content-Encoding: gzip, gzip\r\n"),
  "x-gzip": sized(bytes(gzipSync(text)), "Content-Encoding: x-gzip\r\n"),
  "what says to be gzip and is not": sized("plain", "Content-Encoding: gzip\r\n"),
  "a coding nobody knows": sized("plain", "Content-Encoding: rot13\r\n"),
  "binary bytes": sized(
    Array.from({ length: 256 }, (_, at) => String.fromCharCode(at)).join(""),
    "Content-Type: application/octet-stream\r\n",
  ),
  "part of it": sized("llo", 'Content-Range: bytes 2-4/5\r\nETag: "a"\r\nAccept-Ranges: bytes\r\n', "206 Partial Content"),
  "parts of it": sized(
    "--x\r\nContent-Range: bytes 0-0/5\r\n\r\nh\r\n--x--\r\n",
    "Content-Type: multipart/byteranges; boundary=x\r\n",
    "206 Partial Content",
  ),
  "no such part": sized("", "Content-Range: bytes */5\r\n", "416 Range Not Satisfiable"),
  events: `${ok}Content-Type: text/event-stream\r\nCache-Control: no-cache\r\nX-Accel-Buffering: no\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ndata: a\n\n\r\n0\r\n\r\n`,
  "a relative redirect": sized("", "Location: /b?c\r\n", "302 Found"),
  "a redirect to itself": sized("", "Location: http://127.0.0.1/b\r\n", "301 Moved Permanently"),
  "a redirect elsewhere": sized("", "Location: https://elsewhere.example/\r\nRefresh: 0;url=/x\r\n", "307 Temporary Redirect"),
  "hop-by-hop headers": sized("ok", "Keep-Alive: timeout=5\r\nProxy-Connection: close\r\nUpgrade: h2c\r\nTrailer: X-A\r\n"),
  "a header that Connection names": sized("ok", "Connection: close, X-Hop\r\nX-Hop: 1\r\n"),
  "Proxy-Authenticate": sized("ok", "Proxy-Authenticate: Basic\r\n"),
  "Via of its own": sized("ok", "Via: 1.1 cache.example\r\n"),
  "Server-Timing": sized("ok", "Server-Timing: db;dur=5\r\n"),
  "security headers": sized(
    "ok",
    "Strict-Transport-Security: max-age=1\r\nContent-Security-Policy: default-src 'self'\r\nX-Frame-Options: DENY\r\n",
  ),
  "CORS headers": sized("ok", "Access-Control-Allow-Origin: *\r\nAccess-Control-Expose-Headers: X-A\r\n"),
  "headers for the proxy's eyes": sized("ok", "X-Accel-Redirect: /x\r\nX-Sendfile: /etc/passwd\r\n"),
  "Alt-Svc": sized("ok", 'Alt-Svc: h3=":443"\r\n'),
  "lengths twice, the same": `${ok}Content-Length: 2\r\nContent-Length: 2\r\n\r\nok`,
  "lengths twice, different": `${ok}Content-Length: 2\r\nContent-Length: 3\r\n\r\nokk`,
  "length and chunks": `${ok}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n`,
  "a length that is none": `${ok}Content-Length: two\r\n\r\nok`,
  "a folded header": sized("ok", "X-Fold: a\r\n b\r\n"),
  "a blank before a colon": sized("ok", "X-A : 1\r\n"),
  "a line without a colon": sized("ok", "nonsense\r\n"),
  "no HTTP at all": "SSH-2.0-OpenSSH_9.2\r\n\r\n",
  "a status of four digits": sized("ok", "", "2000 OK"),
  "a status of one hundred and nothing else": "HTTP/1.1 100 Continue\r\n\r\n",
  "101 that nobody asked for": "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
  nothing: "\r\n\r\n",
};

const STATUSES = (
  "200 201 202 203 204 205 207 226 299 300 301 302 303 304 305 307 308 400 401 402 403 404 405 406 407 408 409 410 411 412 413 414 415 416 417 " +
  "418 421 422 425 426 428 429 431 451 499 500 501 502 503 504 505 508 511 520 599"
)
  .split(" ")
  .map(Number);
const answerOf = (status: number) =>
  [204, 304].includes(status)
    ? `HTTP/1.1 ${status} Word\r\nETag: "a"\r\n\r\n`
    : sized("ok", "Content-Type: text/plain\r\n", `${status} Word`);

/** All of them. */
export const CASES: readonly Case[] = [
  ...METHODS.flatMap((method) =>
    Object.entries(BODIES).map(([what, rest]) => ({ name: `${method} with ${what}`, request: `${method} /a HTTP/1.1\r\n${rest}` })),
  ),
  ...TARGETS.map((target) => ({ name: `target ${target.slice(0, 60)}`, request: get(target) })),
  ...Object.entries(REQUEST_HEADERS).map(([what, lines]) => ({ name: `request header: ${what}`, request: get("/a", `${lines}\r\n`) })),
  ...STATUSES.map((status) => ({ name: `status ${status}`, request: get("/a"), answer: answerOf(status) })),
  ...STATUSES.filter((status) => [200, 204, 206, 301, 304, 404, 416, 500].includes(status)).map((status) => ({
    name: `HEAD answered with ${status}`,
    request: "HEAD /a HTTP/1.1\r\n\r\n",
    answer: `HTTP/1.1 ${status} Word\r\n${status === 204 ? "" : "Content-Length: 1234\r\n"}ETag: "a"\r\n\r\n`,
  })),
  ...Object.entries(ANSWERS).map(([what, answer]) => ({ name: `answer: ${what}`, request: get("/a"), answer })),
  { name: "answer: gzip bytes to who asks for them", request: get("/a", "Accept-Encoding: gzip\r\n"), answer: ANSWERS["gzip bytes"] ?? "" },
  {
    name: "HEAD answered with gzip",
    request: "HEAD /a HTTP/1.1\r\n\r\n",
    answer: `${ok}Content-Encoding: gzip\r\nContent-Length: 99\r\n\r\n`,
  },
  { name: "HEAD answered in chunks", request: "HEAD /a HTTP/1.1\r\n\r\n", answer: `${ok}Transfer-Encoding: chunked\r\n\r\n` },
  { name: "Expect 100-continue", request: "POST /a HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello" },
  { name: "gzip body", request: "POST /a HTTP/1.1\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\x00" },
  { name: "form body", request: "POST /a HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 7\r\n\r\na=1&b=2" },
  ...REQUESTS_OUT_OF_ORDER,
];
