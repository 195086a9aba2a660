/** What keys may do and do not use, what else is said against them, and the one call that takes the rest away. */
import { env } from "cloudflare:workers";
import { runInDurableObject } from "cloudflare:test";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { cellOfOrganization } from "../../core/identifier.ts";
import { changingNothing } from "./control-plane-client.ts";
import { callControlPlane, install, type Installation, type IssuedKey, type Json } from "./installation.ts";
import { healLedger, ledgerFaults } from "./ledger-faults.ts";
import { observeGateway, type ObservedGateway } from "./observed-gateway.ts";
import { ringStores } from "./usage-stores.ts";

const DAY_MS = 86_400_000;

let installation: Installation;
let organization: string;
let gateway: ObservedGateway;
beforeAll(async () => {
  installation = await install();
  await installation.must("POST", "/authorization/permissions", { slug: "orders:*", name: "Everything with orders" });
});
beforeEach(async () => {
  organization = await installation.organization();
  gateway = observeGateway({ USAGE_DELIVERY: "direct" });
});
afterEach(healLedger);

const review = (key: IssuedKey, query = "") => installation.must("GET", `/api_keys/${key.id}/least_privilege${query}`);
const narrow = (key: IssuedKey, confirmation: unknown, more: Json = {}) =>
  installation.call("POST", `/api_keys/${key.id}/narrow`, { confirmation, ...more });
const deliver = async () => {
  await gateway.settled();
  await ringStores();
};
const statusOf = async (method: string, path: string, { value }: IssuedKey) =>
  (await gateway.send(path, { method, headers: { Authorization: `Bearer ${value}` } })).status;
const ledgerOf = (organizationId: string) => env.LEDGER.getByName(`cell-${cellOfOrganization(organizationId, Number(env.CELLS))}`);
const inLedger = (statement: string, ...values: SqlStorageValue[]) =>
  runInDurableObject(ledgerOf(organization), (_, { storage }) => void storage.sql.exec(statement, ...values));
const permissionsOf = async (key: IssuedKey) => (await installation.must("GET", `/api_keys/${key.id}`))["permissions"];

