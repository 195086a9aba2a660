/** Apps behind a real gateway: who is calling arrives, and nobody else can say it. */
import { createHmac } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { callApi } from "../../local/api-client.ts";
import { makeSecrets } from "../../local/secrets.ts";
import { publicKeySet, type AssertionKey } from "../../worker/assertion-keys.ts";
import { startTestSystem, type TestSystem } from "../system.ts";
import type { RunningApp } from "./apps/settings.ts";
import { claimsFor, handMade, signed, signingKeyOf } from "./assertions.ts";
import { FRAMEWORKS } from "./frameworks.ts";

const otherKey = signingKeyOf(makeSecrets().gateway.ASSERTION_KEYS);
let system: TestSystem;
let signingKey: AssertionKey;
beforeAll(async () => {
  system = await startTestSystem();
  signingKey = signingKeyOf(system.secrets.gateway["ASSERTION_KEYS"]);
});
afterAll(() => system?.[Symbol.asyncDispose]());

function controlPlane(method: string, path: string, body: Record<string, unknown>) {
  return callApi(system.controlPlane, system.adminKey, method, path, body);
}

describe.each(FRAMEWORKS)("%s", (_, start) => {
  let app: RunningApp;
  beforeAll(async () => {
    app = await start({ behind: "gateway", options: { gateway: system.gateway.origin } });
    const permissions = { any: ["orders:read", "invoices:read"] };
    const routes = [
      { name: "public", methods: ["GET"], path: "/me", upstream: app.origin, public: true },
      { name: "everything", methods: ["GET"], path: "/*", upstream: app.origin, permissions },
    ];
    await controlPlane("PUT", "/routes", { routes });
  });
  afterAll(() => app?.stop());

  /** A request that goes around the gateway. */
  function direct(path: string, assertion: string): Promise<Response> {
    return fetch(new URL(path, app.origin), { headers: { "Portcullis-Assertion": assertion } });
  }

  function throughGateway(path: string, key: string, method = "GET"): Promise<Response> {
    return fetch(new URL(path, system.gateway), { method, headers: { Authorization: `Bearer ${key}` } });
  }

  it("is told of an organization's key and of a person's", async () => {
    const { organizationId, users } = system;
    const own = await controlPlane("POST", `/organizations/${organizationId}/api_keys`, { name: "own", permissions: ["orders:read"] });
    const answer = await throughGateway("/orders", String(own["value"]));
    expect([answer.status, await answer.json()]).toEqual([
      200,
      { type: "organization", keyId: own["id"], organizationId, environment: "live", permissions: ["orders:read"], route: "everything" },
    ]);
    const userId = String(users[0]?.id);
    const asked = { name: "hers", organization_id: organizationId, permissions: ["orders:read"] };
    const hers = await controlPlane("POST", `/user_management/users/${userId}/api_keys`, asked);
    expect(await (await throughGateway("/orders", String(hers["value"]))).json()).toMatchObject({ type: "user", userId, organizationId });
  });

  it("answers who lacks a permission with 403, the permission in challenge and body", async () => {
    const asked = { name: "narrow", permissions: ["orders:read"] };
    const key = String((await controlPlane("POST", `/organizations/${system.organizationId}/api_keys`, asked))["value"]);
    const answer = await throughGateway("/orders/7", key);
    expect([answer.status, answer.headers.get("content-type"), answer.headers.get("www-authenticate")]).toEqual([
      403,
      "application/problem+json",
      'Bearer realm="portcullis", error="insufficient_scope", error_description="Missing permission", scope="orders:write"',
    ]);
    expect(await answer.json()).toMatchObject({ code: "insufficient_scope", missing_permissions: ["orders:write"], required: "all" });
    expect(await (await throughGateway("/invoices", key)).json()).toMatchObject({
      missing_permissions: ["invoices:read", "invoices:pay"],
      required: "any",
    });
    expect(await (await throughGateway("/invoices", key, "HEAD")).text()).toBe("");
  });

  it("reads wildcards as the gateway does", async () => {
    const withPermissions = async (permissions: string[], path: string) =>
      (await direct(path, await signed(signingKey, { ...claimsFor(app.origin), permissions }))).status;
    expect(await withPermissions(["orders:*"], "/orders/7")).toBe(200);
    expect(await withPermissions(["*"], "/invoices")).toBe(200);
    expect(await withPermissions(["orders:read:*", "orders", "order:*"], "/orders")).toBe(403);
  });

  it("answers a request without an assertion with 401 and the bare challenge, whatever else it says of its caller", async () => {
    // The first way is through the gateway, by a public route.
    const ways: (readonly [URL, Record<string, string>])[] = [
      [new URL("/me", system.gateway), { "Portcullis-Assertion": await signed(signingKey, claimsFor(app.origin)) }],
      [new URL("/me", app.origin), {}],
      [new URL("/me", app.origin), { "Portcullis-Organization-Id": system.organizationId, "Portcullis-Permissions": "*" }],
      [new URL("/me", app.origin), { Authorization: `Bearer ${system.adminKey}` }],
      [new URL("/me", app.origin), { Portcullis_Assertion: await signed(signingKey, claimsFor(app.origin)) }],
    ];
    for (const [url, headers] of ways) {
      const answer = await fetch(url, { headers });
      expect([answer.status, answer.headers.get("www-authenticate")]).toEqual([401, 'Bearer realm="portcullis"']);
      expect(await answer.json()).toMatchObject({ code: "missing_assertion" });
    }
  });

  it("believes the gateway's word when it is sent on as it is, which the forgeries below are made of", async () => {
    expect((await direct("/me", await signed(signingKey, claimsFor(app.origin)))).status).toBe(200);
  });

  describe("does not believe", () => {
    const wrong: Record<string, () => Promise<string> | string> = {
      "what was said to another API": () => signed(signingKey, claimsFor("https://another.example")),
      "another issuer": () => signed(signingKey, { ...claimsFor(app.origin), iss: "https://evil.example" }),
      "a JWT of another kind": () => signed(signingKey, claimsFor(app.origin), { typ: "at+jwt" }),
      "what has expired": () => signed(signingKey, claimsFor(app.origin), { lifetimeS: -10 }),
      "what never expires": () => signed(signingKey, claimsFor(app.origin), { lifetimeS: null }),
      "a key id that nobody has": () => signed(signingKey, claimsFor(app.origin), { kid: "unknown" }),
      "another key under the gateway's key id": () => signed({ ...otherKey, kid: signingKey.kid }, claimsFor(app.origin)),
      "alg none": () => handMade({ alg: "none", typ: "portcullis-assertion+jwt", kid: signingKey.kid }, lasting()),
      "HS256 with the public key as the secret": () => {
        const [head, body] = handMade({ alg: "HS256", typ: "portcullis-assertion+jwt", kid: signingKey.kid }, lasting()).split(".");
        const publicKey = JSON.stringify(publicKeySet([signingKey]).keys[0]);
        return `${head}.${body}.${createHmac("sha256", publicKey).update(`${head}.${body}`).digest("base64url")}`;
      },
      "claims that were changed": async () => {
        const [head = "", , signature = ""] = (await signed(signingKey, claimsFor(app.origin))).split(".");
        return [head, handMade({}, { ...lasting(), permissions: ["*"] }).split(".")[1], signature].join(".");
      },
      "claims of something else": () => signed(signingKey, { iss: "portcullis", aud: app.origin, sub: "org_01" }),
      "two assertions at once": async () => {
        const assertion = await signed(signingKey, claimsFor(app.origin));
        return `${assertion}, ${assertion}`;
      },
    };
    /** Claims that are good now but for the signature. */
    const lasting = () => ({ ...claimsFor(app.origin), iat: Math.floor(Date.now() / 1_000), exp: Math.floor(Date.now() / 1_000) + 60 });

    it.each(Object.keys(wrong))("%s", async (name) => {
      const answer = await direct("/me", (await wrong[name]?.()) ?? "");
      expect([answer.status, answer.headers.get("www-authenticate")]).toEqual([
        401,
        'Bearer realm="portcullis", error="invalid_token", error_description="Invalid assertion"',
      ]);
      expect(await answer.json()).toMatchObject({ code: "invalid_assertion" });
    });
  });
});
