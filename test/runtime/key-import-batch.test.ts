/** Many keys imported in one call: each by itself, as if it had been sent alone, and again without doing anything twice. */
import { beforeAll, describe, expect, it } from "vitest";
import { sha256Hex } from "../../core/digest.ts";
import { PLATFORM_ORGANIZATION_ID } from "../../core/identifier.ts";
import { changingNothing, entriesOfAllCells, faultyFields } from "./control-plane-client.ts";
import { callControlPlane, install, type Answer, type Installation, type Json } from "./installation.ts";

let installation: Installation;
beforeAll(async () => {
  installation = await install();
});

const oldKey = (more: Json = {}): Json => ({ name: "Old", sha256: sha256Hex(crypto.randomUUID()), permissions: ["orders:read"], ...more });
const importAll = (organization: string, api_keys: readonly Json[]) =>
  installation.call("POST", `/organizations/${organization}/api_keys/import_batch`, { api_keys });
const outcomes = ({ body }: Answer) =>
  (body["data"] as readonly { readonly sha256: string; readonly api_key: Json | null; readonly error: Json | null }[]).map((outcome) => [
    outcome.sha256,
    outcome.error?.["code"] ?? outcome.api_key?.["object"],
  ]);

describe("a batch", () => {
  it("answers for each key at its place, and what is refused keeps nothing else out", async () => {
    const organization = await installation.organization();
    const there = oldKey();
    await installation.must("POST", `/organizations/${organization}/api_keys/import`, there);
    const elsewhere = oldKey();
    await installation.must("POST", `/organizations/${await installation.organization()}/api_keys/import`, elsewhere);
    const { userId } = await installation.member(organization, "viewer");
    const batch = [
      oldKey(),
      there,
      oldKey({ permissions: ["never:heard"] }),
      oldKey({ user_id: userId }),
      elsewhere,
      oldKey({ user_id: "user_01ARZ3NDEKTSV4RRFFQ69G5FAV" }),
      oldKey({ expires_at: "2020-01-01T00:00:00Z" }),
      oldKey({ name: "Last", tags: ["old"] }),
    ];
    const answer = await importAll(organization, batch);
    expect(answer.status).toBe(200);
    expect(outcomes(answer)).toEqual(
      [
        "api_key",
        "already_exists",
        "permission_not_assignable",
        "api_key",
        "already_exists",
        "membership_not_active",
        "invalid_expiry",
        "api_key",
      ].map((what, at) => [batch[at]?.["sha256"], what]),
    );
    const { data } = await installation.must("GET", `/organizations/${organization}/api_keys`);
    expect((data as Json[]).map(({ name }) => name)).toEqual(["Last", "Old", "Old"]);
    // What was refused has not been noted anywhere: it can still go to another organization.
    const [, , unassignable] = batch;
    expect((await importAll(await installation.organization(), [{ ...unassignable, permissions: [] }])).body).toMatchObject({
      data: [{ error: null }],
    });
  });

  it("puts each refusal on record, as for a single import", async () => {
    const organization = await installation.organization();
    await importAll(organization, [oldKey(), { ...oldKey(), permissions: ["nowhere:read"] }]);
    const { data } = await installation.must("GET", `/audit_logs/denials?limit=100`);
    expect((data as Json[]).filter(({ payload }) => (payload as Json)["operation"] === "importApiKeys")).toContainEqual(
      expect.objectContaining({ payload: expect.objectContaining({ code: "permission_not_assignable" }) as unknown }),
    );
  });

  it("sent again with its Idempotency-Key imports nothing twice, and tries again what was refused", async () => {
    const organization = await installation.organization();
    await installation.must("PUT", `/organizations/${organization}/api_key_policy`, { organization_keys_max: 15 });
    const api_keys = Array.from({ length: 25 }, () => oldKey());
    const path = `/organizations/${organization}/api_keys/import_batch`;
    const send = () => callControlPlane(installation.adminKey, "POST", path, { api_keys }, { "Idempotency-Key": "batch" });
    const first = await send();
    const made = (answer: Answer) =>
      (answer.body["data"] as readonly { readonly api_key: Json | null }[]).map(({ api_key }) => api_key?.["id"]);
    expect(made(first).filter((id) => id !== undefined)).toHaveLength(15);
    await installation.must("PUT", `/organizations/${organization}/api_key_policy`, {});
    const second = await send();
    expect(made(second).filter((id) => id !== undefined)).toHaveLength(25);
    for (const [at, id] of made(first).entries()) if (id !== undefined) expect(made(second)[at]).toBe(id);
    const before = await entriesOfAllCells();
    expect((await send()).body).toEqual(second.body);
    expect(await entriesOfAllCells()).toBe(before);
  });

  it.each<[string, (organization: string) => readonly unknown[], string]>([
    ["a key that is malformed", () => [oldKey(), oldKey({ sha256: "ABC" })], "api_keys.1.sha256"],
    ["a hash twice", () => [oldKey({ sha256: "a".repeat(64) }), oldKey({ sha256: "a".repeat(64) })], "api_keys"],
    ["nothing in it", () => [], "api_keys"],
    ["too many", () => Array.from({ length: 101 }, () => oldKey()), "api_keys"],
    ["an environment that is not accepted", () => [oldKey(), oldKey({ environment: "none" })], "api_keys.1.environment"],
  ])("with %s imports nothing", async (_, keys, field) => {
    const organization = await installation.organization();
    const answer = await changingNothing(() => importAll(organization, keys(organization) as Json[]));
    expect([answer.status, faultyFields(answer)]).toEqual([422, [field]]);
  });

  it("needs an organization that can have imported keys", async () => {
    for (const id of [PLATFORM_ORGANIZATION_ID, "org_01ARZ3NDEKTSV4RRFFQ69G5FAV"])
      expect((await changingNothing(() => importAll(id, [oldKey()]))).status).toBe(404);
  });
});