describe("a review", () => {
  it("compares what was granted with what was used", async () => {
    const key = await installation.key(organization, ["orders:read", "orders:write", "reports:read"]);
    gateway.clock.standsStillAtMs = Date.now();
    const usedAt = new Date(gateway.clock.standsStillAtMs).toISOString();
    expect(await statusOf("GET", "/orders", key)).toBe(200);
    expect(await statusOf("GET", "/admin/x", key)).toBe(403);
    await deliver();
    expect(await review(key)).toMatchObject({
      object: "api_key_review",
      id: key.id,
      findings: ["excess_permissions", "never_expires"],
      permissions: [
        { permission: "orders:read", last_used_at: usedAt },
        { permission: "orders:write", last_used_at: null },
        { permission: "reports:read", last_used_at: null },
      ],
      used_permissions: [{ permission: "orders:read", last_used_at: usedAt }],
      proposed_permissions: ["orders:read"],
    });
  });

  it("proposes in place of a wildcard the part that was used", async () => {
    const key = await installation.key(organization, ["orders:*"]);
    expect(await statusOf("GET", "/orders", key)).toBe(200);
    await deliver();
    expect(await review(key)).toMatchObject({ findings: ["excess_permissions", "never_expires"], proposed_permissions: ["orders:read"] });
  });

  it("finds nothing in a key that uses all it has and will end", async () => {
    const key = await installation.key(organization, ["orders:read"], { expires_at: new Date(Date.now() + DAY_MS).toISOString() });
    expect(await statusOf("GET", "/orders", key)).toBe(200);
    await deliver();
    expect((await review(key))["findings"]).toEqual([]);
  });

  it("looks as far back as it is asked to", async () => {
    const key = await installation.key(organization, ["orders:read"]);
    expect(await statusOf("GET", "/orders", key)).toBe(200);
    await deliver();
    await inLedger("UPDATE permission_uses SET last_used_at_ms = ? WHERE key_id = ?", Date.now() - 91 * DAY_MS, key.id);
    await inLedger("UPDATE tokens SET last_used_at_ms = ? WHERE key_id = ?", Date.now() - 91 * DAY_MS, key.id);
    expect(await review(key)).toMatchObject({ findings: ["excess_permissions", "idle", "never_expires"], proposed_permissions: [] });
    expect(await review(key, "?window_days=92")).toMatchObject({
      findings: ["idle", "never_expires"],
      proposed_permissions: ["orders:read"],
    });
    expect(await review(key, "?idle_days=92&window_days=92")).toMatchObject({ findings: ["never_expires"] });
    await inLedger("UPDATE api_keys SET created_at_ms = ? WHERE id = ?", Date.now() - 100 * DAY_MS, key.id);
    const since = Date.parse(String((await review(key))["observed_since"]));
    expect(since).toBeGreaterThan(Date.now() - DAY_MS);
  });

  it("counts a permission as used within a window also when its last use was not written because one shortly before was", async () => {
    const key = await installation.key(organization, ["orders:read", "orders:write"]);
    const windowMs = 90 * DAY_MS;
    // Written: 50 minutes before the window. Used again, which is not written within the hour: 5 minutes into it.
    gateway.clock.standsStillAtMs = Date.now() - windowMs - 50 * 60_000;
    expect(await statusOf("GET", "/orders", key)).toBe(200);
    await deliver();
    gateway.clock.standsStillAtMs += 55 * 60_000;
    expect(await statusOf("GET", "/orders", key)).toBe(200);
    await deliver();
    expect(await review(key)).toMatchObject({ proposed_permissions: ["orders:read"] });
  });

  it("says when the creator has left: a member, or a platform key", async () => {
    const { userId, membershipId } = await installation.member(organization, "member");
    const byMember = await installation.key(organization, ["orders:read"]);
    await inLedger("UPDATE api_keys SET created_by_type = 'user', created_by_id = ? WHERE id = ?", userId, byMember.id);
    const platformKey = await installation.key("org_platform", ["portcullis:api_keys:write"]);
    const asked = { name: "CI", permissions: ["orders:read"] };
    const made = await callControlPlane(platformKey.value, "POST", `/organizations/${organization}/api_keys`, asked);
    const byPlatformKey = { id: String(made.body["id"]), value: String(made.body["value"]) };
    const left = async (key: IssuedKey) => ((await review(key))["findings"] as string[]).includes("creator_left");
    expect([await left(byMember), await left(byPlatformKey)]).toEqual([false, false]);
    await installation.must("DELETE", `/user_management/organization_memberships/${membershipId}`);
    await installation.must("DELETE", `/api_keys/${platformKey.id}`);
    expect([await left(byMember), await left(byPlatformKey)]).toEqual([true, true]);
  });

  it("knows what platform keys are used for", async () => {
    const key = await installation.key("org_platform", ["portcullis:organizations:read", "portcullis:users:read"]);
    expect((await callControlPlane(key.value, "GET", "/organizations")).status).toBe(200);
    expect((await callControlPlane(key.value, "GET", "/events")).status).toBe(403);
    await expect.poll(async () => (await review(key))["proposed_permissions"]).toEqual(["portcullis:organizations:read"]);
    const { status } = await narrow(key, (await review(key))["confirmation"]);
    expect(status).toBe(200);
    expect((await callControlPlane(key.value, "GET", "/user_management/users")).status).toBe(403);
    expect((await callControlPlane(key.value, "GET", "/organizations")).status).toBe(200);
  });
});

