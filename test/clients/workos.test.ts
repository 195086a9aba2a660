/** The official WorkOS SDK for Node, unmodified, on the running control plane: keys, their owners, lists. Errors and repeats: see the files next to this one. */
import { UnprocessableEntityException } from "@workos-inc/node";
import { beforeAll, describe, expect, it } from "vitest";
import { base62OfInteger } from "../../core/base62.ts";
import { crc32OfAscii } from "../../core/crc32.ts";
import { callApi } from "../../local/api-client.ts";
import { startTestSystem } from "../system.ts";
import { at, refusalOf, startWorkos, statusAtGateway } from "./workos-client.ts";

const ISO_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

const { system, workos, freshOrganization, freshUser, validated } = await startWorkos();

const idsOf = (items: readonly { readonly id: string }[]) => items.map(({ id }) => id);

describe("an organization's API key", () => {
  it("comes with its value and all its fields, in the SDK's names", async () => {
    const { organizationId } = system;
    const key = await workos.apiKeys.createOrganizationApiKey({ organizationId, name: "CI deploy", permissions: ["orders:read"] });
    expect(key).toEqual({
      object: "api_key",
      id: expect.stringMatching(/^api_key_[0-9A-HJKMNP-TV-Z]{26}$/),
      owner: { type: "organization", id: organizationId },
      name: "CI deploy",
      obfuscatedValue: expect.stringContaining("..."),
      value: expect.stringMatching(/^pc_live_[0-9A-Za-z]+$/),
      lastUsedAt: null,
      permissions: ["orders:read"],
      createdAt: expect.stringMatching(ISO_TIME),
      updatedAt: expect.stringMatching(ISO_TIME),
    });
    expect(key.obfuscatedValue.length).toBeLessThan(key.value.length / 2);
  });

  it("shows its value once and never again", async () => {
    const organizationId = await freshOrganization("Once");
    const { id, value } = await workos.apiKeys.createOrganizationApiKey({ organizationId, name: "once" });
    // The SDK drops what it does not know, so the raw answers are looked at.
    for (const path of [`/organizations/${organizationId}/api_keys`, `/api_keys/${id}`]) {
      const answer = JSON.stringify(await callApi(system.controlPlane, system.adminKey, "GET", path));
      expect(answer).toContain(id);
      expect(answer.includes(value)).toBe(false);
      expect(answer).not.toContain('"value"');
    }
  });

  it("is created without permissions when none are asked for, and then opens no route that needs one", async () => {
    const key = await workos.apiKeys.createOrganizationApiKey({ organizationId: system.organizationId, name: "bare" });
    expect(key.permissions).toEqual([]);
    expect((await validated(key.value))?.permissions).toEqual([]);
    expect(await statusAtGateway(system, key.value)).toBe(403);
  });

  it("is validated as what it is, and nothing else is", async () => {
    const { organizationId } = system;
    const permissions = ["orders:read"];
    const { value, ...key } = await workos.apiKeys.createOrganizationApiKey({ organizationId, name: "valid", permissions });
    expect(await validated(value)).toEqual(key);
    expect(await validated("pc_live_unknown")).toBeNull();
    expect(await validated("")).toBeNull();
    // A live token of another installation is well formed in every way and yet unknown here.
    await using other = await startTestSystem();
    expect(await validated(other.adminKey)).toBeNull();
  });

  it("is not what a forger makes of it: one character changed, with and without a checksum that fits", async () => {
    const { organizationId } = system;
    const { value } = await workos.apiKeys.createOrganizationApiKey({ organizationId, name: "original", permissions: ["orders:read"] });
    expect(await statusAtGateway(system, value)).toBe(200);
    // From the front: cell, tag key, random part, tag, and last the secret, where only the hash in the ledger tells.
    for (const place of ["pc_live_".length + 5, "pc_live_".length + 20, "pc_live_".length + 40]) {
      const changed = value.slice(0, place) + (value[place] === "a" ? "b" : "a") + value.slice(place + 1, -6);
      for (const forged of [changed + value.slice(-6), changed + base62OfInteger(crc32OfAscii(changed), 6)]) {
        expect(await validated(forged)).toBeNull();
        expect(await statusAtGateway(system, forged)).toBe(401);
      }
    }
  });

  it("ends with its deletion: not valid, not listed, refused by the gateway", async () => {
    const organizationId = await freshOrganization("Ending");
    const create = (name: string) => workos.apiKeys.createOrganizationApiKey({ organizationId, name, permissions: ["orders:read"] });
    const [ended, kept] = [await create("ended"), await create("kept")];
    // Both are used first, so that gateways and KV hold copies of them.
    expect(await statusAtGateway(system, ended.value)).toBe(200);
    expect(await statusAtGateway(system, kept.value)).toBe(200);

    await workos.apiKeys.deleteApiKey(ended.id);

    expect(await statusAtGateway(system, ended.value)).toBe(401);
    expect(await validated(ended.value)).toBeNull();
    expect(idsOf((await workos.apiKeys.listOrganizationApiKeys({ organizationId })).data)).toEqual([kept.id]);
    expect((await validated(kept.value))?.id).toBe(kept.id);
    expect(await statusAtGateway(system, kept.value)).toBe(200);
  });
});

