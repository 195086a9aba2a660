/**
 * Requests that are repeated with their Idempotency-Key when what they were about is gone: the first answer was lost, say, and somebody
 * else was quicker. They are answered as they were; a new request with the same words is refused.
 */
import { beforeAll, describe, expect, it } from "vitest";
import { PLATFORM_ORGANIZATION_ID } from "../../core/identifier.ts";
import { PLATFORM_PERMISSIONS } from "../../core/permission.ts";
import { ask, changingNothing } from "./control-plane-client.ts";
import { install, type Answer, type Installation, type IssuedKey, type Json } from "./installation.ts";

let installation: Installation;
let caller: IssuedKey;
let approver: IssuedKey;
beforeAll(async () => {
  installation = await install();
  caller = await installation.key(PLATFORM_ORGANIZATION_ID, PLATFORM_PERMISSIONS);
  approver = await installation.key(PLATFORM_ORGANIZATION_ID, ["portcullis:api_keys:approve"]);
});

/** A request, and how what it is about ends once it has been carried out. */
interface Case {
  readonly method: "POST" | "PATCH";
  readonly path: string;
  readonly json: Json;
  readonly end: (first: Json) => Promise<unknown>;
  /** What a new request is answered then. */
  readonly gone: number;
}

const post = (path: string, json: Json, end: Case["end"], gone = 404): Case => ({ method: "POST", path, json, end, gone });
const remove = (path: string) => installation.must("DELETE", path);
const endpointUrl = () => `https://${crypto.randomUUID()}.example.com/hook`;
const newHook = async () =>
  String((await installation.must("POST", "/webhook_endpoints", { endpoint_url: endpointUrl(), events: ["api_key.created"] }))["id"]);

const CASES: readonly (readonly [string, () => Promise<Case>])[] = [
  [
    "makes a user's key, and the user is deleted",
    async () => {
      const organization_id = await installation.organization();
      const { userId } = await installation.member(organization_id, "member");
      const asked = { name: "Mine", organization_id, permissions: ["orders:read"] };
      return post(`/user_management/users/${userId}/api_keys`, asked, () => remove(`/user_management/users/${userId}`));
    },
  ],
  [
    "makes a user's key, and the membership is deleted",
    async () => {
      const organization_id = await installation.organization();
      const { userId, membershipId } = await installation.member(organization_id, "member");
      const end = () => remove(`/user_management/organization_memberships/${membershipId}`);
      return post(`/user_management/users/${userId}/api_keys`, { name: "Mine", organization_id }, end, 422);
    },
  ],
  [
    "makes an organization's key, and the key is revoked",
    async () => {
      const path = `/organizations/${await installation.organization()}/api_keys`;
      return post(path, { name: "CI" }, ({ id }) => remove(`/api_keys/${String(id)}`), 201);
    },
  ],
  [
    "makes an organization's key, and the organization is deleted",
    async () => {
      const organization = `/organizations/${await installation.organization()}`;
      return post(`${organization}/api_keys`, { name: "CI" }, () => remove(organization));
    },
  ],
  [
    "makes a membership, and the user is deleted",
    async () => {
      const organization_id = await installation.organization();
      const { id: user_id } = await installation.must("POST", "/user_management/users", { email: `${crypto.randomUUID()}@example.com` });
      const end = () => remove(`/user_management/users/${String(user_id)}`);
      return post("/user_management/organization_memberships", { user_id, organization_id }, end);
    },
  ],
  [
    "rotates a key, and the key is revoked",
    async () => {
      const { id } = await installation.key(await installation.organization(), []);
      return post(`/api_keys/${id}/rotate`, { overlap_seconds: 60 }, () => remove(`/api_keys/${id}`));
    },
  ],
  [
    "imports a key, and the organization is deleted",
    async () => {
      const organization = `/organizations/${await installation.organization()}`;
      return post(`${organization}/api_keys/import`, { name: "Old", sha256: "5a".repeat(32) }, () => remove(organization));
    },
  ],
  [
    "collects a key that was approved, and the organization is deleted",
    async () => {
      const organization = `/organizations/${await installation.organization()}`;
      const asked = { json: { name: "Asked for", permissions: ["orders:read"] } };
      const request = (await ask(caller.value, "POST", `${organization}/api_key_requests`, asked)).body;
      const path = `/api_key_requests/${String(request["id"])}`;
      expect((await ask(approver.value, "POST", `${path}/approve`, { json: {} })).status).toBe(200);
      return post(`${path}/issue`, {}, () => remove(organization));
    },
  ],
  [
    "revokes an organization's keys, and the organization is deleted",
    async () => {
      const id = await installation.organization();
      await installation.key(id, []);
      const keys = `/organizations/${id}/api_keys/revocations`;
      const { confirmation } = await installation.must("POST", `${keys}/preview`, {});
      return post(keys, { confirmation }, () => remove(`/organizations/${id}`));
    },
  ],
  [
    "makes a webhook endpoint, and the endpoint is deleted",
    async () => {
      const asked = { endpoint_url: endpointUrl(), events: ["api_key.created"] };
      return post("/webhook_endpoints", asked, ({ id }) => remove(`/webhook_endpoints/${String(id)}`), 201);
    },
  ],
  [
    "changes a webhook endpoint, and the endpoint is deleted",
    async () => {
      const path = `/webhook_endpoints/${await newHook()}`;
      return { method: "PATCH", path, json: { events: ["api_key.revoked"] }, end: () => remove(path), gone: 404 };
    },
  ],
  [
    "gives a webhook endpoint a secret, and the endpoint is given another and deleted",
    async () => {
      const path = `/webhook_endpoints/${await newHook()}`;
      const end = async () => {
        await installation.must("POST", `${path}/rotate_secret`, {});
        return remove(path);
      };
      return post(`${path}/rotate_secret`, {}, end);
    },
  ],
];

