/** The official WorkOS SDK for Node, unmodified: how organizations, users, memberships and roles change and end, and what that does to keys. */
import { ConflictException, NotFoundException, UnprocessableEntityException, type WorkOS } from "@workos-inc/node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startTestSystem, type TestSystem } from "../system.ts";
import { refusalOf, sdk, statusAtGateway } from "./workos-client.ts";

let system: TestSystem;
let workos: WorkOS;

beforeAll(async () => {
  system = await startTestSystem();
  workos = sdk(system.controlPlane, system.adminKey);
});
afterAll(() => system?.[Symbol.asyncDispose]());

const freshOrganization = async () => (await workos.organizations.createOrganization({ name: "Acme" })).id;
const freshUser = async () => (await workos.userManagement.createUser({ email: `${crypto.randomUUID()}@example.com` })).id;
const join = (userId: string, organizationId: string, roleSlug: string) =>
  workos.userManagement.createOrganizationMembership({ userId, organizationId, roleSlug });
const userKey = (userId: string, organizationId: string) =>
  workos.userManagement.createUserApiKey(userId, { name: "key", organizationId, permissions: ["orders:read"] });
const organizationKey = (organizationId: string) =>
  workos.apiKeys.createOrganizationApiKey({ organizationId, name: "key", permissions: ["orders:read"] });

describe("an organization", () => {
  it("is changed, and found by its external id", async () => {
    const made = await workos.organizations.createOrganization({
      name: "Old",
      externalId: "crm-1",
      metadata: { plan: "gold", region: "eu" },
    });
    expect(made.metadata).toEqual({ plan: "gold", region: "eu" });
    const changed = await workos.organizations.updateOrganization({
      organization: made.id,
      name: "New",
      externalId: "crm-2",
      metadata: { plan: "silver" },
    });
    expect(changed).toMatchObject({ id: made.id, name: "New", externalId: "crm-2", metadata: { plan: "silver", region: "eu" } });
    expect(await workos.organizations.getOrganizationByExternalId("crm-2")).toEqual(changed);
    await refusalOf(workos.organizations.getOrganizationByExternalId("crm-1"), NotFoundException);
    const twice = await refusalOf(workos.organizations.createOrganization({ name: "x", externalId: "crm-2" }), ConflictException);
    expect(twice.code).toBe("external_id_already_used");
  });

  it("takes its keys and its members' keys along when it is deleted", async () => {
    const [organizationId, userId] = [await freshOrganization(), await freshUser()];
    await join(userId, organizationId, "member");
    const keys = [await organizationKey(organizationId), await userKey(userId, organizationId)];
    for (const { value } of keys) expect(await statusAtGateway(system, value)).toBe(200);
    await workos.organizations.deleteOrganization(organizationId);
    for (const { value } of keys) expect(await statusAtGateway(system, value)).toBe(401);
    await refusalOf(workos.organizations.getOrganization(organizationId), NotFoundException);
    expect((await workos.userManagement.listOrganizationMemberships({ userId })).data).toEqual([]);
  });
});

describe("a user", () => {
  it("is changed, and found by an external id", async () => {
    const made = await workos.userManagement.createUser({ email: "hedy@example.com", firstName: "Hedy", metadata: { team: "radio" } });
    const changed = await workos.userManagement.updateUser({
      userId: made.id,
      email: "lamarr@example.com",
      lastName: "Lamarr",
      externalId: "hr-1",
      metadata: { team: null, rank: "inventor" },
    });
    expect(changed).toMatchObject({
      id: made.id,
      email: "lamarr@example.com",
      firstName: "Hedy",
      lastName: "Lamarr",
      externalId: "hr-1",
      metadata: { rank: "inventor" },
    });
    expect(await workos.userManagement.getUserByExternalId("hr-1")).toEqual(changed);
  });

  it("takes their keys along in every organization when deleted; organizations' keys stay", async () => {
    const organizations = [await freshOrganization(), await freshOrganization(), await freshOrganization()];
    const userId = await freshUser();
    const ended = [];
    const kept = [];
    for (const organizationId of organizations) {
      await join(userId, organizationId, "member");
      ended.push(await userKey(userId, organizationId));
      kept.push(await organizationKey(organizationId));
    }
    for (const { value } of [...ended, ...kept]) expect(await statusAtGateway(system, value)).toBe(200);
    await workos.userManagement.deleteUser(userId);
    for (const { value } of ended) expect(await statusAtGateway(system, value)).toBe(401);
    for (const { value } of kept) expect(await statusAtGateway(system, value)).toBe(200);
    await refusalOf(workos.userManagement.getUser(userId), NotFoundException);
    expect((await workos.userManagement.listOrganizationMemberships({ userId })).data).toEqual([]);
  });
});