describe("a list of 120 keys", () => {
  let organizationId: string;
  /** In the order of the ids, which is the order of lists. */
  let created: string[];
  const list = (page: { limit?: number; order?: "asc" | "desc"; before?: string; after?: string }) =>
    workos.apiKeys.listOrganizationApiKeys({ organizationId, ...page });

  beforeAll(async () => {
    organizationId = await freshOrganization("Many");
    const names = Array.from({ length: 120 }, (_, index) => `key ${index}`);
    created = idsOf(await Promise.all(names.map((name) => workos.apiKeys.createOrganizationApiKey({ organizationId, name })))).toSorted();
  });

  it.each([
    ["newest first", undefined],
    ["newest first when asked for", "desc"],
    ["oldest first", "asc"],
  ] as const)("is walked %s without repeating or skipping one", async (_, order) => {
    const all = await (await list(order ? { order } : {})).autoPagination();
    expect(idsOf(all)).toEqual(order === "asc" ? created : created.toReversed());
    expect(new Set(all.map(({ name }) => name)).size).toBe(120);
  });

  it("answers ten keys when no limit is given, and as many as the limit says", async () => {
    const newestFirst = created.toReversed();
    expect(idsOf((await list({})).data)).toEqual(newestFirst.slice(0, 10));
    expect(idsOf((await list({ limit: 1 })).data)).toEqual(newestFirst.slice(0, 1));
    expect(idsOf((await list({ limit: 100 })).data)).toEqual(newestFirst.slice(0, 100));
    expect((await refusalOf(list({ limit: 101 }), UnprocessableEntityException)).code).toBe("invalid_request_parameters");
  });

  it.each(["asc", "desc"] as const)("is walked forth and back by its cursors (%s)", async (order) => {
    const listed = order === "asc" ? created : created.toReversed();
    const first = await list({ limit: 50, order });
    const second = await list({ limit: 50, order, after: String(first.listMetadata.after) });
    const third = await list({ limit: 50, order, after: String(second.listMetadata.after) });
    expect([first, second, third].map(({ data }) => idsOf(data))).toEqual([listed.slice(0, 50), listed.slice(50, 100), listed.slice(100)]);
    expect(first.listMetadata.before).toBeNull();
    expect(third.listMetadata.after).toBeNull();

    const secondAgain = await list({ limit: 50, order, before: String(third.listMetadata.before) });
    const firstAgain = await list({ limit: 50, order, before: String(secondAgain.listMetadata.before) });
    expect(secondAgain.data).toEqual(second.data);
    expect(secondAgain.listMetadata).toEqual(second.listMetadata);
    expect(firstAgain.data).toEqual(first.data);
    expect(firstAgain.listMetadata).toEqual(first.listMetadata);
  });

  it("goes on after a key that has been deleted meanwhile", async () => {
    const page = await list({ limit: 5, order: "asc" });
    const cursor = String(page.listMetadata.after);
    await workos.apiKeys.deleteApiKey(cursor);
    expect(idsOf((await list({ limit: 5, order: "asc", after: cursor })).data)).toEqual(created.slice(5, 10));
    created = created.filter((id) => id !== cursor);
    expect(idsOf(await (await list({ order: "asc" })).autoPagination())).toEqual(created);
  });
});

