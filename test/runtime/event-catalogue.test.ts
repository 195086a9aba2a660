/** The catalogue of events inside workerd: a life in which every one of them happens, each in the form that is published for it. */
import { beforeAll, describe, expect, it } from "vitest";
import { EVENT_TYPES } from "../../control-plane/ledger/event-catalogue.ts";
import { install, type Installation, type Json } from "./installation.ts";

import { newEndpoint } from "./webhook-endpoints.ts";
import { cellsReport, pass, webhookWorld } from "./webhook-world.ts";

/** Events that take days, or settings of their own, and happen in the tests of what causes them. */
const HAPPEN_ELSEWHERE: ReadonlySet<string> = new Set([
  "api_key.previous_secret_expired",
  "api_key.expiring_soon",
  "api_key.expired",
  "api_key.idle",
  "api_key.policy_violated",
  "api_key_policy.updated",
  "api_key_request.created",
  "api_key_request.approved",
  "api_key_request.denied",
  "api_key_request.issued",
  "api_key_request.expired",
]);

let installation: Installation;
beforeAll(async () => {
  installation = await install();
});

const must: Installation["must"] = async (...request) => installation.must(...request);

/** Every event that a query lets through. The test Worker refuses to answer what is not as published. */
async function listed(query = ""): Promise<Json[]> {
  const found: Json[] = [];
  for (let after: string | null | undefined; after !== null;) {
    const page = await must("GET", `/events?limit=100${query}${after === undefined ? "" : `&after=${after}`}`);
    found.push(...(page["data"] as Json[]));
    after = (page["list_metadata"] as { after: string | null }).after;
  }
  return found;
}

const typesOf = (events: readonly Json[]) => events.map(({ event }) => String(event));

async function keysLive(organizationId: string): Promise<void> {
  const { id } = await installation.key(organizationId, ["orders:read"], { metadata: { team: "a" }, tags: ["ci"] });
  await must("PATCH", `/api_keys/${id}`, { name: "Renamed" });
  await must("POST", `/api_keys/${id}/disable`, {});
  await must("POST", `/api_keys/${id}/enable`, {});
  await must("POST", `/api_keys/${id}/rotate`, {});
  await must("DELETE", `/api_keys/${id}/previous_secret`);
  await must("DELETE", `/api_keys/${id}`);
  await bulkRevoke(organizationId);
}

async function bulkRevoke(organizationId: string): Promise<void> {
  await installation.key(organizationId, ["orders:read"]);
  const place = `/organizations/${organizationId}/api_keys/revocations`;
  const { confirmation } = await must("POST", `${place}/preview`, {});
  await must("POST", place, { confirmation, reason: "Leaked." });
}

async function tenantsLive(organizationId: string): Promise<void> {
  const { userId, membershipId } = await installation.member(organizationId, "member");
  await installation.userKey(userId, organizationId, ["orders:read"]);
  await must("PUT", `/user_management/organization_memberships/${membershipId}`, { role_slug: "viewer" });
  await must("DELETE", `/user_management/organization_memberships/${membershipId}`);
  await must("PUT", `/user_management/users/${userId}`, { first_name: "Ada" });
  await must("DELETE", `/user_management/users/${userId}`);
  await must("PUT", `/organizations/${organizationId}`, { name: "Renamed" });
  await must("POST", `/organizations/${organizationId}/suspend`, { reason: "Unpaid." });
  await must("POST", `/organizations/${organizationId}/resume`, {});
}

async function rolesLive(place: string, slug: string): Promise<void> {
  await must("POST", place, { slug, name: "Short-lived" });
  await must("PATCH", `${place}/${slug}`, { name: "Renamed" });
  await must("PUT", `${place}/${slug}/permissions`, { permissions: ["orders:read"] });
}

async function auditLogLives(organization_id: string): Promise<void> {
  await must("POST", "/audit_logs/actions/a.b/schemas", {
    targets: [{ type: "t", metadata: { type: "object", properties: { n: { type: "number" } } } }],
  });
  const range = { range_start: "2026-01-01T00:00:00Z", range_end: "2026-02-01T00:00:00Z" };
  await must("POST", "/audit_logs/exports", { organization_id, ...range, actions: ["a.b"], targets: ["t"] });
  await must("PUT", `/organizations/${organization_id}/audit_logs_retention`, { retention_period: "1_YEAR", reason: "Asked for." });
}