describe("a membership", () => {
  it("is deactivated and reactivated, and the user's keys with it", async () => {
    const [organizationId, userId] = [await freshOrganization(), await freshUser()];
    const { id } = await join(userId, organizationId, "member");
    const key = await userKey(userId, organizationId);
    expect(await statusAtGateway(system, key.value)).toBe(200);

    expect((await workos.userManagement.deactivateOrganizationMembership(id)).status).toBe("inactive");
    expect(await statusAtGateway(system, key.value)).toBe(401);
    const listed = async (...statuses: ("active" | "inactive")[]) =>
      (await workos.userManagement.listOrganizationMemberships({ organizationId, statuses })).data.length;
    expect([await listed("active"), await listed("inactive"), await listed("active", "inactive")]).toEqual([0, 1, 1]);
    const refused = await refusalOf(userKey(userId, organizationId), UnprocessableEntityException);
    expect(refused.code).toBe("membership_not_active");

    expect((await workos.userManagement.reactivateOrganizationMembership(id)).status).toBe("active");
    expect(await statusAtGateway(system, key.value)).toBe(200);
  });
});

describe("roles", () => {
  it("of an organization have their whole life", async () => {
    const [organizationId, userId] = [await freshOrganization(), await freshUser()];
    const { authorization } = workos;
    const role = await authorization.createOrganizationRole(organizationId, { name: "Order Desk", slug: "org-desk" });
    expect(role).toMatchObject({ type: "OrganizationRole", slug: "org-desk", permissions: [] });
    await authorization.setOrganizationRolePermissions(organizationId, "org-desk", { permissions: ["invoices:read"] });
    const added = await authorization.addOrganizationRolePermission(organizationId, "org-desk", { permissionSlug: "orders:read" });
    expect(added.permissions).toEqual(["invoices:read", "orders:read"]);
    const membership = await join(userId, organizationId, "org-desk");
    const key = await userKey(userId, organizationId);
    expect(await statusAtGateway(system, key.value)).toBe(200);

    await authorization.removeOrganizationRolePermission(organizationId, "org-desk", { permissionSlug: "orders:read" });
    expect(await statusAtGateway(system, key.value)).toBe(403);

    await authorization.updateOrganizationRole(organizationId, "org-desk", { name: "Desk", description: "Reads" });
    expect(await authorization.getOrganizationRole(organizationId, "org-desk")).toMatchObject({
      name: "Desk",
      description: "Reads",
      permissions: ["invoices:read"],
    });
    const slugs = (await authorization.listOrganizationRoles(organizationId)).data.map(({ slug }) => slug);
    expect(slugs).toEqual(expect.arrayContaining(["member", "org-desk"]));
    const assigned = await refusalOf(authorization.deleteOrganizationRole(organizationId, "org-desk"), ConflictException);
    expect(assigned.code).toBe("role_has_assignments");
    await workos.userManagement.deleteOrganizationMembership(membership.id);
    await authorization.deleteOrganizationRole(organizationId, "org-desk");
    await refusalOf(authorization.getOrganizationRole(organizationId, "org-desk"), NotFoundException);
  });

  it("of the installation are renamed and widened by one permission", async () => {
    const { authorization } = workos;
    await authorization.createEnvironmentRole({ slug: "auditor", name: "Auditor" });
    const added = await authorization.addEnvironmentRolePermission("auditor", { permissionSlug: "orders:read" });
    expect(added).toMatchObject({ type: "EnvironmentRole", permissions: ["orders:read"] });
    const renamed = await authorization.updateEnvironmentRole("auditor", { name: "Inspector" });
    expect(renamed).toMatchObject({ name: "Inspector", permissions: ["orders:read"] });
  });
});
