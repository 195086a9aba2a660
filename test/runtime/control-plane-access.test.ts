/** Who may do what on the control plane, and every way we know to get more than that. */
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { PLATFORM_ORGANIZATION_ID } from "../../core/identifier.ts";
import { PLATFORM_PERMISSIONS } from "../../core/permission.ts";
import { ask, changingNothing, faultyFields } from "./control-plane-client.ts";
import { install, type Installation } from "./installation.ts";

const HOUR_MS = 60 * 60 * 1000;

let installation: Installation;
beforeAll(async () => {
  installation = await install();
});
afterEach(() => {
  vi.useRealTimers();
});

const platformKey = async (...permissions: readonly string[]) => installation.key(PLATFORM_ORGANIZATION_ID, permissions);
const keysOf = (organizationId: string) => `/organizations/${organizationId}/api_keys`;
const newPlatformKey = async (token: string, permissions: readonly string[]) =>
  ask(token, "POST", keysOf(PLATFORM_ORGANIZATION_ID), { json: { name: "More", permissions } });
const mayCall = async (token: string) => (await ask(token, "GET", "/organizations")).status;

describe("a credential", () => {
  it.each([
    ["of another scheme", (value: string) => `Basic ${btoa(`${value}:`)}`],
    ["without a scheme", (value: string) => value],
    ["twice", (value: string) => `Bearer ${value}, Bearer ${value}`],
    ["with something behind it", (value: string) => `Bearer ${value} x`],
    ["cut short", (value: string) => `Bearer ${value.slice(0, -1)}`],
    ["in capitals", (value: string) => `Bearer ${value.toUpperCase()}`],
    ["of the other environment", (value: string) => `Bearer ${value.replace("_live_", "_test_")}`],
    ["that is empty", () => "Bearer "],
    ["of 10 kB", () => `Bearer ${"x".repeat(10_000)}`],
  ])("%s is 401", async (_, credential) => {
    const headers = { Authorization: credential(installation.adminKey) };
    expect((await changingNothing(() => ask(null, "GET", "/organizations", { headers }))).status).toBe(401);
  });

  it("that was revoked is refused on the very next call", async () => {
    const key = await platformKey(...PLATFORM_PERMISSIONS);
    expect(await mayCall(key.value)).toBe(200);
    await installation.must("DELETE", `/api_keys/${key.id}`);
    expect(await mayCall(key.value)).toBe(401);
    expect((await changingNothing(() => newPlatformKey(key.value, []))).status).toBe(401);
  });

  it("that revoked itself is refused on the very next call", async () => {
    const key = await platformKey(...PLATFORM_PERMISSIONS);
    expect((await ask(key.value, "DELETE", `/api_keys/${key.id}`)).status).toBe(204);
    expect((await ask(key.value, "DELETE", `/api_keys/${key.id}`)).status).toBe(401);
  });

  it("that was ended is refused on the very next call, and cannot be prolonged", async () => {
    const key = await platformKey(...PLATFORM_PERMISSIONS);
    await installation.must("POST", `/api_keys/${key.id}/expire`, {});
    expect(await mayCall(key.value)).toBe(401);
    const prolonged = await changingNothing(() => installation.call("POST", `/api_keys/${key.id}/expire`, { expires_at: null }));
    expect(prolonged).toMatchObject({ status: 409, body: { code: "api_key_already_expired" } });
  });

  it("whose end has come is refused from that moment on", async () => {
    const end = Date.now() + HOUR_MS;
    const key = await installation.key(PLATFORM_ORGANIZATION_ID, ["portcullis:organizations:read"], {
      expires_at: new Date(end).toISOString(),
    });
    vi.useFakeTimers({ toFake: ["Date"], now: end - 1 });
    expect(await mayCall(key.value)).toBe(200);
    vi.setSystemTime(end);
    expect(await mayCall(key.value)).toBe(401);
  });

  it("that was narrowed is 403 on the very next call", async () => {
    const key = await platformKey("portcullis:organizations:read", "portcullis:users:read");
    await installation.must("PATCH", `/api_keys/${key.id}`, { permissions: ["portcullis:users:read"] });
    expect(await mayCall(key.value)).toBe(403);
  });

  it("that is revoked while its request's body is still on the way changes nothing any more", async () => {
    const key = await platformKey(...PLATFORM_PERMISSIONS);
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
    const writer = writable.getWriter();
    const sent = ask(key.value, "POST", "/organizations", { body: readable, headers: { "Content-Type": "application/json" } });
    await writer.write(new TextEncoder().encode('{"name":'));
    await installation.must("DELETE", `/api_keys/${key.id}`);
    const late = changingNothing(async () => {
      await writer.write(new TextEncoder().encode('"Late"}'));
      await writer.close();
      return sent;
    });
    expect((await late).status).toBe(401);
  });
});

