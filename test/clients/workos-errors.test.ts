/** The official WorkOS SDK for Node, unmodified, on the running control plane: errors as the SDK's own classes, and requests that come twice. */
import {
  ConflictException,
  GenericServerException,
  NotFoundException,
  UnauthorizedException,
  UnprocessableEntityException,
  type WorkOS,
} from "@workos-inc/node";
import { describe, expect, it } from "vitest";
import { losingFirstAnswer } from "./losing-proxy.ts";
import { at, refusalOf, sdk, startWorkos, statusAtGateway } from "./workos-client.ts";

const REQUEST_ID = /^req_[0-9a-f]{32}$/;
/** A well-formed id that nothing has. */
const NOBODY = "01ARZ3NDEKTSV4RRFFQ69G5FAV";

const { system, workos, freshOrganization, keysOf, validated } = await startWorkos();

describe("an error", () => {
  it("is an UnauthorizedException for whoever holds no key of the installation's own", async () => {
    const { organizationId } = system;
    const customers = await workos.apiKeys.createOrganizationApiKey({ organizationId, name: "a customer's", permissions: ["orders:read"] });
    const former = await workos.apiKeys.createOrganizationApiKey({ organizationId: "org_platform", name: "former admin" });
    await workos.apiKeys.deleteApiKey(former.id);
    for (const key of ["sk_test_nobody", `${system.adminKey}x`, customers.value, former.value]) {
      const refusal = await refusalOf(sdk(system.controlPlane, key).apiKeys.createValidation({ value: "x" }), UnauthorizedException);
      expect(refusal.status).toBe(401);
      expect(refusal.requestID).toMatch(REQUEST_ID);
    }
  });

  it("says which permission a key of the installation lacks", async () => {
    const permissions = ["portcullis:api_keys:read"];
    const reader = await workos.apiKeys.createOrganizationApiKey({ organizationId: "org_platform", name: "reader", permissions });
    const restricted = sdk(system.controlPlane, reader.value);
    const { organizationId } = system;
    expect((await restricted.apiKeys.listOrganizationApiKeys({ organizationId })).object).toBe("list");
    const call = restricted.apiKeys.createOrganizationApiKey({ organizationId, name: "not mine to give" });
    const refusal = await refusalOf(call, GenericServerException);
    expect(refusal).toMatchObject({ status: 403, code: "insufficient_permissions" });
    expect(refusal.message).toContain("portcullis:api_keys:write");
    expect(refusal.requestID).toMatch(REQUEST_ID);
  });

  it.each([
    ["organization", () => workos.organizations.getOrganization(`org_${NOBODY}`), `org_${NOBODY}`],
    ["organization whose keys are listed", () => keysOf(`org_${NOBODY}`), `org_${NOBODY}`],
    [
      "organization that is to own a key",
      () => workos.apiKeys.createOrganizationApiKey({ organizationId: `org_${NOBODY}`, name: "x" }),
      `org_${NOBODY}`,
    ],
    ["user", () => workos.userManagement.getUser(`user_${NOBODY}`), `user_${NOBODY}`],
    [
      "user who is to own a key",
      () => workos.userManagement.createUserApiKey(`user_${NOBODY}`, { name: "x", organizationId: system.organizationId }),
      `user_${NOBODY}`,
    ],
    ["key", () => workos.apiKeys.deleteApiKey(`api_key_${NOBODY}`), `api_key_${NOBODY}`],
    ["key, by an id of another form", () => workos.apiKeys.deleteApiKey("../organizations"), "../organizations"],
    ["membership", () => workos.userManagement.deleteOrganizationMembership(`om_${NOBODY}`), `om_${NOBODY}`],
  ])("is a NotFoundException for an unknown %s, and names it", async (_, call, id) => {
    const refusal = await refusalOf(call(), NotFoundException);
    expect(refusal).toMatchObject({ status: 404, code: "entity_not_found" });
    expect(refusal.message).toContain(id);
    expect(refusal.requestID).toMatch(REQUEST_ID);
  });

  it("is a NotFoundException for a key that has been deleted already", async () => {
    const { id } = await workos.apiKeys.createOrganizationApiKey({ organizationId: system.organizationId, name: "twice" });
    await workos.apiKeys.deleteApiKey(id);
    const refusal = await refusalOf(workos.apiKeys.deleteApiKey(id), NotFoundException);
    expect(refusal.code).toBe("entity_not_found");
  });

  it("is a NotFoundException for a part of WorkOS that is not here", async () => {
    const refusal = await refusalOf(workos.directorySync.listDirectories(), NotFoundException);
    expect(refusal.code).toBe("not_found");
    expect(refusal.message).toContain("no such endpoint");
  });

  it("is an UnprocessableEntityException for a key without a name", async () => {
    const organizationId = await freshOrganization("Nameless");
    // What a caller without types can do.
    const nameless = { organizationId } as Parameters<WorkOS["apiKeys"]["createOrganizationApiKey"]>[0];
    const refusal = await refusalOf(workos.apiKeys.createOrganizationApiKey(nameless), UnprocessableEntityException);
    expect(refusal).toMatchObject({ status: 422, code: "invalid_request_parameters" });
    expect(refusal.message).toContain("required");
    expect(refusal.requestID).toMatch(REQUEST_ID);
    expect(await keysOf(organizationId)).toEqual([]);
  });

  it("is an UnprocessableEntityException for a permission that is not in the catalogue", async () => {
    const organizationId = await freshOrganization("Inventive");
    const call = workos.apiKeys.createOrganizationApiKey({ organizationId, name: "x", permissions: ["orders:read", "orders:invent"] });
    const refusal = await refusalOf(call, UnprocessableEntityException);
    expect(refusal).toMatchObject({ status: 422, code: "permission_not_assignable" });
    // The SDK builds its message from the codes alone.
    expect(refusal.message).toContain("permission_not_assignable");
    expect(refusal.requestID).toMatch(REQUEST_ID);
    expect(await keysOf(organizationId)).toEqual([]);
  });

  it("is a ConflictException for what exists already", async () => {
    const { id: userId, email } = at(system.users, 0);
    const user = await refusalOf(workos.userManagement.createUser({ email: email.toUpperCase() }), ConflictException);
    expect(user).toMatchObject({ status: 409, code: "user_already_exists" });
    expect(user.message).toContain("e-mail address");
    expect(user.requestID).toMatch(REQUEST_ID);
    const again = workos.userManagement.createOrganizationMembership({ userId, organizationId: system.organizationId });
    expect((await refusalOf(again, ConflictException)).code).toBe("organization_membership_already_exists");
  });
});

