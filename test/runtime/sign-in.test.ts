/** Admins who sign in with the operator's identity provider: what they may do, and every way we know to be taken for one. */
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { decodeJwt, generateKeyPair, UnsecuredJWT } from "jose";
import { PLATFORM_ORGANIZATION_ID } from "../../core/identifier.ts";
import { PLATFORM_PERMISSIONS } from "../../core/permission.ts";
import { changingNothing, keepSecret } from "./control-plane-client.ts";
import { AUDIENCE, callWith, FakeIdentityProvider, ISSUER, type ControlPlane, type Made } from "./identity-provider.ts";
import { install, type Installation, type IssuedKey, type Json } from "./installation.ts";

const PLATFORM_KEYS = `/organizations/${PLATFORM_ORGANIZATION_ID}/api_keys`;
const seconds = () => Math.floor(Date.now() / 1000);

let installation: Installation;
let provider: FakeIdentityProvider;
let controlPlane: ControlPlane;
beforeAll(async () => {
  installation = await install();
});
beforeEach(async () => {
  provider = new FakeIdentityProvider();
  await provider.newKey("one");
  controlPlane = provider.controlPlane();
});
afterEach(() => {
  vi.useRealTimers();
});

const as = (token: string, method: string, path: string, json?: unknown) => callWith(controlPlane, `Bearer ${token}`, method, path, json);
const statusOf = async (token: string) => (await as(token, "GET", "/organizations")).status;

describe("an admin", () => {
  it("may do what their roles allow, and nothing else", async () => {
    const token = await provider.token(["support", "unknown"]);
    expect((await as(token, "GET", "/organizations")).status).toBe(200);
    const refused = await changingNothing(() => as(token, "POST", "/organizations", { name: "Mine" }));
    expect(refused).toMatchObject({ status: 403, body: { missing_permissions: ["portcullis:organizations:write"] } });
  });

  it("is named in the ledger by issuer and subject", async () => {
    const organization = await as(await provider.token("security", { claims: { sub: "auth0|42" } }), "POST", "/organizations", {
      name: "Acme",
    });
    expect(organization.status).toBe(201);
    expect(await actorsOf(String(organization.body["id"]))).toEqual([{ type: "user", id: `${ISSUER}#auth0|42` }]);
  });

  it("has all their roles together", async () => {
    const token = await provider.token(["support", "keys"]);
    expect((await as(token, "PATCH", "/api_keys/api_key_01ARZ3NDEKTSV4RRFFQ69G5FAV", {})).status).toBe(404);
    expect(await statusOf(token)).toBe(200);
  });

  it.each([
    ["none"],
    [[]],
    [undefined],
    [null],
    [{ security: true }],
    [7],
    [["constructor"]],
    ["__proto__"],
    [["Security"]],
    ["security,support"],
  ])("with the roles %j may do nothing, not even ask for a receipt", async (groups) => {
    const token = await provider.token(groups);
    for (const path of ["/organizations", "/receipts/0-1", "/routes"])
      expect(await as(token, "GET", path)).toMatchObject({ status: 403, body: { code: "insufficient_permissions" } });
  });

  it("reads roles from the place that is configured, a nested one too", async () => {
    controlPlane = provider.controlPlane({ OIDC_ROLE_CLAIM: "/realm_access/roles" });
    expect(await statusOf(await provider.token([], { claims: { realm_access: { roles: ["support"] } } }))).toBe(200);
    expect(await statusOf(await provider.token("support"))).toBe(403);
    controlPlane = provider.controlPlane({ OIDC_ROLE_CLAIM: "/constructor/name", OIDC_ROLES: '{"Object": ["portcullis:*"]}' });
    expect(await statusOf(await provider.token([]))).toBe(403);
    controlPlane = provider.controlPlane({ OIDC_ROLE_CLAIM: "https://example.com/roles" });
    expect(await statusOf(await provider.token([], { claims: { "https://example.com/roles": "support" } }))).toBe(200);
  });

  it("keeps an Idempotency-Key apart from other admins'", async () => {
    const create = async (sub: string) => {
      const request = new Request("https://control.example/organizations", {
        method: "POST",
        headers: {
          Authorization: `Bearer ${await provider.token("security", { claims: { sub } })}`,
          "Content-Type": "application/json",
          "Idempotency-Key": "once",
        },
        body: JSON.stringify({ name: "Acme" }),
      });
      return ((await (await controlPlane.fetch(request)).json()) as Json)["id"];
    };
    const first = await create("ada");
    expect(await create("ada")).toBe(first);
    expect(await create("grace")).not.toBe(first);
  });
});

