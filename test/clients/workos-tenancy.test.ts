/** The official WorkOS SDK for Node, unmodified, on the running control plane: organizations, users, memberships, and what their changes do to keys. */
import { NotFoundException, UnprocessableEntityException } from "@workos-inc/node";
import { describe, expect, it } from "vitest";
import { at, refusalOf, startWorkos, statusAtGateway } from "./workos-client.ts";

const { system, workos, freshOrganization, freshUser, validated } = await startWorkos();

const join = (userId: string, organizationId: string, roleSlug: string) =>
  workos.userManagement.createOrganizationMembership({ userId, organizationId, roleSlug });
const userKey = async (userId: string, organizationId: string, permissions: string[]) =>
  workos.userManagement.createUserApiKey(userId, { name: "key", organizationId, permissions });

describe("organizations and users", () => {
  it("reads an organization back as it was created, alone and in the list", async () => {
    const organization = await workos.organizations.createOrganization({ name: "Globex", externalId: "crm-17" });
    expect(organization).toMatchObject({ object: "organization", name: "Globex", externalId: "crm-17", domains: [], metadata: {} });
    expect(await workos.organizations.getOrganization(organization.id)).toEqual(organization);
    // The list is merged over all cells.
    const all = await (await workos.organizations.listOrganizations()).autoPagination();
    expect(all.filter(({ id }) => id === organization.id)).toEqual([organization]);
    expect(all.some(({ id }) => id === system.organizationId)).toBe(true);
  });

  it("reads a user back as it was created, by id and by e-mail address", async () => {
    const user = await workos.userManagement.createUser({
      email: "Alan@example.com",
      firstName: "Alan",
      lastName: "Turing",
      externalId: "hr-3",
    });
    expect(user).toMatchObject({ object: "user", email: "alan@example.com", firstName: "Alan", lastName: "Turing", externalId: "hr-3" });
    expect(await workos.userManagement.getUser(user.id)).toEqual(user);
    expect((await workos.userManagement.listUsers({ email: "alan@example.com" })).data).toEqual([user]);
  });

  it("keeps all that the SDK can say of a user, and takes it back", async () => {
    const made = await workos.userManagement.createUser({
      email: "rear-admiral@example.com",
      name: "Rear Admiral Hopper",
      firstName: "Grace",
      lastName: "Hopper",
      emailVerified: true,
      metadata: { ship: "Cole" },
    });
    const said = { name: "Rear Admiral Hopper", firstName: "Grace", lastName: "Hopper", emailVerified: true, metadata: { ship: "Cole" } };
    expect(made).toMatchObject({ ...said, locale: null, profilePictureUrl: null, lastSignInAt: null });
    const { id: userId } = made;
    const changed = await workos.userManagement.updateUser({
      userId,
      locale: "en-us",
      metadata: { ship: null, rank: "1" },
      firstName: "G.",
    });
    expect(changed).toMatchObject({ ...said, firstName: "G.", locale: "en-US", metadata: { rank: "1" } });
    expect(await workos.userManagement.getUser(userId)).toEqual(changed);
    expect((await workos.userManagement.updateUser({ userId, email: "hopper@example.com" })).emailVerified).toBe(false);
    await refusalOf(workos.userManagement.updateUser({ userId, password: "is nobody's" }), UnprocessableEntityException);
  });
});

describe("a membership", () => {
  it("is found by its user, by its organization and by its id", async () => {
    const [organizationId, userId] = [await freshOrganization("Initech"), await freshUser("peter")];
    const membership = await join(userId, organizationId, "admin");
    expect(membership).toMatchObject({ userId, organizationId, organizationName: "Initech", status: "active", role: { slug: "admin" } });
    expect(await workos.userManagement.getOrganizationMembership(membership.id)).toEqual(membership);
    for (const filter of [{ userId }, { organizationId }, { userId, organizationId }])
      expect((await workos.userManagement.listOrganizationMemberships(filter)).data).toEqual([membership]);
    const [elsewhere] = (await workos.userManagement.listOrganizationMemberships({ userId, organizationId: system.organizationId })).data;
    expect(elsewhere).toBeUndefined();
  });

  it("gives its user's keys what a new role allows, at once and no more", async () => {
    const [organizationId, userId] = [await freshOrganization("Roles"), await freshUser("rising")];
    const membership = await join(userId, organizationId, "admin");
    const key = await userKey(userId, organizationId, ["orders:read", "invoices:read"]);
    expect(await statusAtGateway(system, key.value, "/invoices")).toBe(200);

    const changed = await workos.userManagement.updateOrganizationMembership(membership.id, { roleSlug: "member" });

    expect(changed.role).toEqual({ slug: "member" });
    expect(await statusAtGateway(system, key.value, "/invoices")).toBe(403);
    expect(await statusAtGateway(system, key.value, "/orders")).toBe(200);
    expect((await validated(key.value))?.permissions).toEqual(["orders:read"]);
  });

  it("ends its user's keys in the organization when it is deleted, and no others", async () => {
    const [here, there] = [await freshOrganization("Here"), await freshOrganization("There")];
    const [leaver, stayer] = [await freshUser("leaver"), await freshUser("stayer")];
    const membership = await join(leaver, here, "member");
    await join(leaver, there, "member");
    await join(stayer, here, "member");
    const permissions = ["orders:read"];
    const ended = [await userKey(leaver, here, permissions), await userKey(leaver, here, permissions)];
    const kept = [
      await userKey(leaver, there, permissions),
      await userKey(stayer, here, permissions),
      await workos.apiKeys.createOrganizationApiKey({ organizationId: here, name: "the organization's own", permissions }),
    ];
    // All are used first, so that gateways and KV hold copies of them.
    for (const { value } of [...ended, ...kept]) expect(await statusAtGateway(system, value)).toBe(200);

    await workos.userManagement.deleteOrganizationMembership(membership.id);

    for (const { value } of ended) {
      expect(await statusAtGateway(system, value)).toBe(401);
      expect(await validated(value)).toBeNull();
    }
    for (const { id, value } of kept) {
      expect(await statusAtGateway(system, value)).toBe(200);
      expect((await validated(value))?.id).toBe(id);
    }
    const left = (await workos.userManagement.listUserApiKeys(leaver)).data;
    expect(left.map(({ id }) => id)).toEqual([at(kept, 0).id]);
    expect((await workos.userManagement.listOrganizationMemberships({ organizationId: here })).data.map(({ userId }) => userId)).toEqual([
      stayer,
    ]);
    await refusalOf(workos.userManagement.getOrganizationMembership(membership.id), NotFoundException);
  });

  it("does not bring old keys back when the user joins again", async () => {
    const [organizationId, userId] = [await freshOrganization("Return"), await freshUser("returner")];
    const { id } = await join(userId, organizationId, "member");
    const old = await userKey(userId, organizationId, ["orders:read"]);
    await workos.userManagement.deleteOrganizationMembership(id);
    await join(userId, organizationId, "member");
    expect(await statusAtGateway(system, old.value)).toBe(401);
    expect(await validated(old.value)).toBeNull();
    const fresh = await userKey(userId, organizationId, ["orders:read"]);
    expect(await statusAtGateway(system, fresh.value)).toBe(200);
  });
});
