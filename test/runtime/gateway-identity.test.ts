/** How the customer's API is told who is calling, and that nobody else can tell it. */
import { createLocalJWKSet, decodeJwt, errors, jwtVerify, type JSONWebKeySet } from "jose";
import { beforeAll, describe, expect, it } from "vitest";
import { install, UPSTREAM, type Installation, type IssuedKey } from "./installation.ts";
import { observeGateway, type ObservedGateway } from "./observed-gateway.ts";

const KEY_SET = "/.well-known/portcullis/jwks.json";
const AUDIENCE = new URL(UPSTREAM).origin;
const SIGNED_ONLY = { UPSTREAM_IDENTITY: "assertion" };

let installation: Installation;
let organization: string;
let key: IssuedKey;
beforeAll(async () => {
  installation = await install();
  organization = await installation.organization();
  key = await installation.key(organization, ["orders:read", "orders:write"]);
});

/** The assertion that came with the latest request. */
function assertionOf(gateway: ObservedGateway): string {
  const text = gateway.forwarded.at(-1)?.headers.get("portcullis-assertion");
  if (typeof text !== "string") throw new Error("the upstream got no assertion");
  return text;
}

/** Verifies as an API would: with what the gateway publishes. */
async function verified(gateway: ObservedGateway, text: string, audience = AUDIENCE) {
  const keySet = createLocalJWKSet(await (await gateway.send(KEY_SET)).json<JSONWebKeySet>());
  const currentDate = new Date(Date.now() + gateway.clock.aheadMs);
  return jwtVerify(text, keySet, { issuer: "portcullis", audience, algorithms: ["ES256"], typ: "portcullis-assertion+jwt", currentDate });
}

describe("an assertion", () => {
  it("says whose key it is, what it may do and on which route, to that upstream, for a minute", async () => {
    const gateway = observeGateway(SIGNED_ONLY);
    await gateway.get("/orders", key.value);
    const { payload } = await verified(gateway, assertionOf(gateway));
    const { iat = 0, exp = 0, ...said } = payload;
    expect(exp - iat).toBe(60);
    expect(said).toEqual({
      iss: "portcullis",
      aud: AUDIENCE,
      sub: organization,
      organization_id: organization,
      key_id: key.id,
      environment: "live",
      permissions: ["orders:read", "orders:write"],
      route: "orders-read",
    });
    await expect(verified(gateway, assertionOf(gateway), "https://another.example")).rejects.toThrow(errors.JWTClaimValidationFailed);
  });

  it("names the person behind a user's key, with what they may do of it", async () => {
    const { userId } = await installation.member(organization, "viewer");
    const own = await installation.userKey(userId, organization, ["orders:read"]);
    const gateway = observeGateway(SIGNED_ONLY);
    await gateway.get("/orders", own.value);
    const { payload } = await verified(gateway, assertionOf(gateway));
    expect(payload).toMatchObject({ sub: userId, organization_id: organization, permissions: ["orders:read"] });
  });

  it("does not say more than the key may do since", async () => {
    const narrowed = await installation.key(organization, ["orders:read", "orders:write"]);
    const gateway = observeGateway(SIGNED_ONLY);
    await gateway.get("/orders", narrowed.value);
    await installation.must("PATCH", `/api_keys/${narrowed.id}`, { permissions: ["orders:read"] });
    await gateway.get("/orders", narrowed.value);
    expect(decodeJwt(assertionOf(gateway))["permissions"]).toEqual(["orders:read"]);
  });

  it("is of the route that the request went by", async () => {
    const gateway = observeGateway(SIGNED_ONLY);
    for (const [path, route] of [
      ["/orders", "orders-read"],
      ["/orders/1", "orders-one"],
      ["/orders", "orders-read"],
    ] as const) {
      await gateway.get(path, key.value);
      expect(decodeJwt(assertionOf(gateway))["route"]).toBe(route);
    }
  });

  it("is signed once for half a minute of requests, then anew beside them, and never used when it is about to end", async () => {
    const gateway = observeGateway(SIGNED_ONLY);
    const startedAtMs = Date.now();
    const at = async (seconds: number) => {
      gateway.clock.standsStillAtMs = startedAtMs + seconds * 1_000;
      await gateway.get("/orders", key.value);
      return assertionOf(gateway);
    };
    const first = await at(0);
    expect(await at(29)).toBe(first);
    // Signed anew beside this one.
    expect(await at(31)).toBe(first);
    await gateway.settled();
    const second = await at(32);
    expect(second === first).toBe(false);
    const third = await at(31 + 46);
    expect(decodeJwt(third).iat).toBe(Math.floor((startedAtMs + 77_000) / 1_000));
    // A clock that was set back.
    expect(decodeJwt(await at(1)).iat).toBe(Math.floor((startedAtMs + 1_000) / 1_000));
  });

  it("is not believed when anything of it was changed", async () => {
    const gateway = observeGateway(SIGNED_ONLY);
    await gateway.get("/orders", key.value);
    const [head = "", , signature = ""] = assertionOf(gateway).split(".");
    const forged = btoa(JSON.stringify({ ...decodeJwt(assertionOf(gateway)), key_id: "api_key_other" })).replace(/=+$/, "");
    await expect(verified(gateway, [head, forged, signature].join("."))).rejects.toThrow(errors.JWSSignatureVerificationFailed);
  });
});