describe("an admin who has left", () => {
  it("is found by the keys they made, however long their name is", async () => {
    const organization = await installation.organization();
    const token = await provider.token("security", { claims: { sub: "s".repeat(255) } });
    const made = await as(token, "POST", `/organizations/${organization}/api_keys`, { name: "Theirs" });
    await installation.key(organization, []);
    const { id: created_by } = made.body["created_by"] as { id: string };
    const preview = await installation.must("POST", "/api_keys/revocations/preview", { created_by });
    expect(preview).toMatchObject({ count: 1, first: [{ id: made.body["id"] }] });
    expect(await installation.must("GET", `/audit_logs/entries?actor_id=${encodeURIComponent(created_by)}`)).toMatchObject({
      data: [{ type: "api_key.created", subject: made.body["id"] }],
    });
  });
});

describe("a widget's token that an admin asked for", () => {
  const ends = async (asked: Json, exp: number) => {
    const { status, body } = await as(await provider.token("security", { claims: { exp } }), "POST", "/widgets/token", asked);
    expect(status).toBe(201);
    keepSecret(body["token"]);
    return decodeJwt(String(body["token"])).exp;
  };

  it("without a member ends with the admin's sign-in: nobody can be asked whether they are still one", async () => {
    const scopes = ["widgets:api-keys:manage"];
    const organization_id = await installation.organization();
    const [soon, late] = [seconds() + 300, seconds() + 7200];
    expect(await ends({ organization_id, scopes }, soon)).toBe(soon);
    expect(await ends({ organization_id, scopes }, late)).toBeLessThanOrEqual(seconds() + 3600);
    const { userId } = await installation.member(organization_id, "member");
    expect(await ends({ organization_id, user_id: userId }, soon)).toBeGreaterThan(soon);
  });
});