describe("the report", () => {
  const idsOf = (page: Json) => (page["data"] as readonly Json[]).map(({ id }) => String(id));
  async function walk(query: string): Promise<string[]> {
    const ids: string[] = [];
    for (let after: string | null = ""; after !== null;) {
      const page: Json = await installation.must("GET", `/least_privilege_report?limit=1&${query}&after=${after}`);
      ids.push(...idsOf(page));
      ({ after } = page["list_metadata"] as { readonly after: string | null });
    }
    return ids;
  }

  it("walks the keys of an organization and its members, and no other's; or all there are", async () => {
    const { userId } = await installation.member(organization, "member");
    const own = await installation.key(organization, ["orders:read"]);
    const members = await installation.userKey(userId, organization, ["orders:read"]);
    const revoked = await installation.key(organization, ["orders:read"]);
    await installation.must("DELETE", `/api_keys/${revoked.id}`);
    const elsewhere = await installation.key(await installation.organization(), ["orders:read"]);
    expect(new Set(await walk(`organization_id=${organization}`))).toEqual(new Set([own.id, members.id]));
    const all = await walk("");
    expect(all.filter((id) => [own.id, members.id, elsewhere.id, revoked.id].includes(id)).toSorted()).toEqual(
      [own.id, members.id, elsewhere.id].toSorted(),
    );
  });

  it("fills the longest page there is", async () => {
    const { id } = await installation.key(organization, ["orders:read"]);
    const columns = "owner_type, organization_id, user_id, name, obfuscated_value, environment, permissions, created_at_ms, updated_at_ms";
    await inLedger(
      `INSERT INTO api_keys (id, ${columns}, created_by_type, created_by_id, updated_by_type, updated_by_id)
       SELECT 'api_key_' || printf('%026d', value), ${columns}, created_by_type, created_by_id, updated_by_type, updated_by_id
       FROM api_keys JOIN json_each('[${Array.from({ length: 150 }, (_, at) => at + 1).join()}]') WHERE api_keys.id = ?`,
      id,
    );
    const first = await installation.must("GET", `/least_privilege_report?organization_id=${organization}&limit=100`);
    const after = String((first["list_metadata"] as Json)["after"]);
    const second = await installation.must("GET", `/least_privilege_report?organization_id=${organization}&limit=100&after=${after}`);
    expect(new Set([...idsOf(first), ...idsOf(second)]).size).toBe(151);
  });

  it("shows those with a finding", async () => {
    const lasting = await installation.key(organization, ["orders:read"]);
    const ending = await installation.key(organization, ["orders:read"], { expires_at: new Date(Date.now() + DAY_MS).toISOString() });
    const of = (finding: string) => walk(`organization_id=${organization}&finding=${finding}`);
    expect(await of("never_expires")).toEqual([lasting.id]);
    expect(new Set(await of("excess_permissions"))).toEqual(new Set([lasting.id, ending.id]));
    expect(await of("idle")).toEqual([]);
    await inLedger("UPDATE api_keys SET created_at_ms = ? WHERE id = ?", Date.now() - 91 * DAY_MS, ending.id);
    expect(await of("idle")).toEqual([ending.id]);
    expect(await of("creator_left")).toEqual([]);
  });

  it.each(["window_days=0", "window_days=401", "window_days=1.5", "idle_days=x", "finding=bad", "organization_id=org_1"])(
    "refuses %s",
    async (query) => {
      expect((await installation.call("GET", `/least_privilege_report?${query}`)).status).toBe(422);
    },
  );
});