async function catalogueLives(): Promise<void> {
  await must("POST", "/authorization/permissions", { slug: "short:lived", name: "Short-lived" });
  await must("PATCH", "/authorization/permissions/short:lived", { name: "Renamed" });
  await must("DELETE", "/authorization/permissions/short:lived");
}

async function webhooksLive(): Promise<void> {
  const { id, host } = await newEndpoint(installation, async () => new Response(null, { status: 410 }), ["user.created"]);
  await must("PATCH", `/webhook_endpoints/${id}`, { events: ["user.created", "user.deleted"] });
  await must("POST", `/webhook_endpoints/${id}/rotate_secret`, {});
  await must("POST", "/user_management/users", { email: "gone@example.com" });
  await cellsReport();
  await pass(id, 1_000);
  expect(webhookWorld.received.filter(({ url }) => url.includes(host))).toHaveLength(1);
  await must("DELETE", `/webhook_endpoints/${id}`);
}

describe("the catalogue", () => {
  it("has every event that happens, in its published form, and every one it has does happen", async () => {
    const organizationId = await installation.organization();
    await keysLive(organizationId);
    await tenantsLive(organizationId);
    const roles = `/authorization/organizations/${organizationId}/roles`;
    await rolesLive(roles, "org-short");
    await must("DELETE", `${roles}/org-short`);
    await rolesLive("/authorization/roles", "short");
    await must("DELETE", "/authorization/roles/short");
    await catalogueLives();
    await auditLogLives(organizationId);
    await webhooksLive();
    await must("DELETE", `/organizations/${organizationId}`);
    expect([...new Set(typesOf(await listed()))].toSorted()).toEqual(EVENT_TYPES.filter((type) => !HAPPEN_ELSEWHERE.has(type)).toSorted());
  });

  it("shows the whole of an organization's own role, as it was and as it became", async () => {
    const organization_id = await installation.organization();
    const place = `/authorization/organizations/${organization_id}/roles`;
    await rolesLive(place, "org-keeper");
    const role = { object: "organization_role", organization_id, slug: "org-keeper", type: "OrganizationRole" };
    const shown = (await listed(`&organization_id=${organization_id}`)).slice(1);
    expect(shown).toMatchObject([
      { event: "organization_role.created", data: { ...role, name: "Short-lived", permissions: [] } },
      { event: "organization_role.updated", data: { ...role, name: "Renamed", previous_attributes: { name: "Short-lived" } } },
      { event: "organization_role.updated", data: { ...role, permissions: ["orders:read"], previous_attributes: { permissions: [] } } },
    ]);
    // Another organization's role of the same name is another role.
    const other = await installation.organization();
    await rolesLive(`/authorization/organizations/${other}/roles`, "org-keeper");
    expect((await listed(`&organization_id=${organization_id}`)).slice(1)).toEqual(shown);
  });

  it("shows an organization that its keys were ended by what they have in common", async () => {
    const organization_id = await installation.organization();
    await bulkRevoke(organization_id);
    expect(typesOf(await listed(`&organization_id=${organization_id}`)).slice(-2)).toEqual(["api_key.bulk_revoked", "api_key.revoked"]);
  });
});

describe("a name that no event has", () => {
  it.each(["events=api_key.created,api_key.creatd", "events[]=api_key.creatd", "events=API_KEY.CREATED&events=api_key.creatd"])(
    "is refused by name: %s",
    async (query) => {
      const { status, body } = await installation.call("GET", `/events?${query}`);
      expect([status, JSON.stringify(body["errors"])]).toEqual([422, expect.stringContaining("'api_key.creatd' is no event")]);
    },
  );

  it("is refused for a webhook endpoint, made or changed", async () => {
    const asked = { endpoint_url: "https://names.example.com/", events: ["api_key.created", "no.such"] };
    expect(await installation.call("POST", "/webhook_endpoints", asked)).toMatchObject({ status: 422 });
    const { id } = await newEndpoint(installation);
    const { status, body } = await installation.call("PATCH", `/webhook_endpoints/${id}`, { events: ["no.such"] });
    expect([status, body["errors"]]).toMatchObject([422, [{ field: "events.0", message: expect.stringContaining("'no.such'") as string }]]);
  });

  it("is repeated only where it is short enough to be one", async () => {
    const { body } = await installation.call("GET", `/events?events=${"x".repeat(3_000)}`);
    expect(JSON.stringify(body)).not.toContain("xxx");
  });
});
