/** What the gateway refuses, with which status, challenge and reason, and what a refusal costs. */
import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import { base62OfInteger } from "../../core/base62.ts";
import { crc32OfAscii } from "../../core/crc32.ts";
import { install, unissuedToken, type Installation, type IssuedKey, type Json } from "./installation.ts";
import { observeGateway, type ObservedGateway } from "./observed-gateway.ts";

const OTHER_TAG_KEYS = "A:CCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCA";

let installation: Installation;
let organization: string;
let key: IssuedKey;
let secondKey: IssuedKey;
beforeAll(async () => {
  installation = await install();
  organization = await installation.organization();
  key = await installation.key(organization, ["orders:read"]);
  secondKey = await installation.key(organization, ["orders:read"]);
});

interface Refused {
  readonly status: number;
  readonly code: string;
  /** As logged; the code unless the caller is told less. */
  readonly reason?: string;
  readonly challenge: string | null;
}

const MALFORMED_TOKEN: Refused = { status: 401, code: "malformed_token", challenge: 'error="invalid_token"' };
const MALFORMED_CREDENTIAL: Refused = { status: 400, code: "malformed_credential", challenge: 'error="invalid_request"' };
const MULTIPLE: Refused = { status: 400, code: "multiple_credentials", challenge: 'error="invalid_request"' };
const FORGED: Refused = { status: 401, code: "invalid_key", reason: "forged_token", challenge: 'error="invalid_token"' };
const CHECKSUM: Refused = { status: 401, code: "checksum_mismatch", challenge: 'error="invalid_token"' };
const AMBIGUOUS: Refused = { status: 400, code: "ambiguous_path", challenge: 'error="invalid_request"' };

async function expectRefused(gateway: ObservedGateway, response: Response, expected: Refused): Promise<Json> {
  const body: Json = await response.json();
  const logged = JSON.parse(gateway.logLines.at(-1) ?? "{}") as Json;
  expect({ status: response.status, logged: logged["status"], code: body["code"], reason: logged["reason"] }).toEqual({
    status: expected.status,
    logged: expected.status,
    code: expected.code,
    reason: expected.reason ?? expected.code,
  });
  const challenge = response.headers.get("www-authenticate");
  if (expected.challenge === null) expect(challenge).toBeNull();
  else expect(challenge).toContain(expected.challenge);
  expect(response.headers.get("content-type")).toBe("application/problem+json");
  expect(response.headers.get("portcullis-request-id")).toBe(body["request_id"]);
  expect(logged["request_id"]).toBe(body["request_id"]);
  expect(body["status"]).toBe(response.status);
  return body;
}

/** As in wrangler.toml. */
const AN_EDGE_LEASE_MS = 100;
const NOTHING = { kv: 0, replica: 0, ledger: 0, limiter: 0, upstream: 0 };
const bearer = (text: string) => ({ Authorization: `Bearer ${text}` });
const basic = (text: string) => ({ Authorization: `Basic ${btoa(text)}` });
/** The key with the character at a place from the end changed to another one. */
function flipped(text: string, fromEnd: number): string {
  const at = text.length - fromEnd;
  return text.slice(0, at) + (text[at] === "0" ? "1" : "0") + text.slice(at + 1);
}

it("each refusal has an id of its own, whatever else is refused for the same reason before it is read", async () => {
  const gateway = observeGateway();
  const [first, second] = [await gateway.get("/orders", "hello"), await gateway.get("/orders", "hello")];
  const ids = gateway.logLines.map((line) => (JSON.parse(line) as Json)["request_id"]);
  expect(new Set(ids).size).toBe(2);
  for (const [at, response] of [first, second].entries()) {
    expect(response.headers.get("portcullis-request-id")).toBe(ids[at]);
    expect(((await response.json()) as Json)["request_id"]).toBe(ids[at]);
  }
});

