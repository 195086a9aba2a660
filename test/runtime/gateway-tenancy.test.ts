/**
 * What happens to organizations, users, memberships and roles is in force at every gateway on the very next request. The outbox is
 * held back, so KV says what it said before; every check is made by a gateway that knows the keys and by one that does not.
 */
import { env } from "cloudflare:workers";
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { cellOfOrganization } from "../../core/identifier.ts";
import { readEntries } from "../../control-plane/ledger/journal.ts";
import { healKv, kvFaults } from "./faulty-kv.ts";
import { install, type Installation, type IssuedKey } from "./installation.ts";
import { healLedger, ledgerFaults } from "./ledger-faults.ts";
import { observeGateway, type ObservedGateway } from "./observed-gateway.ts";
import { drainOutboxes } from "./outbox.ts";

const CELLS = 4;
let installation: Installation;
let warm: ObservedGateway;
beforeAll(async () => {
  installation = await install();
});
beforeEach(() => {
  warm = observeGateway();
});
afterEach(() => {
  healKv();
  healLedger();
});

/** Lets KV and a gateway learn the keys, then holds the outbox back. */
async function known(...keys: readonly IssuedKey[]): Promise<void> {
  await drainOutboxes();
  for (const { value } of keys) expect((await warm.get("/orders", value)).status).toBe(200);
  kvFaults.putsRefused = true;
}

/** What both kinds of gateway answer to a key now, and the reason in the log. */
async function answersTo({ value }: IssuedKey, path = "/orders"): Promise<unknown[]> {
  const answers = [];
  for (const gateway of [warm, observeGateway()]) {
    const { status } = await gateway.get(path, value);
    const { reason } = JSON.parse(gateway.logLines.at(-1) ?? "{}") as { reason?: string };
    answers.push(reason === undefined ? status : `${status} ${reason}`);
  }
  return answers;
}

const both = (answer: unknown) => [answer, answer];

const entriesOf = (cell: number) =>
  runInDurableObject(env.LEDGER.getByName(`cell-${cell}`), (_, { storage }) => readEntries(storage.sql, 0, 10_000));

/** An organization in a cell of one's choice. */
async function organizationIn(cell: number): Promise<string> {
  for (;;) {
    const id = await installation.organization();
    if (cellOfOrganization(id, CELLS) === cell) return id;
  }
}

describe("an organization", () => {
  it("has none of its keys accepted while it is suspended, and all of them when it is resumed", async () => {
    const organization = await installation.organization();
    const { userId } = await installation.member(organization, "member");
    const keys = [await installation.key(organization, ["orders:read"]), await installation.userKey(userId, organization, ["orders:read"])];
    const elsewhere = await installation.key(await installation.organization(), ["orders:read"]);
    await known(...keys, elsewhere);

    const suspended = await installation.must("POST", `/organizations/${organization}/suspend`, { reason: "unpaid" });

    expect(suspended["suspended_at"]).toEqual(expect.any(String));
    for (const key of keys) {
      expect(await answersTo(key)).toEqual(both("401 organization_suspended"));
      expect(await installation.must("POST", "/api_keys/validations", { value: key.value })).toEqual({ api_key: null });
    }
    expect(await answersTo(elsewhere)).toEqual(both(200));
    const refused = await installation.call("POST", `/organizations/${organization}/api_keys`, { name: "new" });
    expect(refused).toMatchObject({ status: 409, body: { code: "organization_suspended" } });

    expect(await installation.must("POST", `/organizations/${organization}/resume`, {})).toMatchObject({ suspended_at: null });

    for (const key of keys) expect(await answersTo(key)).toEqual(both(200));
  });

  it("takes every key in it along when it ends, and no other", async () => {
    const organization = await installation.organization();
    const other = await organizationIn(cellOfOrganization(organization, CELLS));
    const { userId } = await installation.member(organization, "member");
    await installation.join(userId, other, "member");
    const ended = [
      await installation.key(organization, ["orders:read"]),
      await installation.userKey(userId, organization, ["orders:read"]),
    ];
    const alive = [await installation.key(other, ["orders:read"]), await installation.userKey(userId, other, ["orders:read"])];
    await known(...ended, ...alive);

    await installation.must("DELETE", `/organizations/${organization}`);

    for (const key of ended) {
      expect(await answersTo(key)).toEqual(both("401 revoked_key"));
      expect((await installation.call("GET", `/api_keys/${key.id}`)).status).toBe(404);
    }
    for (const key of alive) expect(await answersTo(key)).toEqual(both(200));
    expect((await installation.call("GET", `/organizations/${organization}`)).status).toBe(404);
    expect(await installation.must("GET", `/user_management/users/${userId}/api_keys`)).toMatchObject({ data: [{ id: alive[1]?.id }] });
  });

  it("never is the one whose keys govern the installation", async () => {
    for (const [method, path] of [
      ["POST", "/organizations/org_platform/suspend"],
      ["POST", "/organizations/org_platform/resume"],
      ["DELETE", "/organizations/org_platform"],
      ["PUT", "/organizations/org_platform"],
    ] as const)
      expect(await installation.call(method, path, {})).toMatchObject({ status: 409, body: { code: "platform_organization" } });
    expect((await installation.call("GET", "/organizations/org_platform")).status).toBe(200);
  });
});