describe("a request with an Idempotency-Key", () => {
  const permissions = ["orders:read"];
  const create = (organizationId: string, idempotencyKey: string, client = workos, name = "once") =>
    client.apiKeys.createOrganizationApiKey({ organizationId, name, permissions }, { idempotencyKey });

  it("makes one key however often it comes, and answers the same value", async () => {
    const organizationId = await freshOrganization("Repeating");
    const first = await create(organizationId, "deploy-1");
    expect(await create(organizationId, "deploy-1")).toEqual(first);
    expect((await keysOf(organizationId)).map(({ id }) => id)).toEqual([first.id]);
    expect(await statusAtGateway(system, first.value)).toBe(200);
    const other = await create(organizationId, "deploy-2");
    expect(other.id).not.toBe(first.id);
    expect(await keysOf(organizationId)).toHaveLength(2);
  });

  it("makes one key when it comes many times at once", async () => {
    const organizationId = await freshOrganization("Racing");
    const answers = await Promise.all(Array.from({ length: 8 }, () => create(organizationId, "race")));
    expect(new Set(answers.map(({ value }) => value)).size).toBe(1);
    expect(await keysOf(organizationId)).toHaveLength(1);
  });

  it("makes one user key and one organization, too", async () => {
    const organization = () => workos.organizations.createOrganization({ name: "Single" }, { idempotencyKey: "single-org" });
    const created = await organization();
    expect(await organization()).toEqual(created);
    const all = await (await workos.organizations.listOrganizations()).autoPagination();
    expect(all.filter(({ name }) => name === "Single")).toHaveLength(1);

    const { id: userId } = at(system.users, 0);
    const options = { name: "single", organizationId: system.organizationId };
    const key = () => workos.userManagement.createUserApiKey(userId, options, { idempotencyKey: "single-key" });
    const first = await key();
    expect(await key()).toEqual(first);
    expect((await workos.userManagement.listUserApiKeys(userId)).data.filter(({ name }) => name === "single")).toHaveLength(1);
  });

  it("is refused with another body, and the first key stays as it was", async () => {
    const organizationId = await freshOrganization("Reusing");
    const first = await create(organizationId, "reused");
    const refusal = await refusalOf(create(organizationId, "reused", workos, "another name"), UnprocessableEntityException);
    expect(refusal).toMatchObject({ status: 422, code: "idempotency_key_reused" });
    expect(refusal.requestID).toMatch(REQUEST_ID);
    expect((await keysOf(organizationId)).map(({ id, name }) => [id, name])).toEqual([[first.id, "once"]]);
    expect(await create(organizationId, "reused")).toEqual(first);
  });

  it("is another request when another caller sends it, who learns nothing of the first", async () => {
    const organizationId = await freshOrganization("Two callers");
    const writer = await workos.apiKeys.createOrganizationApiKey({
      organizationId: "org_platform",
      name: "second caller",
      permissions: ["portcullis:api_keys:write"],
    });
    const first = await create(organizationId, "shared");
    const second = await create(organizationId, "shared", sdk(system.controlPlane, writer.value));
    expect(second.id).not.toBe(first.id);
    expect(second.value === first.value).toBe(false);
    expect(await keysOf(organizationId)).toHaveLength(2);
  });

  it("is not remembered when it was refused: the corrected repeat is carried out", async () => {
    const organizationId = await freshOrganization("Correcting");
    const ask = (permission: string) =>
      workos.apiKeys.createOrganizationApiKey({ organizationId, name: "x", permissions: [permission] }, { idempotencyKey: "corrected" });
    await refusalOf(ask("orders:invent"), UnprocessableEntityException);
    const key = await ask("orders:read");
    expect((await keysOf(organizationId)).map(({ id }) => id)).toEqual([key.id]);
  });
});