describe("a platform key that may only write API keys", () => {
  const OWN = "portcullis:api_keys:write";

  it.each([
    ["one permission more", [OWN, "portcullis:routes:write"]],
    ["another permission", ["portcullis:api_keys:read"]],
    ["all permissions", PLATFORM_PERMISSIONS],
    ["a wildcard over all keys", ["portcullis:api_keys:*"]],
    ["a wildcard over the platform", ["portcullis:*"]],
    ["the wildcard for all", ["*"]],
    ["a customer's permission", ["orders:read"]],
  ])("makes no platform key with %s, nor turns one into that", async (_, permissions) => {
    const weak = await platformKey(OWN);
    const other = await platformKey(OWN);
    const answers = await changingNothing(async () => [
      await newPlatformKey(weak.value, permissions),
      await ask(weak.value, "PATCH", `/api_keys/${weak.id}`, { json: { permissions } }),
      await ask(weak.value, "PATCH", `/api_keys/${other.id}`, { json: { permissions } }),
    ]);
    for (const { status, body } of answers) expect([status, body["code"]]).toEqual([422, "permission_not_assignable"]);
  });

  it("makes one with what it holds itself, which is no stronger", async () => {
    const weak = await platformKey(OWN);
    const made = await newPlatformKey(weak.value, [OWN]);
    expect(made.status).toBe(201);
    expect((await newPlatformKey(String(made.body["value"]), ["portcullis:routes:write"])).status).toBe(422);
  });

  it("is held to what it was narrowed to, also in what it grants", async () => {
    const key = await platformKey(OWN, "portcullis:routes:write");
    await installation.must("PATCH", `/api_keys/${key.id}`, { permissions: [OWN] });
    expect((await newPlatformKey(key.value, ["portcullis:routes:write"])).status).toBe(422);
  });
});

describe("the reserved namespace", () => {
  it.each([
    "portcullis:api_keys:write",
    "portcullis:new",
    "portcullis:*",
    "*",
    "Portcullis:x",
    " portcullis:x",
    "portcullis:x\u0000",
    "portcullis\uff1ax",
    "a:*:b",
    "a*",
    ":",
    "",
  ])("has no room for a permission %j in the catalogue", async (slug) => {
    const answer = await changingNothing(() => installation.call("POST", "/authorization/permissions", { slug, name: "Mine" }));
    expect([answer.status, new Set(faultyFields(answer))]).toEqual([422, new Set(["slug"])]);
  });

  it.each(["portcullis:api_keys:write", "portcullis:*", "*"])("grants %j to no role and no customer's key", async (slug) => {
    const organizationId = await installation.organization();
    const { userId } = await installation.member(organizationId, "member");
    const key = await installation.key(organizationId, []);
    const permissions = [slug];
    const answers = await changingNothing(() =>
      Promise.all([
        installation.call("PUT", "/authorization/roles/member/permissions", { permissions }),
        installation.call("POST", keysOf(organizationId), { name: "x", permissions }),
        installation.call("PATCH", `/api_keys/${key.id}`, { permissions }),
        installation.call("POST", `/user_management/users/${userId}/api_keys`, { name: "x", organization_id: organizationId, permissions }),
      ]),
    );
    for (const { body } of answers) expect(body["code"]).toBe("permission_not_assignable");
  });

  it("has no members: no user joins the platform organization or owns a key in it", async () => {
    const { userId } = await installation.member(await installation.organization(), "member");
    const inPlatform = { user_id: userId, organization_id: PLATFORM_ORGANIZATION_ID };
    const joined = await changingNothing(() => installation.call("POST", "/user_management/organization_memberships", inPlatform));
    expect(joined.status).toBe(404);
    const owned = { name: "x", organization_id: PLATFORM_ORGANIZATION_ID, permissions: ["portcullis:api_keys:write"] };
    const answer = await changingNothing(() => installation.call("POST", `/user_management/users/${userId}/api_keys`, owned));
    expect(answer).toMatchObject({ status: 422, body: { code: "membership_not_active" } });
  });
});