describe("a user's API key", () => {
  it("is the user's, in one organization, and opens what its permissions open", async () => {
    const { organizationId } = system;
    const { id: userId } = at(system.users, 0);
    const expiresAt = new Date("2099-01-31T12:00:00.000Z");
    const permissions = ["orders:read"];
    const { value, ...key } = await workos.userManagement.createUserApiKey(userId, {
      name: "laptop",
      organizationId,
      permissions,
      expiresAt,
    });
    expect(key).toMatchObject({ object: "api_key", name: "laptop", permissions, lastUsedAt: null, expiresAt: expiresAt.toISOString() });
    expect(key.owner).toEqual({ type: "user", id: userId, organizationId });
    // In a validation the SDK has no expiresAt.
    const { expiresAt: _, ...validatable } = key;
    expect(await validated(value)).toEqual(validatable);
    expect(await statusAtGateway(system, value)).toBe(200);
    expect(await statusAtGateway(system, value, "/invoices")).toBe(403);
  });

  it("is listed for its user, of one organization or of all, and never among the organization's own", async () => {
    const userId = await freshUser("lister");
    const keysByOrganization = new Map<string, string>();
    // Several organizations, so that the keys come from several cells and have to be merged.
    for (const name of ["L1", "L2", "L3", "L4", "L5"]) {
      const organizationId = await freshOrganization(name);
      await workos.userManagement.createOrganizationMembership({ userId, organizationId });
      keysByOrganization.set(organizationId, (await workos.userManagement.createUserApiKey(userId, { name, organizationId })).id);
    }
    const newestFirst = [...keysByOrganization.values()].toSorted().toReversed();
    expect(idsOf((await workos.userManagement.listUserApiKeys(userId)).data)).toEqual(newestFirst);
    expect(idsOf(await (await workos.userManagement.listUserApiKeys(userId)).autoPagination())).toEqual(newestFirst);
    const page = await workos.userManagement.listUserApiKeys(userId, { limit: 3 });
    const rest = await workos.userManagement.listUserApiKeys(userId, { limit: 3, after: String(page.listMetadata.after) });
    expect([...idsOf(page.data), ...idsOf(rest.data)]).toEqual(newestFirst);
    for (const [organizationId, key] of keysByOrganization) {
      expect(idsOf((await workos.userManagement.listUserApiKeys(userId, { organizationId })).data)).toEqual([key]);
      expect((await workos.apiKeys.listOrganizationApiKeys({ organizationId })).data).toEqual([]);
    }
    const nowhere = await workos.userManagement.listUserApiKeys(userId, { organizationId: system.organizationId });
    expect(nowhere.data).toEqual([]);
  });

  it("is never given more than the user's role allows", async () => {
    const { organizationId } = system;
    const [admin, member] = [at(system.users, 0), at(system.users, 1)];
    const permissions = ["orders:read", "invoices:pay"];
    const ask = (userId: string) => workos.userManagement.createUserApiKey(userId, { name: "wide", organizationId, permissions });
    expect(new Set((await ask(admin.id)).permissions)).toEqual(new Set(permissions));
    const before = (await workos.userManagement.listUserApiKeys(member.id)).data;
    expect((await refusalOf(ask(member.id), UnprocessableEntityException)).code).toBe("permission_not_assignable");
    expect((await workos.userManagement.listUserApiKeys(member.id)).data).toEqual(before);
  });

  it("is refused to a user who is not a member of the organization", async () => {
    const elsewhere = await freshOrganization("Elsewhere");
    const userId = await freshUser("stranger");
    await workos.userManagement.createOrganizationMembership({ userId, organizationId: elsewhere });
    const ask = (organizationId: string) => workos.userManagement.createUserApiKey(userId, { name: "no", organizationId });
    expect((await refusalOf(ask(system.organizationId), UnprocessableEntityException)).code).toBe("membership_not_active");
    expect((await ask(elsewhere)).owner.organizationId).toBe(elsewhere);
    expect((await workos.userManagement.listUserApiKeys(userId)).data).toHaveLength(1);
  });

  it("is refused when it would have expired already", async () => {
    const expiresAt = new Date("2001-01-31T12:00:00.000Z");
    const { id } = at(system.users, 0);
    const call = workos.userManagement.createUserApiKey(id, { name: "late", organizationId: system.organizationId, expiresAt });
    expect((await refusalOf(call, UnprocessableEntityException)).code).toBe("invalid_expiry");
  });
});
