/** Policies on keys: layers, what they forbid on every way a key can come to be more than it may, and that it is told. */
import { beforeAll, describe, expect, it } from "vitest";
import { DAY_MS } from "../../core/api-key-policy.ts";
import { PLATFORM_ORGANIZATION_ID } from "../../core/identifier.ts";
import { ask, changingNothing, faultyFields } from "./control-plane-client.ts";
import type { Answer, Installation, IssuedKey, Json } from "./installation.ts";
import { call as throughWidget, make, WIDGETS, WidgetWorld } from "./widget-world.ts";

let world: WidgetWorld;
let installation: Installation;
beforeAll(async () => {
  world = await WidgetWorld.make();
  ({ installation } = world);
});

const inDays = (days: number) => new Date(Date.now() + days * DAY_MS).toISOString();
const setPolicy = (organizationId: string, settings: Json) =>
  installation.must("PUT", `/organizations/${organizationId}/api_key_policy`, settings);
/** An organization with a policy. */
async function organizationWith(settings: Json): Promise<string> {
  const id = await installation.organization();
  await setPolicy(id, settings);
  return id;
}
const askForKey = (organizationId: string, more: Json = {}) =>
  installation.call("POST", `/organizations/${organizationId}/api_keys`, { name: "CI", permissions: [], ...more });

/** A refusal for a field of the policy, with its limit. */
function expectViolation({ status, body }: Answer, field: string, limit: unknown, at: string): void {
  expect({ status, code: body["code"], policy: body["policy"] }).toEqual({
    status: 422,
    code: "api_key_policy_violated",
    policy: { field, limit },
  });
  expect(body["message"]).toContain(field);
  expect((body["errors"] as Json[]).map((error) => error["field"])).toEqual([at]);
}

async function violationsToldOf(organizationId: string): Promise<Json[]> {
  const query = `/events?events=api_key.policy_violated&organization_id=${organizationId}&order=asc`;
  return (await installation.must("GET", query))["data"] as Json[];
}

describe("a policy", () => {
  it("is the organization's own settings over the installation's defaults over no limits, field by field", async () => {
    const organizationId = await organizationWith({ user_keys_max: 3, idle_days_max: null });
    const fresh = await installation.must("GET", "/api_key_policy");
    expect(fresh).toMatchObject({ organization_id: null, settings: {}, updated_at: null });
    expect(fresh["effective"]).toMatchObject({ user_keys_max: null, never_expiring_keys: true, expiry_notice_days: [30, 7, 1] });
    await installation.must("PUT", "/api_key_policy", { user_keys_max: 5, idle_days_max: 90, organization_keys_max: 7 });
    const own = await installation.must("GET", `/organizations/${organizationId}/api_key_policy`);
    expect(own["settings"]).toEqual({ user_keys_max: 3, idle_days_max: null });
    expect(own["effective"]).toMatchObject({ user_keys_max: 3, idle_days_max: null, organization_keys_max: 7 });
    // In every cell, when the call returns.
    for (let nth = 0; nth < 8; nth += 1) {
      const policy = await installation.must("GET", `/organizations/${await installation.organization()}/api_key_policy`);
      expect(policy["effective"]).toMatchObject({ user_keys_max: 5, idle_days_max: 90, organization_keys_max: 7 });
    }
    await installation.must("PUT", "/api_key_policy", {});
    expect((await installation.must("GET", `/organizations/${organizationId}/api_key_policy`))["effective"]).toMatchObject({
      user_keys_max: 3,
      organization_keys_max: null,
    });
  });

  it("with a misspelt field is refused, and nothing is set", async () => {
    const organizationId = await organizationWith({ user_keys_max: 3 });
    const path = `/organizations/${organizationId}/api_key_policy`;
    expect((await changingNothing(() => installation.call("PUT", path, { user_key_max: 1 }))).status).toBe(422);
    expect(faultyFields(await installation.call("PUT", path, { idle_days_max: 0 }))).toEqual(["idle_days_max"]);
    const overlapping = { required_networks: [{ permission: "orders:read", networks: ["10.0.0.1/8"] }] };
    expect(faultyFields(await installation.call("PUT", path, overlapping))).toEqual(["required_networks.0.networks.0"]);
    expect((await installation.must("GET", path))["settings"]).toEqual({ user_keys_max: 3 });
  });

  it("is told of with what it was before", async () => {
    const organizationId = await organizationWith({ user_keys_max: 3 });
    await setPolicy(organizationId, { user_keys_max: 4, reason: "they asked" });
    const { data } = await installation.must("GET", `/events?events=api_key_policy.updated&organization_id=${organizationId}&order=desc`);
    expect((data as Json[])[0]).toMatchObject({
      data: { object: "api_key_policy", settings: { user_keys_max: 4 }, previous_attributes: { settings: { user_keys_max: 3 } } },
    });
  });

  it("does not bind the keys that govern Portcullis, and cannot be set for them", async () => {
    await installation.must("PUT", "/api_key_policy", { organization_keys_max: 0, never_expiring_keys: false });
    await installation.key(PLATFORM_ORGANIZATION_ID, ["portcullis:users:read"]);
    await installation.must("PUT", "/api_key_policy", {});
    const refused = await installation.call("PUT", `/organizations/${PLATFORM_ORGANIZATION_ID}/api_key_policy`, { user_keys_max: 1 });
    expect([refused.status, refused.body["code"]]).toEqual([409, "platform_organization"]);
  });
});