describe("a request that", () => {
  it.each(CASES)("%s: is answered as it was, and changes nothing", async (_, prepare) => {
    const { method, path, json, end, gone } = await prepare();
    const send = (idempotencyKey: string, body: Json = json): Promise<Answer> =>
      ask(caller.value, method, path, { json: body, headers: { "Idempotency-Key": idempotencyKey } });
    const once = crypto.randomUUID();
    const first = await send(once);
    expect(first.status).toBeLessThan(300);
    await end(first.body);
    const again = await changingNothing(() => send(once));
    expect([again.status, again.body]).toEqual([first.status, first.body]);
    // Neither is it another request's answer, nor is a new request let through by it.
    const other = await changingNothing(() => send(once, { ...json, reason: "another" }));
    expect(other).toMatchObject({ status: 422, body: { code: "idempotency_key_reused" } });
    expect((await send(crypto.randomUUID())).status).toBe(gone);
  });

  it("was refused is not remembered: it is judged anew", async () => {
    const organization_id = await installation.organization();
    const { userId, membershipId } = await installation.member(organization_id, "member");
    await installation.must("PUT", `/user_management/organization_memberships/${membershipId}/deactivate`, {});
    const sent = { json: { name: "Mine", organization_id }, headers: { "Idempotency-Key": crypto.randomUUID() } };
    const make = () => ask(caller.value, "POST", `/user_management/users/${userId}/api_keys`, sent);
    expect((await make()).status).toBe(422);
    await installation.must("PUT", `/user_management/organization_memberships/${membershipId}/reactivate`, {});
    expect((await make()).status).toBe(201);
  });

  it("is repeated by somebody else is their own request, and is refused like any", async () => {
    const organization_id = await installation.organization();
    const { userId } = await installation.member(organization_id, "member");
    const other = await installation.key(PLATFORM_ORGANIZATION_ID, ["portcullis:api_keys:write"]);
    const sent = { json: { name: "Mine", organization_id }, headers: { "Idempotency-Key": crypto.randomUUID() } };
    const path = `/user_management/users/${userId}/api_keys`;
    expect((await ask(caller.value, "POST", path, sent)).status).toBe(201);
    await remove(`/user_management/users/${userId}`);
    expect(await changingNothing(() => ask(other.value, "POST", path, sent))).toMatchObject({
      status: 404,
      body: { code: "entity_not_found" },
    });
  });
});