describe("an admin's approval of a key", () => {
  const DAY_S = 24 * 60 * 60;
  let organizationId: string;
  let requester: IssuedKey;
  beforeEach(async () => {
    organizationId = await installation.organization();
    requester = await installation.key(PLATFORM_ORGANIZATION_ID, ["portcullis:api_keys:read", "portcullis:api_keys:write"]);
    await installation.must("PUT", `/organizations/${organizationId}/api_key_policy`, { approval_required_permissions: ["orders:write"] });
  });

  const withKey = (method: string, path: string, json: Json) => as(requester.value, method, path, json);
  const requested = async () => {
    const asked = { name: "Writer", permissions: ["orders:write"] };
    return String((await withKey("POST", `/organizations/${organizationId}/api_key_requests`, asked)).body["id"]);
  };
  const approved = async (claims: Json) => {
    const id = await requested();
    const { status, body } = await as(await provider.token("security", { claims }), "POST", `/api_key_requests/${id}/approve`, {});
    expect([status, body["status"]]).toEqual([200, "approved"]);
    return { id, untilMs: Date.parse(String(body["expires_at"])) };
  };
  const collect = (id: string) => withKey("POST", `/api_key_requests/${id}/issue`, {});

  it("is good until their sign-in ends: nobody can be asked whether they still have the role", async () => {
    const exp = seconds() + 300;
    const [inTime, late] = [await approved({ exp }), await approved({ exp })];
    expect([inTime.untilMs, late.untilMs]).toEqual([exp * 1_000, exp * 1_000]);
    vi.useFakeTimers({ toFake: ["Date"], now: exp * 1_000 - 1 });
    expect((await collect(inTime.id)).status).toBe(201);
    vi.setSystemTime(exp * 1_000);
    expect(await changingNothing(() => collect(late.id))).toMatchObject({ status: 409, body: { code: "api_key_request_not_open" } });
  });

  it("is good for no longer than a token is believed, whatever end the token names", async () => {
    const iat = seconds() - 60;
    expect((await approved({ iat, exp: iat + 30 * DAY_S })).untilMs).toBe((iat + DAY_S) * 1_000);
  });

  it("that has run out cannot be given again by who collects, nor prolonged by another sign-in of who gave it", async () => {
    const exp = seconds() + 300;
    const { id } = await approved({ exp });
    vi.useFakeTimers({ toFake: ["Date"], now: exp * 1_000 });
    const again = await as(await provider.token("security"), "POST", `/api_key_requests/${id}/approve`, {});
    expect(again).toMatchObject({ status: 409, body: { code: "api_key_request_not_open" } });
    expect((await collect(id)).status).toBe(409);
    const anew = await requested();
    expect((await as(await provider.token("security"), "POST", `/api_key_requests/${anew}/approve`, {})).status).toBe(200);
    expect((await collect(anew)).status).toBe(201);
  });

  it("does not help a requester who has lost what it takes meanwhile, nor an owner who may not hold it any more", async () => {
    const exp = seconds() + 300;
    const { id } = await approved({ exp });
    await installation.must("PATCH", "/authorization/permissions/orders:write", { enabled_for: { organization_api_keys: false } });
    expect(await changingNothing(() => collect(id))).toMatchObject({ status: 422, body: { code: "permission_not_assignable" } });
    await installation.must("PATCH", "/authorization/permissions/orders:write", { enabled_for: { organization_api_keys: true } });
    await installation.must("PATCH", `/api_keys/${requester.id}`, { permissions: ["portcullis:api_keys:read"] });
    expect(await changingNothing(() => collect(id))).toMatchObject({ status: 403, body: { code: "insufficient_permissions" } });
  });

  it("cannot be given by who asked under the same name, with whatever token", async () => {
    const asks = await provider.token("security", { claims: { sub: "eve" } });
    const { body } = await as(asks, "POST", `/organizations/${organizationId}/api_key_requests`, {
      name: "Mine",
      permissions: ["orders:write"],
    });
    const path = `/api_key_requests/${String(body["id"])}`;
    const approves = await provider.token("security", { claims: { sub: "eve", exp: seconds() + 600 } });
    expect(await changingNothing(() => as(approves, "POST", `${path}/approve`, {}))).toMatchObject({
      status: 403,
      body: { code: "self_approval" },
    });
    const ada = await provider.token("security");
    expect((await as(ada, "POST", `${path}/approve`, {})).status).toBe(200);
    // Who asked signs in with a lesser role by the time they collect.
    const lesser = await provider.token("support", { claims: { sub: "eve" } });
    expect(await changingNothing(() => as(lesser, "POST", `${path}/issue`, {}))).toMatchObject({
      status: 403,
      body: { code: "insufficient_permissions" },
    });
    const collected = await as(asks, "POST", `${path}/issue`, {});
    keepSecret(collected.body["value"]);
    expect(collected.status).toBe(201);
  });
});

describe("the rules for platform keys hold for admins:", () => {
  it("nobody makes one that can do more than they can", async () => {
    const token = await provider.token("keys");
    for (const permissions of [["portcullis:routes:write"], PLATFORM_PERMISSIONS]) {
      const refused = await changingNothing(() => as(token, "POST", PLATFORM_KEYS, { name: "More", permissions }));
      expect(refused).toMatchObject({ status: 422, body: { code: "permission_not_assignable" } });
    }
    const made = await as(token, "POST", PLATFORM_KEYS, { name: "Less", permissions: ["portcullis:api_keys:read"] });
    expect(made.status).toBe(201);
    const widened = await changingNothing(() =>
      as(token, "PATCH", `/api_keys/${String(made.body["id"])}`, { permissions: ["portcullis:users:read"] }),
    );
    expect(widened).toMatchObject({ status: 422, body: { code: "permission_not_assignable" } });
  });

  it("nobody changes or ends one that can do more than they can", async () => {
    const token = await provider.token("keys");
    const { id } = await installation.key(PLATFORM_ORGANIZATION_ID, ["portcullis:routes:write"]);
    for (const call of [
      () => as(token, "DELETE", `/api_keys/${id}`),
      () => as(token, "POST", `/api_keys/${id}/expire`, {}),
      () => as(token, "PATCH", `/api_keys/${id}`, { name: "Mine" }),
    ])
      expect(await changingNothing(call)).toMatchObject({ status: 403, body: { code: "insufficient_permissions" } });
    expect((await as(await provider.token("security"), "DELETE", `/api_keys/${id}`)).status).toBe(204);
  });

  it("whom the provider allows everything may make any, and not end the last", async () => {
    const token = await provider.token("security");
    expect((await as(token, "POST", PLATFORM_KEYS, { name: "All", permissions: ["portcullis:api_keys:write"] })).status).toBe(201);
    const { body } = await as(token, "GET", `${PLATFORM_KEYS}?order=asc&limit=1`);
    const [first] = body["data"] as readonly Json[];
    const ended = await changingNothing(() => as(token, "DELETE", `/api_keys/${String(first?.["id"])}`));
    expect(ended).toMatchObject({ status: 409, body: { code: "last_holder_of_permission" } });
  });
});