describe("a client", () => {
  it.each(["Portcullis-Assertion", "portcullis_assertion", "PORTCULLIS.ASSERTION"])("cannot bring its own %s", async (name) => {
    for (const path of ["/orders", "/health"]) {
      const gateway = observeGateway(SIGNED_ONLY);
      const credential: Record<string, string> = path === "/orders" ? { "X-API-Key": key.value } : {};
      expect((await gateway.send(path, { headers: { ...credential, [name]: "mine" } })).status).toBe(200);
      expect([...(gateway.forwarded[0]?.headers ?? [])].filter(([, value]) => value.includes("mine"))).toEqual([]);
    }
  });
});

describe("the operator", () => {
  it("chooses what upstreams get", async () => {
    for (const [UPSTREAM_IDENTITY, hasAssertion, hasPlain] of [
      ["assertion", true, false],
      ["headers", false, true],
      ["both", true, true],
    ] as const) {
      const gateway = observeGateway({ UPSTREAM_IDENTITY });
      await gateway.get("/orders", key.value);
      const headers = gateway.forwarded[0]?.headers;
      expect([headers?.has("portcullis-assertion"), headers?.has("portcullis-key-id")]).toEqual([hasAssertion, hasPlain]);
    }
  });

  it("publishes the public halves of the keys, the signing one and those kept for rotation", async () => {
    const other = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign", "verify"]);
    if (!("privateKey" in other)) throw new Error("expected a pair");
    const exported = await crypto.subtle.exportKey("jwk", other.privateKey);
    if (exported instanceof ArrayBuffer) throw new Error("expected a JWK");
    const { d, x, y } = exported;
    const next = { kty: "EC", crv: "P-256", kid: "next", x, y, d };
    const before = observeGateway(SIGNED_ONLY);
    await before.get("/orders", key.value);
    const published = await (await before.send(KEY_SET)).text();
    expect(published).not.toContain('"d"');
    const { keys } = JSON.parse(published) as { keys: object[] };
    const rotated = observeGateway({ ...SIGNED_ONLY, ASSERTION_KEYS: JSON.stringify({ keys: [next, { ...keys[0], d }] }) });
    await rotated.get("/orders", key.value);
    // The new one signs; what the old one signed is believed as well.
    await verified(rotated, assertionOf(rotated));
    await verified(rotated, assertionOf(before));
    await expect(verified(before, assertionOf(rotated))).rejects.toThrow(errors.JWKSNoMatchingKey);
  });

  it("publishes none when nothing is signed", async () => {
    const response = await observeGateway({ UPSTREAM_IDENTITY: "headers" }).send(KEY_SET);
    expect(response.status).toBe(404);
  });
});