describe("the life of a key", () => {
  it("is as long as the policy says where nobody says anything, and no longer than it allows", async () => {
    const organizationId = await organizationWith({ organization_key_lifetime_days_max: 90, organization_key_lifetime_days_default: 30 });
    const { body } = await askForKey(organizationId);
    expect(Date.parse(String(body["expires_at"])) - Date.parse(String(body["created_at"]))).toBe(30 * DAY_MS);
    expectViolation(await askForKey(organizationId, { expires_at: inDays(91) }), "organization_key_lifetime_days_max", 90, "expires_at");
    expectViolation(await askForKey(organizationId, { expires_at: null }), "organization_key_lifetime_days_max", 90, "expires_at");
    expect((await askForKey(organizationId, { expires_at: inDays(89) })).status).toBe(201);
    await setPolicy(organizationId, { organization_key_lifetime_days_max: 10 });
    const shorter = (await askForKey(organizationId)).body;
    expect(Date.parse(String(shorter["expires_at"])) - Date.parse(String(shorter["created_at"]))).toBe(10 * DAY_MS);
  });

  it("has an end where it must, and none is taken away or moved beyond", async () => {
    const organizationId = await organizationWith({ never_expiring_keys: false });
    expectViolation(await askForKey(organizationId), "never_expiring_keys", false, "expires_at");
    const key = await installation.key(organizationId, [], { expires_at: inDays(5) });
    const expire = (expires_at: string | null) => installation.call("POST", `/api_keys/${key.id}/expire`, { expires_at });
    expectViolation(await expire(null), "never_expiring_keys", false, "expires_at");
    await setPolicy(organizationId, { organization_key_lifetime_days_max: 10 });
    expectViolation(await expire(inDays(11)), "organization_key_lifetime_days_max", 10, "expires_at");
    expect((await expire(inDays(9))).status).toBe(200);
  });

  it("that an older policy allowed goes on, can be shortened, and is neither prolonged nor renewed", async () => {
    const organizationId = await installation.organization();
    const key = await installation.key(organizationId, []);
    await setPolicy(organizationId, { organization_key_lifetime_days_max: 10 });
    const post = (what: string, body: Json) => installation.call("POST", `/api_keys/${key.id}/${what}`, body);
    expect((await installation.call("PATCH", `/api_keys/${key.id}`, { name: "renamed" })).status).toBe(200);
    expectViolation(await post("rotate", {}), "organization_key_lifetime_days_max", 10, "expires_at");
    expect((await post("rotate", { overlap_seconds: 0 })).status).toBe(200);
    expect((await post("disable", {})).status).toBe(200);
    expectViolation(await post("enable", {}), "organization_key_lifetime_days_max", 10, "expires_at");
    expect((await post("expire", { expires_at: inDays(50) })).status).toBe(200);
    expectViolation(await post("expire", { expires_at: inDays(60) }), "organization_key_lifetime_days_max", 10, "expires_at");
    expect((await post("expire", { expires_at: inDays(9) })).status).toBe(200);
    expect((await post("enable", {})).status).toBe(200);
    expect((await post("rotate", {})).status).toBe(200);
  });
});