describe("a token is refused", () => {
  it.each<readonly [string, () => Made]>([
    ["of another issuer", () => ({ claims: { iss: "https://evil.example" } })],
    ["of the issuer with a slash more", () => ({ claims: { iss: `${ISSUER}/` } })],
    ["for another audience", () => ({ claims: { aud: "other" } })],
    ["for audiences without ours", () => ({ claims: { aud: ["other", `${AUDIENCE}2`] } })],
    ["that has expired", () => ({ claims: { exp: seconds() - 31 } })],
    ["that is not good yet", () => ({ claims: { nbf: seconds() + 31 } })],
    ["from the future", () => ({ claims: { iat: seconds() + 40 } })],
    ["that was issued days ago", () => ({ claims: { iat: seconds() - 48 * 3600 } })],
    ["without an issuer", () => ({ claims: { iss: undefined } })],
    ["without an audience", () => ({ claims: { aud: undefined } })],
    ["without an end", () => ({ claims: { exp: undefined } })],
    ["without a time of issue", () => ({ claims: { iat: undefined } })],
    ["without a subject", () => ({ claims: { sub: undefined } })],
    ["with an empty subject", () => ({ claims: { sub: "" } })],
    ["with a subject that is too long", () => ({ claims: { sub: "x".repeat(256) } })],
    ["with a line break in the subject", () => ({ claims: { sub: "a\nb" } })],
    ["that is a logout token", () => ({ header: { typ: "logout+jwt" } })],
    ["with a critical extension", () => ({ header: { crit: ["urgent"], urgent: true } })],
  ])("%s", async (_, made) => {
    expect(await statusOf(await provider.token("security", made()))).toBe(401);
  });

  it("within the tolerance of clocks it is not", async () => {
    for (const claims of [{ exp: seconds() - 20 }, { nbf: seconds() + 20 }, { iat: seconds() + 20 }])
      expect(await statusOf(await provider.token("support", { claims }))).toBe(200);
  });

  it.each(["JWT", "at+jwt", "AT+JWT", undefined])("the type %s is accepted", async (typ) => {
    expect(await statusOf(await provider.token("support", { header: { typ } }))).toBe(200);
  });

  it("that nobody signed", async () => {
    const claims = { iss: ISSUER, aud: AUDIENCE, sub: "eve", groups: "security" };
    const unsecured = new UnsecuredJWT(claims).setIssuedAt().setExpirationTime("5m").encode();
    for (const token of [unsecured, unsecured.replace(/^[^.]+/, encoded({ alg: "None" })), unsecured.replace(/^[^.]+/, encoded({}))])
      expect(await statusOf(token)).toBe(401);
  });

  it("signed with the public key taken for a shared secret", async () => {
    const [published] = provider.published;
    const rsa = await provider.newKey("rsa", "RS256");
    for (const [kid, jwk] of [
      ["one", published?.jwk],
      ["rsa", rsa.jwk],
    ] as const) {
      const texts = [JSON.stringify(jwk), String(jwk?.["n"] ?? jwk?.["x"])];
      for (const secret of texts.map((text) => new TextEncoder().encode(text)))
        expect(await statusOf(await provider.token("security", { header: { alg: "HS256", kid }, key: secret }))).toBe(401);
    }
  });

  it("signed by an algorithm that is not on the list, though the key is published", async () => {
    const key = await provider.newKey("big", "ES384");
    expect(await statusOf(await provider.token("security", { header: { alg: "ES384", kid: "big" }, key: key.privateKey }))).toBe(401);
    expect(provider.asked).toBe(0);
  });

  it("signed by a stranger under the name of a published key", async () => {
    const { privateKey } = await generateKeyPair("ES256");
    expect(await statusOf(await provider.token("security", { key: privateKey }))).toBe(401);
  });

  it("that brings its own key along", async () => {
    const stranger = new FakeIdentityProvider();
    const { privateKey, jwk } = await stranger.newKey("own");
    for (const header of [{ jwk, kid: undefined }, { jku: "https://evil.example/keys", kid: "own" }, { x5u: "https://evil.example/x" }])
      expect(await statusOf(await provider.token("security", { header: header, key: privateKey }))).toBe(401);
  });

  it("changed after it was signed", async () => {
    const token = await provider.token("support");
    const [header = "", payload = "", signature = ""] = token.split(".");
    const claims = JSON.parse(atob(payload.replaceAll("-", "+").replaceAll("_", "/"))) as Json;
    for (const forged of [
      [header, encoded({ ...claims, groups: "security" }), signature],
      [header, payload, `${signature.startsWith("A") ? "B" : "A"}${signature.slice(1)}`],
      [header, payload, ""],
      [header, payload],
      [header, payload, signature, ""],
      ["", "", ""],
    ])
      expect(await statusOf(forged.join("."))).toBe(401);
  });

  it("that is too long to be one, without being looked at", async () => {
    expect(await statusOf(await provider.token("security", { claims: { note: "x".repeat(9000) } }))).toBe(401);
    expect(provider.asked).toBe(0);
  });

  it("beside another credential", async () => {
    const [one, other] = [await provider.token("security"), await provider.token("support")];
    for (const authorization of [
      `Bearer ${one}, Bearer ${other}`,
      `Bearer ${one}, Bearer ${installation.adminKey}`,
      `Bearer ${installation.adminKey}, Bearer ${one}`,
      `Bearer ${one} ${installation.adminKey}`,
      `Bearer ${installation.adminKey}.${one}`,
      `Basic ${one}`,
      one,
    ])
      expect((await callWith(controlPlane, authorization, "GET", "/organizations")).status).toBe(401);
  });

  it("where no provider is configured, and platform keys call as before", async () => {
    const off = provider.controlPlane({
      OIDC_ISSUER: undefined,
      OIDC_AUDIENCE: undefined,
      OIDC_JWKS_URL: undefined,
      OIDC_ROLE_CLAIM: undefined,
      OIDC_ROLES: undefined,
    } as unknown as Record<string, string>);
    expect((await callWith(off, `Bearer ${await provider.token("security")}`, "GET", "/organizations")).status).toBe(401);
    expect((await callWith(off, `Bearer ${installation.adminKey}`, "GET", "/organizations")).status).toBe(200);
    expect((await as(installation.adminKey, "GET", "/organizations")).status).toBe(200);
    expect(provider.asked).toBe(0);
  });

  it("saying in the log why, and nothing of what it holds", async () => {
    const lines: string[] = [];
    const log = vi.spyOn(console, "log").mockImplementation((line: string) => lines.push(line));
    const token = await provider.token("security", { claims: { aud: "other" } });
    await statusOf(token);
    log.mockRestore();
    expect(lines.map((line) => JSON.parse(line) as Json)).toContainEqual({
      event: "sign_in_refused",
      reason: "ERR_JWT_CLAIM_VALIDATION_FAILED",
    });
    expect(lines.join("\n")).not.toContain(token.split(".")[1]);
  });
});