describe("a malformed or made-up credential is refused without touching KV or a Durable Object:", () => {
  const cases: readonly [string, () => HeadersInit, Refused][] = [
    ["no key at all", () => bearer("hello"), MALFORMED_TOKEN],
    ["a truncated key", () => bearer(key.value.slice(0, -1)), MALFORMED_TOKEN],
    ["a key and one more character", () => bearer(`${key.value}0`), MALFORMED_TOKEN],
    ["another product's prefix", () => bearer(unissuedToken({ prefix: "sk" })), MALFORMED_TOKEN],
    ["an environment that does not exist", () => bearer(key.value.replace("_live_", "_prod_")), MALFORMED_TOKEN],
    ["upper-case prefix", () => bearer(key.value.replace("pc_", "PC_")), MALFORMED_TOKEN],
    ["a character outside base62", () => bearer(key.value.replace(/.$/, "-")), MALFORMED_TOKEN],
    ["non-ASCII", () => bearer(key.value.replace(/.$/, "é")), MALFORMED_TOKEN],
    ["an over-long key", () => bearer("a".repeat(400)), MALFORMED_TOKEN],
    ["an over-long header", () => bearer("a".repeat(8_000)), MALFORMED_CREDENTIAL],
    ["a flipped checksum", () => bearer(flipped(key.value, 1)), CHECKSUM],
    ["a flipped secret", () => bearer(flipped(key.value, 10)), CHECKSUM],
    ["a live key dressed as a test key", () => bearer(key.value.replace("_live_", "_test_")), CHECKSUM],
    ["a tag under another secret", () => bearer(unissuedToken({ tagKeys: OTHER_TAG_KEYS })), FORGED],
    ["a tag key id that does not exist", () => bearer(unissuedToken({ tagKeys: OTHER_TAG_KEYS.replace("A:", "B:") })), FORGED],
    ["a cell that does not exist", () => bearer(unissuedToken({ cell: 9 })), FORGED],
    ["Authorization and X-API-Key", () => ({ ...bearer(key.value), "X-API-Key": secondKey.value }), MULTIPLE],
    ["the same key in both places", () => ({ ...bearer(key.value), "X-API-Key": key.value }), MULTIPLE],
    [
      "two X-API-Key headers",
      () => [
        ["X-API-Key", key.value],
        ["X-API-Key", secondKey.value],
      ],
      MULTIPLE,
    ],
    [
      "two Authorization headers",
      () => [
        ["Authorization", `Bearer ${key.value}`],
        ["Authorization", `Bearer ${secondKey.value}`],
      ],
      MULTIPLE,
    ],
    ["a scheme without a key", () => ({ Authorization: "Bearer" }), MALFORMED_CREDENTIAL],
    ["a key without a scheme", () => ({ Authorization: key.value }), MALFORMED_CREDENTIAL],
    ["an unknown scheme", () => ({ Authorization: `Digest ${key.value}` }), MALFORMED_CREDENTIAL],
    ["two words after the scheme", () => ({ Authorization: `Bearer ${key.value} x` }), MALFORMED_CREDENTIAL],
    ["an empty Authorization", () => ({ Authorization: "" }), MALFORMED_CREDENTIAL],
    ["an empty X-API-Key", () => ({ "X-API-Key": "" }), MALFORMED_CREDENTIAL],
    ["Basic that is no base64", () => ({ Authorization: "Basic !!!!" }), MALFORMED_CREDENTIAL],
    ["Basic with an empty user name", () => basic(":password"), MALFORMED_CREDENTIAL],
  ];
  it.each(cases)("%s", async (_, headers, expected) => {
    const gateway = observeGateway();
    await expectRefused(gateway, await gateway.send("/orders", { headers: headers() }), expected);
    expect(gateway.calls).toEqual(NOTHING);
  });

  it("a key of an environment this gateway does not accept", async () => {
    const gateway = observeGateway({ ACCEPTED_ENVIRONMENTS: "test" });
    const expected = { status: 401, code: "wrong_environment", challenge: 'error="invalid_token"' };
    await expectRefused(gateway, await gateway.get("/orders", key.value), expected);
    expect(gateway.calls).toEqual(NOTHING);
  });

  it("also on a public route", async () => {
    const gateway = observeGateway();
    await expectRefused(gateway, await gateway.get("/health", flipped(key.value, 1)), CHECKSUM);
    expect(gateway.calls).toEqual(NOTHING);
  });
});

describe("an ambiguous path is refused before anything is looked up:", () => {
  it.each([
    "/admin%2f..",
    "/admin%2F%2e%2e/orders",
    "//orders",
    "/orders//1",
    "/orders%00",
    "/..;/orders",
    "/orders;x=1",
    "/orders%5c..",
    "/%c0%af",
    "/%e0%80%af",
    "/%ff",
    "/orders%",
    "/orders%zz",
    "/%252e%252e/admin",
    `/${"a".repeat(2_048)}`,
  ])("%s", async (path) => {
    const gateway = observeGateway();
    await expectRefused(gateway, await gateway.get(path, key.value), AMBIGUOUS);
    expect(gateway.calls).toEqual(NOTHING);
  });
});

describe("the Authorization header", () => {
  it.each(["Bearer", "bearer", "BEARER", "bEaReR"])("takes its scheme as %s", async (scheme) => {
    expect((await observeGateway().send("/orders", { headers: { Authorization: `${scheme}   ${key.value}  ` } })).status).toBe(200);
  });

  it("may be X-API-Key instead", async () => {
    expect((await observeGateway().send("/orders", { headers: { "x-api-key": key.value } })).status).toBe(200);
  });

  it("may be Basic with the key as user name, where the route allows it and nowhere else", async () => {
    const gateway = observeGateway();
    expect((await gateway.send("/orders/1", { headers: basic(`${key.value}:`) })).status).toBe(200);
    const expected = { status: 401, code: "basic_not_allowed", challenge: 'error="invalid_token"' };
    await expectRefused(gateway, await gateway.send("/orders", { headers: basic(`${key.value}:`) }), expected);
  });

  it("is never replaced by the query string", async () => {
    const gateway = observeGateway();
    const response = await gateway.send(`/orders?api_key=${key.value}&access_token=${key.value}`);
    expect(response.status).toBe(401);
    expect(response.headers.get("www-authenticate")).toBe('Bearer realm="portcullis"');
  });
});