describe("a membership", () => {
  it("keeps its user's keys from working while it is inactive, in that organization only", async () => {
    const [here, there] = [await installation.organization(), await installation.organization()];
    const { userId, membershipId } = await installation.member(here, "member");
    await installation.join(userId, there, "member");
    const blocked = await installation.userKey(userId, here, ["orders:read"]);
    const alive = [await installation.userKey(userId, there, ["orders:read"]), await installation.key(here, ["orders:read"])];
    await known(blocked, ...alive);
    const place = `/user_management/organization_memberships/${membershipId}`;

    expect(await installation.must("PUT", `${place}/deactivate`, {})).toMatchObject({ status: "inactive" });

    expect(await answersTo(blocked)).toEqual(both("401 membership_inactive"));
    for (const key of alive) expect(await answersTo(key)).toEqual(both(200));
    const asked = { name: "new", organization_id: here };
    const refused = await installation.call("POST", `/user_management/users/${userId}/api_keys`, asked);
    expect(refused).toMatchObject({ status: 422, body: { code: "membership_not_active" } });

    expect(await installation.must("PUT", `${place}/reactivate`, {})).toMatchObject({ status: "active" });

    expect(await answersTo(blocked)).toEqual(both(200));
  });

  it("comes back with what the role allows then", async () => {
    const organization = await installation.organization();
    const { userId, membershipId } = await installation.member(organization, "member");
    const key = await installation.userKey(userId, organization, ["orders:read", "orders:write"]);
    await known(key);
    const place = `/user_management/organization_memberships/${membershipId}`;
    await installation.must("PUT", `${place}/deactivate`, {});
    await installation.must("PUT", place, { role_slug: "viewer" });
    expect(await answersTo(key)).toEqual(both("401 membership_inactive"));
    await installation.must("PUT", `${place}/reactivate`, {});
    expect(await answersTo(key)).toEqual(both(200));
    const asked = { method: "POST", headers: { Authorization: `Bearer ${key.value}` } };
    expect((await warm.send("/orders", asked)).status).toBe(403);
  });
});