describe("narrowing a key to its use", () => {
  it("is in force everywhere when the call returns, and takes nothing that was used", async () => {
    const key = await installation.key(organization, ["orders:*", "reports:read"]);
    expect(await statusOf("GET", "/orders", key)).toBe(200);
    await deliver();
    expect(await statusOf("POST", "/orders", key)).toBe(200);
    const answer = await narrow(key, (await review(key))["confirmation"], { reason: "quarterly review" });
    expect(answer).toMatchObject({
      status: 200,
      body: { permissions: ["orders:read"], receipt: { effective_at: expect.any(String) as string } },
    });
    expect(await statusOf("POST", "/orders", key)).toBe(403);
    expect(await statusOf("GET", "/orders", key)).toBe(200);
    const entries = await installation.must("GET", `/audit_logs/entries?subject=${key.id}&type=api_key.updated`);
    expect(entries["data"]).toMatchObject([
      {
        payload: {
          permissions: ["orders:read"],
          previous_attributes: { permissions: ["orders:*", "reports:read"] },
          narrowed_to_use: true,
          reason: "quarterly review",
        },
      },
    ]);
  });

  it("is refused when the key has used more since, and changes nothing then", async () => {
    const key = await installation.key(organization, ["orders:read", "orders:write"]);
    expect(await statusOf("GET", "/orders", key)).toBe(200);
    await deliver();
    const { confirmation } = await review(key);
    expect(await statusOf("POST", "/orders", key)).toBe(200);
    await deliver();
    const answer = await changingNothing(() => narrow(key, confirmation));
    expect(answer).toMatchObject({ status: 409, body: { code: "preview_outdated" } });
    expect(await permissionsOf(key)).toEqual(["orders:read", "orders:write"]);
  });

  it("is refused when somebody has changed the key since, though what it uses is the same", async () => {
    const key = await installation.key(organization, ["orders:read", "orders:write"]);
    expect(await statusOf("GET", "/orders", key)).toBe(200);
    await deliver();
    const { confirmation } = await review(key);
    await installation.must("PATCH", `/api_keys/${key.id}`, { permissions: ["orders:read", "orders:write", "reports:read"] });
    expect(await narrow(key, confirmation)).toMatchObject({ status: 409, body: { code: "preview_outdated" } });
  });

  it("never leaves a key that it was not granted, whatever it used before", async () => {
    const key = await installation.key(organization, ["orders:read", "orders:write"]);
    expect(await statusOf("POST", "/orders", key)).toBe(200);
    expect(await statusOf("GET", "/orders", key)).toBe(200);
    await deliver();
    await installation.must("PATCH", `/api_keys/${key.id}`, { permissions: ["orders:read", "reports:read"] });
    const { confirmation, proposed_permissions } = await review(key);
    expect(proposed_permissions).toEqual(["orders:read"]);
    expect((await narrow(key, confirmation)).body["permissions"]).toEqual(["orders:read"]);
  });

  it("leaves a key alone that has used nothing", async () => {
    const key = await installation.key(organization, ["orders:read"]);
    const answer = await narrow(key, (await review(key))["confirmation"]);
    expect(answer).toMatchObject({ status: 409, body: { code: "api_key_unused" } });
    expect(await permissionsOf(key)).toEqual(["orders:read"]);
  });

  it("answers a repeat as the first time, though the key has been changed since, by that", async () => {
    const key = await installation.key(organization, ["orders:read", "orders:write"]);
    expect(await statusOf("GET", "/orders", key)).toBe(200);
    await deliver();
    const body = { confirmation: (await review(key))["confirmation"] };
    const ask = () =>
      callControlPlane(installation.adminKey, "POST", `/api_keys/${key.id}/narrow`, body, { "Idempotency-Key": `narrow-${key.id}` });
    const first = await ask();
    expect(first.status).toBe(200);
    const again = await changingNothing(ask);
    expect(again.body["permissions"]).toEqual(first.body["permissions"]);
  });

  it("waits for uses the ledger could not be told of: the review says no more than is known", async () => {
    const key = await installation.key(organization, ["orders:read"]);
    ledgerFaults.onUses.set(ledgerOf(organization).name ?? "", "throws");
    expect(await statusOf("GET", "/orders", key)).toBe(200);
    await deliver();
    expect((await narrow(key, (await review(key))["confirmation"])).body["code"]).toBe("api_key_unused");
    healLedger();
    await ringStores();
    expect((await review(key))["proposed_permissions"]).toEqual(["orders:read"]);
  });

  it("is refused for the last platform key that holds what it does not use", async () => {
    const admins = await installation.must("GET", "/organizations/org_platform/api_keys?order=asc");
    const [first] = admins["data"] as readonly Json[];
    const admin = { id: String(first?.["id"]), value: installation.adminKey };
    // Everything this test does is a use of the same few permissions.
    await expect.poll(async () => (await review(admin))["proposed_permissions"]).not.toEqual([]);
    await expect
      .poll(async () => (await narrow(admin, (await review(admin))["confirmation"])).body["code"])
      .toBe("last_holder_of_permission");
  });
});