describe("a key in order", () => {
  it("with a wrong secret is refused as if it were unknown, and the log knows better", async () => {
    const gateway = observeGateway();
    const invalid = { status: 401, code: "invalid_key", challenge: 'error="invalid_token"' };
    await expectRefused(gateway, await gateway.get("/orders", withSecretOf(key, secondKey)), { ...invalid, reason: "invalid_secret" });
    await expectRefused(gateway, await gateway.get("/orders", unissuedToken()), { ...invalid, reason: "unknown_key" });
  });

  it("that lacks a permission is told which, in body and challenge", async () => {
    const gateway = observeGateway();
    const expected = { status: 403, code: "insufficient_scope", challenge: 'error="insufficient_scope"' };
    const body = await expectRefused(gateway, await gateway.get("/admin/users", key.value), expected);
    expect(body).toMatchObject({ missing_permissions: ["admin:all"], required: "all" });
    const response = await gateway.get("/admin/users", key.value);
    expect(response.headers.get("www-authenticate")).toContain('scope="admin:all"');
  });

  it("passes where any one of several permissions will do", async () => {
    expect((await observeGateway().get("/reports", key.value)).status).toBe(200);
    const writer = await installation.key(organization, ["orders:write"]);
    const body: Json = await (await observeGateway().get("/reports", writer.value)).json();
    expect(body).toMatchObject({ missing_permissions: ["reports:read", "orders:read"], required: "any" });
  });

  it("finds no route for another method or an unknown path", async () => {
    const gateway = observeGateway();
    const expected = { status: 404, code: "no_route", challenge: null };
    await expectRefused(gateway, await gateway.send("/orders", { method: "DELETE", headers: bearer(key.value) }), expected);
    await expectRefused(gateway, await gateway.get("/nowhere", key.value), expected);
    await expectRefused(gateway, await gateway.get("/admin", key.value), expected);
    expect(gateway.calls.upstream).toBe(0);
  });

  it("is refused for the time being when the ledger cannot be asked, also if it is in memory", async () => {
    const gateway = observeGateway();
    await gateway.get("/orders", key.value);
    gateway.faults.ledger = "unreachable";
    gateway.clock.aheadMs = AN_EDGE_LEASE_MS;
    const response = await gateway.get("/orders", key.value);
    expect(response.headers.get("retry-after")).toBe("1");
    await expectRefused(gateway, response, { status: 503, code: "ledger_unreachable", challenge: null });
    expect(gateway.calls.upstream).toBe(1);
  });

  it("is refused for the time being when its record cannot be resolved", async () => {
    await env.KEYS.delete("routes");
    const gateway = observeGateway();
    gateway.faults.ledger = "unresolvable";
    await expectRefused(gateway, await gateway.get("/orders", key.value), { status: 503, code: "ledger_unreachable", challenge: null });
    gateway.faults.ledger = "none";
    expect((await gateway.get("/orders", key.value)).status).toBe(200);
  });
});

describe("a request without a credential", () => {
  it("passes on a public route, unidentified", async () => {
    const gateway = observeGateway();
    expect((await gateway.send("/health")).status).toBe(200);
    expect(gateway.forwarded[0]?.headers.has("portcullis-key-id")).toBe(false);
  });

  it("is challenged elsewhere, with no error code (RFC 6750 section 3.1)", async () => {
    const gateway = observeGateway();
    const response = await gateway.send("/orders");
    expect(response.headers.get("www-authenticate")).toBe('Bearer realm="portcullis"');
    await expectRefused(gateway, response, { status: 401, code: "missing_credential", challenge: "Bearer" });
  });

  it("gets no body on HEAD", async () => {
    const response = await observeGateway().send("/orders", { method: "HEAD" });
    expect([response.status, response.body]).toEqual([401, null]);
  });
});

/** One key's id with another key's secret, and a checksum that fits: what a thief of ids could make. */
function withSecretOf(target: IssuedKey, source: IssuedKey): string {
  const at = target.value.lastIndexOf("_") + 1 + 26;
  return withChecksum(target.value.slice(0, at) + source.value.slice(at, -6));
}

/** A token's text with the checksum that belongs behind it. */
function withChecksum(text: string): string {
  return text + base62OfInteger(crc32OfAscii(text), 6);
}