describe("a user who ends", () => {
  it("takes their keys along in organizations of different cells; the organizations' keys stay", async () => {
    const organizations = [await organizationIn(0), await organizationIn(1), await organizationIn(2), await organizationIn(2)];
    const { userId } = await installation.member(organizations[0] ?? "", "member");
    for (const organization of organizations.slice(1)) await installation.join(userId, organization, "member");
    const ended = [];
    const alive = [];
    for (const organization of organizations) {
      ended.push(await installation.userKey(userId, organization, ["orders:read"]));
      alive.push(await installation.key(organization, ["orders:read"]));
      const colleague = await installation.member(organization, "member");
      alive.push(await installation.userKey(colleague.userId, organization, ["orders:read"]));
    }
    await known(...ended, ...alive);

    await installation.must("DELETE", `/user_management/users/${userId}`, { reason: "left" });

    for (const key of ended) expect(await answersTo(key)).toEqual(both("401 revoked_key"));
    for (const key of alive) expect(await answersTo(key)).toEqual(both(200));
    expect((await installation.call("GET", `/user_management/users/${userId}`)).status).toBe(404);
    expect(await installation.must("GET", `/user_management/organization_memberships?user_id=${userId}`)).toMatchObject({ data: [] });
    // Each organization's history says by whom and why.
    for (const organization of organizations) {
      const cell = cellOfOrganization(organization, CELLS);
      const entries = await entriesOf(cell);
      const last = entries.findLast(({ type, payload }) => type === "organization_membership.deleted" && payload["user_id"] === userId);
      expect(last).toMatchObject({ actor: { type: "api_key" }, payload: { revoked_api_keys: 1, reason: "left" } });
    }
  });

  it("is not said to be gone while a cell has not heard of it, and then is, by the cell's own alarm", async () => {
    const organization = await organizationIn(3);
    const { userId } = await installation.member(organization, "member");
    const key = await installation.userKey(userId, organization, ["orders:read"]);
    await known(key);
    ledgerFaults.notEndingUsers.add("cell-3");
    for (let attempt = 0; attempt < 2; attempt++)
      expect(await installation.call("DELETE", `/user_management/users/${userId}`)).toMatchObject({
        status: 503,
        body: { code: "not_yet_effective" },
      });
    expect(await answersTo(key)).toEqual(both(200));

    ledgerFaults.notEndingUsers.clear();
    await evictDurableObject(env.LEDGER.getByName("cell-0"));
    await runDurableObjectAlarm(env.LEDGER.getByName("cell-0"));

    expect((await installation.call("DELETE", `/user_management/users/${userId}`)).status).toBe(404);
    expect(await answersTo(key)).toEqual(both("401 revoked_key"));
    const pending = await runInDurableObject(
      env.LEDGER.getByName("cell-0"),
      (_, { storage }) => storage.sql.exec("SELECT 1 FROM receipts WHERE in_force_at_ms IS NULL").toArray().length,
    );
    expect(pending).toBe(0);
  });

  it("has no receipt that is in force before every cell has heard of it, whatever else has been delivered", async () => {
    const { userId } = await installation.member(await organizationIn(3), "member");
    ledgerFaults.notEndingUsers.add("cell-3");
    await installation.call("DELETE", `/user_management/users/${userId}`);
    // The catalogue reaches every cell.
    await installation.must("POST", "/authorization/permissions", { slug: `unrelated:${crypto.randomUUID().slice(0, 8)}`, name: "x" });
    const entries = await entriesOf(0);
    const seq = entries.findLast(({ type }) => type === "user.deleted")?.seq ?? 0;
    expect(await env.LEDGER.getByName("cell-0").receipt(seq)).toMatchObject({ effective_at: null });
    ledgerFaults.notEndingUsers.clear();
    await installation.call("DELETE", `/user_management/users/${userId}`);
    expect(await env.LEDGER.getByName("cell-0").receipt(seq)).toMatchObject({ effective_at: expect.any(String) });
  });

  it("cannot be made a member by a request that was on its way", async () => {
    const organization = await organizationIn(1);
    const { userId } = await installation.member(await installation.organization(), "member");
    await installation.must("DELETE", `/user_management/users/${userId}`);
    const late = {
      type: "create_membership",
      id: "om_01K8QZ0V6M1F7T2B9C3D5E8G1H",
      organization_id: organization,
      user_id: userId,
      user_email: "late@example.com",
      role: "member",
    } as const;
    const outcome = await env.LEDGER.getByName("cell-1").execute({
      command: late,
      actor: { type: "system", id: "test" },
      commandId: crypto.randomUUID(),
      fingerprint: "f",
      sealedReply: null,
      untilInForce: true,
    });
    expect(outcome).toMatchObject({ ok: false, refusal: { code: "entity_not_found", field: "user_id" } });
  });
});