describe("who may make keys", () => {
  it("of their own is said by the owner's role, also where an admin or an import makes them", async () => {
    const organizationId = await organizationWith({ user_key_owner_roles: ["boss"] });
    const [boss, lead] = [await world.member(organizationId, "boss"), await world.member(organizationId, "lead")];
    expect((await make(boss.token, WIDGETS.user)).id).toMatch(/^api_key_/);
    const refused = await throughWidget(lead.token, "POST", WIDGETS.user.list, { name: "Mine", permissions: [], expiresAt: null });
    expectViolation(refused, "user_key_owner_roles", ["boss"], "owner");
    const asked = { name: "x", organization_id: organizationId };
    const byAdmin = await installation.call("POST", `/user_management/users/${lead.userId}/api_keys`, asked);
    expectViolation(byAdmin, "user_key_owner_roles", ["boss"], "owner");
    const imported = { name: "x", sha256: "b".repeat(64), user_id: lead.userId };
    const byImport = await installation.call("POST", `/organizations/${organizationId}/api_keys/import`, imported);
    expectViolation(byImport, "user_key_owner_roles", ["boss"], "owner");
  });

  it("of the organization through a widget is said by the member's role; a widget of nobody has none", async () => {
    const organizationId = await organizationWith({ organization_key_creator_roles: ["boss"] });
    const [boss, lead] = [await world.member(organizationId, "boss"), await world.member(organizationId, "lead")];
    const nobody = await world.token({ organization_id: organizationId, scopes: ["widgets:api-keys:manage"] });
    expect((await make(boss.token, WIDGETS.organization)).id).toMatch(/^api_key_/);
    for (const token of [lead.token, nobody]) {
      const refused = await throughWidget(token, "POST", WIDGETS.organization.list, { name: "x", permissions: [], expiresAt: null });
      expectViolation(refused, "organization_key_creator_roles", ["boss"], "owner");
    }
    expect((await askForKey(organizationId)).status).toBe(201);
  });

  it("through a widget is bound like everybody else in how long a key lives", async () => {
    const organizationId = await organizationWith({ user_key_lifetime_days_max: 10 });
    const holder = await world.member(organizationId, "holder");
    const endless = { name: "Mine", permissions: [], expiresAt: null };
    expectViolation(await throughWidget(holder.token, "POST", WIDGETS.user.list, endless), "user_key_lifetime_days_max", 10, "expires_at");
    const { id } = await make(holder.token, WIDGETS.user, { expiresAt: inDays(5) });
    const refused = await throughWidget(holder.token, "POST", `${WIDGETS.user.key(id)}/expire`, { expiresAt: inDays(20) });
    expectViolation(refused, "user_key_lifetime_days_max", 10, "expires_at");
  });
});