describe("an answer that is lost on its way", () => {
  it("makes the SDK ask again by itself, and there is one key, whose value it answers", async () => {
    const organizationId = await freshOrganization("Lossy");
    await using proxy = await losingFirstAnswer(system.controlPlane);
    const key = await sdk(proxy.url, system.adminKey, system.controlPlane).apiKeys.createOrganizationApiKey({
      organizationId,
      name: "survivor",
      permissions: ["orders:read"],
    });
    // The first request was carried out and its answer thrown away; the second was the SDK's own doing, with the same key.
    expect(proxy.exchanges.map(({ status }) => status)).toEqual([201, 201]);
    const sent = proxy.exchanges.map(({ headers }) => headers["idempotency-key"]);
    expect(sent[0]).toMatch(/^retry-/);
    expect(sent[1]).toBe(sent[0]);

    expect((await keysOf(organizationId)).map(({ id }) => id)).toEqual([key.id]);
    expect((await validated(key.value))?.id).toBe(key.id);
    expect(await statusAtGateway(system, key.value)).toBe(200);
  });

  it("leaves a deletion done: the SDK asks again by itself and finds nothing left to delete", async () => {
    const organizationId = await freshOrganization("Lossy deletion");
    const key = await workos.apiKeys.createOrganizationApiKey({ organizationId, name: "ending", permissions: ["orders:read"] });
    expect(await statusAtGateway(system, key.value)).toBe(200);
    await using proxy = await losingFirstAnswer(system.controlPlane);
    // The SDK sends no Idempotency-Key with a DELETE, so the second one is a request of its own.
    await refusalOf(sdk(proxy.url, system.adminKey, system.controlPlane).apiKeys.deleteApiKey(key.id), NotFoundException);
    expect(proxy.exchanges.map(({ status }) => status)).toEqual([204, 404]);
    expect(await statusAtGateway(system, key.value)).toBe(401);
    expect(await keysOf(organizationId)).toEqual([]);
  });
});