describe("a user's key", () => {
  it.each([["orders:write"], ["admin:all"], ["orders:*"], ["*"]])("holds nothing beyond the role: not %s", async (permission) => {
    const organizationId = await installation.organization();
    const { userId } = await installation.member(organizationId, "viewer");
    const key = await installation.userKey(userId, organizationId, ["orders:read"]);
    const permissions = ["orders:read", permission];
    const asked = { name: "x", organization_id: organizationId, permissions };
    const made = await changingNothing(() => installation.call("POST", `/user_management/users/${userId}/api_keys`, asked));
    const widened = await changingNothing(() => installation.call("PATCH", `/api_keys/${key.id}`, { permissions }));
    for (const { status, body } of [made, widened]) expect([status, body["code"]]).toEqual([422, "permission_not_assignable"]);
  });

  it("is not made in an organization the user is no member of", async () => {
    const { userId } = await installation.member(await installation.organization(), "member");
    const asked = { name: "x", organization_id: await installation.organization(), permissions: ["orders:read"] };
    const answer = await changingNothing(() => installation.call("POST", `/user_management/users/${userId}/api_keys`, asked));
    expect(answer).toMatchObject({ status: 422, body: { code: "membership_not_active" } });
  });

  it("takes its bounds from the role in its own organization, whatever the role elsewhere", async () => {
    const [here, elsewhere] = [await installation.organization(), await installation.organization()];
    const { userId } = await installation.member(here, "viewer");
    await installation.join(userId, elsewhere, "member");
    const asked = { name: "x", organization_id: here, permissions: ["orders:write"] };
    expect((await installation.call("POST", `/user_management/users/${userId}/api_keys`, asked)).status).toBe(422);
    expect((await installation.userKey(userId, elsewhere, ["orders:write"])).id).toMatch(/^api_key_/);
  });

  it("is given nothing while the membership is inactive", async () => {
    const organization = await installation.organization();
    const { userId, membershipId } = await installation.member(organization, "member");
    const key = await installation.userKey(userId, organization, ["orders:read"]);
    await installation.must("PUT", `/user_management/organization_memberships/${membershipId}/deactivate`, {});
    const widen = () => installation.call("PATCH", `/api_keys/${key.id}`, { permissions: ["orders:read", "orders:write"] });
    expect(await changingNothing(widen)).toMatchObject({ status: 422, body: { code: "membership_not_active" } });
    expect((await installation.call("PATCH", `/api_keys/${key.id}`, { name: "Renamed" })).status).toBe(200);
  });

  it("is dead when the membership has ended, and no new one is made", async () => {
    const organizationId = await installation.organization();
    const { userId, membershipId } = await installation.member(organizationId, "member");
    const key = await installation.userKey(userId, organizationId, ["orders:read"]);
    await installation.must("DELETE", `/user_management/organization_memberships/${membershipId}`);
    expect((await installation.call("POST", "/api_keys/validations", { value: key.value })).body["api_key"]).toBeNull();
    const asked = { name: "x", organization_id: organizationId };
    expect((await installation.call("POST", `/user_management/users/${userId}/api_keys`, asked)).status).toBe(422);
  });
});

describe("an organization's key", () => {
  it("holds nothing that is closed to organizations' keys", async () => {
    const closed = { slug: "people:only", name: "People", enabled_for: { organization_api_keys: false } };
    await installation.must("POST", "/authorization/permissions", closed);
    const asked = { name: "x", permissions: ["people:only"] };
    const answer = await installation.call("POST", keysOf(await installation.organization()), asked);
    expect(answer).toMatchObject({ status: 422, body: { code: "permission_not_assignable" } });
  });

  it("validates as nothing when anything about its token is changed", async () => {
    const { value } = await installation.key(await installation.organization(), []);
    const validate = async (text: string) => (await installation.call("POST", "/api_keys/validations", { value: text })).body["api_key"];
    expect(await validate(value)).not.toBeNull();
    const swapped = value.slice(0, -1) + (value.endsWith("A") ? "B" : "A");
    for (const text of [swapped, value.replace("_live_", "_test_"), ` ${value}`, `${value}\n`, value.toLowerCase(), ""])
      expect(await validate(text)).toBeNull();
  });
});