describe("the number of keys", () => {
  it("is counted per owner, without those that have ended; a race makes no more", async () => {
    const organizationId = await organizationWith({ organization_keys_max: 3, user_keys_max: 1 });
    const racing = await Promise.all(Array.from({ length: 8 }, () => askForKey(organizationId)));
    expect(racing.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([201, 201, 201, 422, 422, 422, 422, 422]);
    const [first, second] = racing.filter(({ status }) => status === 201).map(({ body }) => String(body["id"]));
    await installation.must("POST", `/api_keys/${first}/disable`, {});
    expectViolation(await askForKey(organizationId), "organization_keys_max", 3, "owner");
    await installation.must("POST", `/api_keys/${second}/expire`, {});
    expect((await askForKey(organizationId, { expires_at: inDays(1) })).status).toBe(201);
    expectViolation(await askForKey(organizationId), "organization_keys_max", 3, "owner");
    await installation.must("DELETE", `/api_keys/${first}`);
    expect((await askForKey(organizationId)).status).toBe(201);

    const { userId } = await installation.member(organizationId, "member");
    await installation.userKey(userId, organizationId, []);
    const asked = { name: "second", organization_id: organizationId };
    expectViolation(await installation.call("POST", `/user_management/users/${userId}/api_keys`, asked), "user_keys_max", 1, "owner");
    const elsewhere = await installation.organization();
    await installation.join(userId, elsewhere, "member");
    await installation.userKey(userId, elsewhere, []);
  });
});

describe("networks", () => {
  const rule = { permission: "orders:write", networks: ["10.0.0.0/8", "2001:db8::/32"] };
  const change = ({ id }: IssuedKey, what: Json) => installation.call("PATCH", `/api_keys/${id}`, what);

  it("are required with a permission, whether it is granted at first or later, or another network is", async () => {
    const organizationId = await organizationWith({ required_networks: [rule] });
    const permissions = ["orders:read", "orders:write"];
    expectViolation(await askForKey(organizationId, { permissions }), "required_networks", rule, "allowed_networks");
    const outside = { permissions, allowed_networks: ["10.0.0.0/8", "192.0.2.0/24"] };
    expectViolation(await askForKey(organizationId, outside), "required_networks", rule, "allowed_networks");
    const wider = { permissions, allowed_networks: ["10.0.0.0/7"] };
    expectViolation(await askForKey(organizationId, wider), "required_networks", rule, "allowed_networks");
    const bound = await installation.key(organizationId, permissions, { allowed_networks: ["10.1.0.0/16", "2001:db8:1::/48"] });
    expectViolation(await change(bound, { allowed_networks: null }), "required_networks", rule, "allowed_networks");
    expectViolation(await change(bound, { allowed_networks: ["192.0.2.1"] }), "required_networks", rule, "allowed_networks");
    expect((await change(bound, { permissions: ["orders:read"], allowed_networks: null })).status).toBe(200);
    expectViolation(await change(bound, { permissions }), "required_networks", rule, "allowed_networks");
    expect((await change(bound, { permissions, allowed_networks: ["10.0.0.1"] })).status).toBe(200);
  });

  it("are required with a wildcard that covers the permission, too", async () => {
    await installation.call("POST", "/authorization/permissions", { slug: "orders:*", name: "All of orders" });
    const organizationId = await organizationWith({ required_networks: [rule] });
    expectViolation(await askForKey(organizationId, { permissions: ["orders:*"] }), "required_networks", rule, "allowed_networks");
    const wild = { ...rule, permission: "orders:*" };
    await setPolicy(organizationId, { required_networks: [wild] });
    expectViolation(await askForKey(organizationId, { permissions: ["orders:read"] }), "required_networks", wild, "allowed_networks");
  });

  it("of a key from before are asked for when it is given more, and not when it is given less", async () => {
    const organizationId = await installation.organization();
    const key = await installation.key(organizationId, ["orders:read", "orders:write"]);
    await setPolicy(organizationId, { required_networks: [rule] });
    expect((await change(key, { name: "same rights" })).status).toBe(200);
    expectViolation(
      await change(key, { permissions: ["orders:read", "orders:write", "reports:read"] }),
      "required_networks",
      rule,
      "allowed_networks",
    );
    expect((await change(key, { permissions: ["orders:write"] })).status).toBe(200);
  });
});

describe("a violation", () => {
  it("is told of in the organization's events and log, with who tried, and the refused command leaves nothing else", async () => {
    const organizationId = await organizationWith({ never_expiring_keys: false });
    const admin = await installation.key(PLATFORM_ORGANIZATION_ID, ["portcullis:api_keys:write"]);
    const refused = await ask(admin.value, "POST", `/organizations/${organizationId}/api_keys`, {
      json: { name: "Canary name", reason: "because", expires_at: null },
    });
    expectViolation(refused, "never_expiring_keys", false, "expires_at");
    expect(await installation.must("GET", `/organizations/${organizationId}/api_keys`)).toMatchObject({ data: [] });
    const told = await violationsToldOf(organizationId);
    expect(told).toMatchObject([
      {
        data: {
          organization_id: organizationId,
          api_key_id: null,
          field: "never_expiring_keys",
          limit: false,
          attempted: "create_api_key",
        },
        context: { actor: { id: admin.id, source: "api" } },
      },
    ]);
    const { data } = await installation.must("GET", `/audit_logs/entries?organization_id=${organizationId}&type=api_key.policy_violated`);
    expect(data).toMatchObject([{ actor: { id: admin.id }, payload: { reason: "because" } }]);
    expect(JSON.stringify([told, data])).not.toContain("Canary");
  });

  it("by an import is told of, once, though the import was only rehearsed", async () => {
    const organizationId = await installation.organization();
    await setPolicy(organizationId, { organization_keys_max: 0 });
    const imported = { name: "Old", sha256: "e".repeat(64), permissions: [] };
    expect((await installation.call("POST", `/organizations/${organizationId}/api_keys/import`, imported)).status).toBe(422);
    expect(await violationsToldOf(organizationId)).toMatchObject([
      { data: { field: "organization_keys_max", attempted: "create_api_key" } },
    ]);
  });

  it("names the key that was to be changed, and a caller can fill the log only slowly", async () => {
    const organizationId = await organizationWith({ organization_key_lifetime_days_max: 10 });
    const key = await installation.key(organizationId, []);
    const admin = await installation.key(PLATFORM_ORGANIZATION_ID, ["portcullis:api_keys:write"]);
    const prolong = () => ask(admin.value, "POST", `/api_keys/${key.id}/expire`, { json: { expires_at: null } });
    for (let nth = 0; nth < 25; nth += 1) expect((await prolong()).status).toBe(422);
    const { data } = await installation.must(
      "GET",
      `/audit_logs/entries?organization_id=${organizationId}&type=api_key.policy_violated&limit=100`,
    );
    expect((data as Json[]).length).toBeGreaterThanOrEqual(20);
    expect((data as Json[]).length).toBeLessThan(25);
    expect((data as Json[])[0]).toMatchObject({ payload: { api_key_id: key.id, attempted: "expire_api_key" } });
  });
});

it("keys from before a stricter policy are listed with what is wrong with each, page by page", async () => {
  const organizationId = await installation.organization();
  const rule = { permission: "orders:write", networks: ["10.0.0.0/8"] };
  const endless = await installation.key(organizationId, []);
  const wanting = await installation.key(organizationId, ["orders:write"]);
  const { id: ended } = await installation.key(organizationId, ["orders:write"]);
  await installation.must("POST", `/api_keys/${ended}/expire`, {});
  const path = `/organizations/${organizationId}/api_key_policy/violations`;
  expect((await installation.must("GET", path))["data"]).toEqual([]);
  await setPolicy(organizationId, { organization_key_lifetime_days_max: 10, required_networks: [rule] });
  await installation.key(organizationId, ["orders:write"], { allowed_networks: ["10.1.0.0/16"] });
  const tooLong = { field: "organization_key_lifetime_days_max", limit: 10, message: expect.any(String) as string };
  const unbound = { field: "required_networks", limit: rule, message: expect.any(String) as string };
  const page = await installation.must("GET", `${path}?order=asc&limit=1`);
  expect(page["data"]).toMatchObject([{ id: endless.id, violations: [tooLong] }]);
  const { after } = page["list_metadata"] as { readonly after: string };
  const next = await installation.must("GET", `${path}?order=asc&limit=1&after=${after}`);
  expect(next).toMatchObject({
    data: [{ id: wanting.id, owner: { type: "organization", id: organizationId }, violations: [tooLong, unbound] }],
    list_metadata: { before: wanting.id, after: null },
  });
  const back = await installation.must("GET", `${path}?order=asc&limit=1&before=${wanting.id}`);
  expect(back).toMatchObject({ data: [{ id: endless.id }], list_metadata: { before: null, after: endless.id } });
});