describe("a role of an organization's own", () => {
  const place = (organization: string, slug = "") => `/authorization/organizations/${organization}/roles${slug && `/${slug}`}`;

  it("bounds its members' keys, and they follow when it is narrowed", async () => {
    const organization = await installation.organization();
    const role = await installation.must("POST", place(organization), { name: "Order Desk" });
    const slug = String(role["slug"]);
    expect(role).toMatchObject({ type: "OrganizationRole", permissions: [], slug: expect.stringMatching(/^org-order-desk-/) });
    await installation.must("PUT", `${place(organization, slug)}/permissions`, { permissions: ["orders:read", "reports:read"] });
    const { userId } = await installation.member(organization, slug);
    const key = await installation.userKey(userId, organization, ["orders:read"]);
    await known(key);

    await installation.must("DELETE", `${place(organization, slug)}/permissions/orders:read`);
    expect(await answersTo(key)).toEqual(both("403 insufficient_scope"));

    await installation.must("POST", `${place(organization, slug)}/permissions`, { slug: "orders:read" });
    expect(await answersTo(key)).toEqual(both(200));
  });

  it("is nobody's outside the organization, and cannot go while anyone has it", async () => {
    const [here, there] = [await installation.organization(), await installation.organization()];
    await installation.must("POST", place(here), { name: "Own", slug: "org-own" });
    const { membershipId } = await installation.member(here, "org-own");
    const outsider = await installation.member(there, "member");
    const asked = { user_id: outsider.userId, organization_id: there, role_slug: "org-own" };
    expect((await installation.call("POST", "/user_management/organization_memberships", asked)).status).toBe(404);
    expect((await installation.call("GET", place(there, "org-own"))).status).toBe(404);
    expect((await installation.call("POST", place(here), { name: "Own", slug: "org-own" })).body).toMatchObject({
      code: "organization_role_slug_conflict",
    });

    const refused = await installation.call("DELETE", place(here, "org-own"));
    expect(refused).toMatchObject({ status: 409, body: { code: "role_has_assignments" } });
    await installation.must("PUT", `/user_management/organization_memberships/${membershipId}`, { role_slug: "member" });
    await installation.must("DELETE", place(here, "org-own"));
    expect((await installation.call("GET", place(here, "org-own"))).status).toBe(404);
  });

  it.each([0, 1])("loses a permission that leaves the catalogue, for good, in cell %i", async (cell) => {
    const organization = await organizationIn(cell);
    await installation.must("POST", "/authorization/permissions", { slug: "brief:use", name: "Brief" });
    await installation.must("POST", place(organization), { name: "Own", slug: "org-own" });
    await installation.must("PUT", `${place(organization, "org-own")}/permissions`, { permissions: ["brief:use"] });
    await installation.must("DELETE", "/authorization/permissions/brief:use");
    await installation.must("POST", "/authorization/permissions", { slug: "brief:use", name: "Brief" });
    const role = await installation.must("GET", place(organization, "org-own"));
    await installation.must("DELETE", "/authorization/permissions/brief:use");
    expect(role).toMatchObject({ permissions: [] });
  });
});

describe("a role of the installation", () => {
  it("cannot go while anyone has it, in whichever cell", async () => {
    await installation.must("POST", "/authorization/roles", { slug: "leaving", name: "Leaving" });
    const organization = await organizationIn(2);
    const { membershipId } = await installation.member(organization, "leaving");
    const refused = await installation.call("DELETE", "/authorization/roles/leaving");
    expect(refused).toMatchObject({ status: 409, body: { code: "role_has_assignments" } });
    await installation.must("DELETE", `/user_management/organization_memberships/${membershipId}`);
    await installation.must("DELETE", "/authorization/roles/leaving");
    expect((await installation.call("GET", "/authorization/roles/leaving")).status).toBe(404);
    const { userId } = await installation.member(organization, "member");
    const other = await organizationIn(2);
    const asked = { user_id: userId, organization_id: other, role_slug: "leaving" };
    expect((await installation.call("POST", "/user_management/organization_memberships", asked)).status).toBe(404);
  });

  it("that was given to someone while it was being deleted is not theirs again when it is made anew", async () => {
    const organization = await organizationIn(2);
    const { userId, membershipId } = await installation.member(organization, "member");
    await installation.must("POST", "/authorization/roles", { slug: "phoenix", name: "Phoenix" });
    await installation.must("PUT", "/authorization/roles/phoenix/permissions", { permissions: ["orders:read"] });
    const key = await installation.userKey(userId, organization, ["orders:read"]);
    await known(key);
    // Cell 2 has asked, and been told of no assignment; then it is cut off, and gives the role meanwhile.
    ledgerFaults.onCatalogue.set("cell-2", "throws");
    expect((await installation.call("DELETE", "/authorization/roles/phoenix")).status).toBe(503);
    await installation.must("PUT", `/user_management/organization_memberships/${membershipId}`, { role_slug: "phoenix" });
    expect((await installation.call("POST", "/authorization/roles", { slug: "phoenix", name: "Phoenix" })).status).toBe(503);
    ledgerFaults.onCatalogue.clear();
    await installation.must("PUT", "/authorization/roles/phoenix/permissions", { permissions: ["orders:read"] });

    expect(await answersTo(key)).toEqual(both("401 membership_inactive"));
  });
});