describe("the provider's keys", () => {
  it("are asked for once, however many admins call", async () => {
    const token = await provider.token("support");
    const statuses = await Promise.all(Array.from({ length: 5 }, () => statusOf(token)));
    expect([new Set(statuses), provider.asked]).toEqual([new Set([200]), 1]);
  });

  it("are asked for again after ten minutes, and one that was withdrawn is good no longer", async () => {
    const token = await provider.token("support", { claims: { exp: seconds() + 3600 } });
    expect(await statusOf(token)).toBe(200);
    provider.published = [];
    await provider.newKey("two");
    controlPlane.clock.aheadMs = 9 * 60_000;
    expect(await statusOf(token)).toBe(200);
    controlPlane.clock.aheadMs = 11 * 60_000;
    expect(await statusOf(token)).toBe(401);
  });

  it("that are new are found at once when the ones held are old enough, and strangers cannot have them fetched more often", async () => {
    expect(await statusOf(await provider.token("support"))).toBe(200);
    const two = await provider.newKey("two");
    const rotated = await provider.token("support", { header: { kid: "two" }, key: two.privateKey });
    const unknown = await provider.token("support", { header: { kid: "no such" } });
    expect(await statusOf(unknown)).toBe(401);
    expect(provider.asked).toBe(1);
    controlPlane.clock.aheadMs = 31_000;
    expect(await Promise.all([rotated, rotated, unknown, unknown].map(statusOf))).toEqual([200, 200, 401, 401]);
    expect(provider.asked).toBe(2);
    for (let at = 0; at < 5; at++) expect(await statusOf(unknown)).toBe(401);
    expect(provider.asked).toBe(2);
  });

  it.each<readonly [string, FakeIdentityProvider["answer"]]>([
    ["hangs", async (signal) => new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("aborted"))))],
    ["cannot be reached", async () => Promise.reject(new TypeError("network"))],
    ["answers 500", async () => new Response("no", { status: 500 })],
    ["redirects", async () => Response.redirect("https://evil.example/keys")],
    ["answers something else", async () => new Response("<html>")],
    ["answers JSON that is no key set", async () => Response.json({ keys: "none" })],
    ["answers too much", async () => Response.json({ keys: provider.published.map(({ jwk }) => jwk), more: "x".repeat(300_000) })],
  ])("cannot be had when it %s: 503, and no one is let in", async (_, answer) => {
    const token = await provider.token("security");
    const right = provider.answer;
    provider.answer = answer;
    const refused = await changingNothing(() => as(token, "POST", "/organizations", { name: "x" }));
    expect(refused).toMatchObject({ status: 503, body: { code: "identity_provider_unreachable" } });
    expect(refused.headers.get("retry-after")).toBe("1");
    expect(await statusOf(token)).toBe(503);
    expect(provider.asked).toBe(1);
    expect(await statusOf(installation.adminKey)).toBe(200);

    provider.answer = right;
    controlPlane.clock.aheadMs = 5_000;
    expect(await statusOf(token)).toBe(200);
  });

  it("that are held are good while others cannot be fetched; whether an unknown one is good cannot be told then", async () => {
    const token = await provider.token("support");
    expect(await statusOf(token)).toBe(200);
    const unknown = await provider.token("support", { header: { kid: "two" } });
    provider.answer = async () => Promise.reject(new TypeError("network"));
    controlPlane.clock.aheadMs = 31_000;
    expect(await statusOf(unknown)).toBe(503);
    expect(await statusOf(token)).toBe(200);
  });

  it("of which two have no name are of no use to a token that names none", async () => {
    const two = await provider.newKey("two");
    expect(await statusOf(await provider.token("support", { header: { kid: undefined }, key: two.privateKey }))).toBe(401);
  });

  it("that are secret or shared are not used", async () => {
    const shared = new TextEncoder().encode("0123456789abcdef0123456789abcdef");
    provider.answer = async () => Response.json({ keys: [{ kty: "oct", kid: "oct", k: "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY" }] });
    for (const alg of ["HS256", "ES256"]) {
      const header = { alg, kid: "oct" };
      const token = await provider.token("security", alg === "HS256" ? { header, key: shared } : { header });
      expect(await statusOf(token)).toBe(401);
    }
  });
});

function encoded(value: unknown): string {
  return btoa(JSON.stringify(value)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** Who made the entries on something. */
async function actorsOf(subject: string): Promise<unknown[]> {
  const cells = await Promise.all([0, 1, 2, 3].map(async (cell) => installation.must("GET", `/ledger/${cell}/entries`)));
  const entries = cells.flatMap(({ data }) => data as readonly Json[]);
  return entries.filter((entry) => entry["subject"] === subject).map(({ actor }) => actor);
}
