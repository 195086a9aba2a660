/** Keys that a second admin must approve of: the way it is meant to go, and every way around it. */
import { env } from "cloudflare:workers";
import { runInDurableObject } from "cloudflare:test";
import { beforeAll, describe, expect, it, vi, afterEach } from "vitest";
import type { Actor, Command } from "../../control-plane/ledger/command.ts";
import { DAY_MS } from "../../core/api-key-policy.ts";
import { cellOfOrganization, PLATFORM_ORGANIZATION_ID } from "../../core/identifier.ts";
import { PLATFORM_PERMISSIONS } from "../../core/permission.ts";
import { changingNothing, ask, expectNoSecret, keepSecret } from "./control-plane-client.ts";
import { install, type Answer, type Installation, type IssuedKey, type Json } from "./installation.ts";
import { envelope, minted, newId } from "./ledger-commands.ts";
import { everyRow } from "./stored.ts";

const CELLS = 4;
const ADMIN = ["portcullis:api_keys:read", "portcullis:api_keys:write", "portcullis:api_keys:approve"];

let installation: Installation;
let alice: IssuedKey;
let bob: IssuedKey;
let organizationId: string;
beforeAll(async () => {
  installation = await install();
  [alice, bob] = [await admin(), await admin()];
  organizationId = await installation.organization();
  await installation.must("PUT", `/organizations/${organizationId}/api_key_policy`, { approval_required_permissions: ["orders:write"] });
});
afterEach(() => {
  vi.useRealTimers();
});

const admin = (permissions: readonly string[] = ADMIN) => installation.key(PLATFORM_ORGANIZATION_ID, permissions);
/** A platform key that another platform key makes. */
async function madeBy(maker: string, permissions: readonly string[] = ADMIN): Promise<IssuedKey> {
  const { status, body } = await ask(maker, "POST", `/organizations/${PLATFORM_ORGANIZATION_ID}/api_keys`, {
    json: { name: "made", permissions },
  });
  expect(status).toBe(201);
  return { id: String(body["id"]), value: String(body["value"]) };
}

const asking = (who: IssuedKey, more: Json = {}, organization = organizationId) =>
  ask(who.value, "POST", `/organizations/${organization}/api_key_requests`, {
    json: { name: "Writer", permissions: ["orders:write"], reason: "nightly job", ...more },
  });
/** A request of somebody's; its id. */
async function requested(who: IssuedKey, more: Json = {}, organization = organizationId): Promise<string> {
  const { status, body } = await asking(who, more, organization);
  if (status !== 201) throw new Error(`${status} ${JSON.stringify(body)}`);
  return String(body["id"]);
}
const act = (who: IssuedKey, what: "approve" | "deny" | "issue", id: string, headers: Record<string, string> = {}) =>
  ask(who.value, "POST", `/api_key_requests/${id}/${what}`, { json: {}, headers });
const codeOf = ({ status, body }: Answer) => [status, body["code"]];
const statusOf = async (id: string) => (await installation.must("GET", `/api_key_requests/${id}`))["status"];

async function expectRefused(attempt: () => Promise<Answer>, status: number, code: string): Promise<void> {
  expect(codeOf(await changingNothing(attempt))).toEqual([status, code]);
}

describe("a permission that needs approval", () => {
  it("is not granted without: not at first, not later, not by import, not by a wildcard that covers it", async () => {
    await installation.call("POST", "/authorization/permissions", { slug: "orders:*", name: "All of orders" });
    const keys = `/organizations/${organizationId}/api_keys`;
    const { id } = await installation.key(organizationId, ["orders:read"]);
    const permissions = ["orders:write"];
    for (const [method, path, more] of [
      ["POST", keys, { permissions }],
      ["POST", keys, { permissions: ["orders:*"] }],
      ["POST", `${keys}/import`, { permissions, sha256: "c".repeat(64) }],
      ["PATCH", `/api_keys/${id}`, { permissions: ["orders:read", "orders:write"] }],
    ] as const) {
      const refused = await ask(alice.value, method, path, { json: { name: "x", ...more } });
      expect(codeOf(refused)).toEqual([422, "api_key_policy_violated"]);
      expect(refused.body["policy"]).toEqual({ field: "approval_required_permissions", limit: ["orders:write"] });
      expect(refused.body["message"]).toMatch(/api_key_requests/);
    }
  });

  it("is granted when somebody else has approved, to who asked, and each step is an event", async () => {
    const id = await requested(alice, { tags: ["night"], expires_at: null });
    expect(await installation.must("GET", `/organizations/${organizationId}/api_key_requests?status=pending`)).toMatchObject({
      data: [{ id, status: "pending", requested_by: { id: alice.id }, reason: "nightly job", api_key_id: null }],
    });
    const approved = await act(bob, "approve", id);
    expect(approved.body).toMatchObject({ status: "approved", decided_by: { type: "api_key", id: bob.id } });
    expect(approved.body).not.toHaveProperty("value");
    const issued = await act(alice, "issue", id);
    expect(issued.status).toBe(201);
    keepSecret(issued.body["value"]);
    expect(issued.body).toMatchObject({ permissions: ["orders:write"], tags: ["night"], created_by: { id: alice.id } });
    const { api_key } = await installation.must("POST", "/api_keys/validations", { value: issued.body["value"] });
    expect(api_key).toMatchObject({ id: issued.body["id"], permissions: ["orders:write"] });
    expect(await installation.must("GET", `/api_key_requests/${id}`)).toMatchObject({ status: "issued", api_key_id: issued.body["id"] });
    const events = (await installation.must("GET", `/events?organization_id=${organizationId}&order=asc&limit=100`))["data"] as Json[];
    const ofRequest = events.filter(({ data }) => (data as Json)["id"] === id);
    expect(ofRequest.map(({ event, data }) => [event, (data as Json)["status"]])).toEqual([
      ["api_key_request.created", "pending"],
      ["api_key_request.approved", "approved"],
      ["api_key_request.issued", "issued"],
    ]);
    const stored = await runInDurableObject(env.LEDGER.getByName(`cell-${cellOfOrganization(organizationId, CELLS)}`), (_, { storage }) =>
      everyRow(storage.sql),
    );
    expectNoSecret(JSON.stringify(stored));
  });

  it("is not had by who was denied", async () => {
    const id = await requested(alice);
    expect((await act(bob, "deny", id)).body).toMatchObject({ status: "denied", decided_by: { id: bob.id } });
    await expectRefused(() => act(alice, "issue", id), 409, "api_key_request_not_open");
    await expectRefused(() => act(bob, "approve", id), 409, "api_key_request_not_open");
  });

  it("is asked for only where all else allows it", async () => {
    const limited = await installation.organization();
    await installation.must("PUT", `/organizations/${limited}/api_key_policy`, { organization_keys_max: 0 });
    expect(codeOf(await asking(alice, {}, limited))).toEqual([422, "api_key_policy_violated"]);
    expect(codeOf(await asking(alice, { permissions: ["unknown"] }))).toEqual([422, "permission_not_assignable"]);
    expect(codeOf(await asking(alice, {}, PLATFORM_ORGANIZATION_ID))).toEqual([409, "platform_organization"]);
  });
});

describe("a key that was approved", () => {
  it("is not loosened afterwards, nor handed to somebody else by rotating it; it can be narrowed, and ended by all", async () => {
    const id = await requested(alice, { expires_at: "2999-01-01T00:00:00.000Z", allowed_networks: ["10.0.0.0/8"] });
    await act(bob, "approve", id);
    const { body: key } = await act(alice, "issue", id);
    const path = `/api_keys/${String(key["id"])}`;
    const attempt = async (who: IssuedKey, method: string, at: string, json: Json) => codeOf(await ask(who.value, method, at, { json }));
    const refused = [422, "api_key_policy_violated"];
    for (const allowed_networks of [null, ["192.0.2.0/24"], ["10.0.0.0/8", "192.0.2.0/24"]])
      expect(await attempt(alice, "PATCH", path, { allowed_networks })).toEqual(refused);
    expect(await attempt(alice, "POST", `${path}/expire`, { expires_at: null })).toEqual(refused);
    expect(await attempt(alice, "POST", `${path}/expire`, { expires_at: "2999-01-01T00:00:00.001Z" })).toEqual(refused);
    expect(await attempt(bob, "POST", `${path}/rotate`, {})).toEqual(refused);
    expect(await attempt(bob, "POST", `${path}/rotate`, { overlap_seconds: 0 })).toEqual(refused);
    expect(await attempt(alice, "POST", `${path}/rotate`, { overlap_seconds: 0 })).toEqual([200, undefined]);
    expect(await attempt(bob, "PATCH", path, { allowed_networks: ["10.1.0.0/16"] })).toEqual([200, undefined]);
    expect(await attempt(bob, "POST", `${path}/expire`, { expires_at: "2998-01-01T00:00:00.000Z" })).toEqual([200, undefined]);
    expect(await attempt(bob, "POST", `${path}/disable`, {})).toEqual([200, undefined]);
    expect((await ask(bob.value, "DELETE", path)).status).toBe(204);
  });
});

describe("nobody approves what they asked for", () => {
  it("with the same credential, neither yes nor no", async () => {
    const id = await requested(alice);
    await expectRefused(() => act(alice, "approve", id), 403, "self_approval");
    await expectRefused(() => act(alice, "deny", id), 403, "self_approval");
    expect(await statusOf(id)).toBe("pending");
  });

  it("with a key they made, or one that such a key made", async () => {
    const maker = await admin(["portcullis:api_keys:write", ...ADMIN]);
    const child = await madeBy(maker.value);
    const grandchild = await madeBy(child.value);
    const id = await requested(maker);
    for (const own of [child, grandchild]) await expectRefused(() => act(own, "approve", id), 403, "self_approval");
    // Also when the key in between has been revoked.
    await installation.must("DELETE", `/api_keys/${child.id}`);
    await expectRefused(() => act(grandchild, "approve", id), 403, "self_approval");
  });

  it("with a key that made the one they asked with, the installation's first one included", async () => {
    const child = await madeBy(bob.value);
    const id = await requested(child);
    await expectRefused(() => act(bob, "approve", id), 403, "self_approval");
    const first = { id: "", value: installation.adminKey };
    await expectRefused(() => act(first, "approve", id), 403, "self_approval");
    const idOfFirst = await requested(first);
    await expectRefused(() => act(child, "approve", idOfFirst), 403, "self_approval");
    expect((await act(alice, "approve", id)).status).toBe(200);
  });

  it("with a second key of the same maker, unless that is the installation's first key", async () => {
    const [one, other] = [await madeBy(bob.value), await madeBy(bob.value)];
    const id = await requested(one);
    await expectRefused(() => act(other, "approve", id), 403, "self_approval");
    expect((await act(alice, "approve", id)).status).toBe(200);
  });

  it("with a key of somebody else's whose secret they were given by rotating it, also after it was rotated once more", async () => {
    const rotated = async (who: string, { id }: IssuedKey) => {
      const { status, body } = await ask(who, "POST", `/api_keys/${id}/rotate`, { json: { overlap_seconds: 0 } });
      expect(status).toBe(200);
      return { id, value: String(body["value"]) };
    };
    const mallory = await admin();
    const taken = await rotated(mallory.value, await admin());
    const id = await requested(mallory);
    await expectRefused(() => act(taken, "approve", id), 403, "self_approval");
    const takenOn = await rotated(taken.value, taken);
    await expectRefused(() => act(takenOn, "approve", id), 403, "self_approval");
    const made = await madeBy(takenOn.value);
    await expectRefused(() => act(made, "approve", id), 403, "self_approval");
    // Nor is a request approved that was made with what they took.
    const idOfTaken = await requested(takenOn);
    await expectRefused(() => act(mallory, "approve", idOfTaken), 403, "self_approval");
    // A key that its own holder rotates remains its own.
    const carol = await admin();
    expect((await act(await rotated(carol.value, carol), "approve", id)).status).toBe(200);
  });

  it("but having rotated the installation's first key does not make everybody one person", async () => {
    const first = (await installation.must("GET", `/organizations/${PLATFORM_ORGANIZATION_ID}/api_keys?order=asc&limit=1`))[
      "data"
    ] as Json[];
    const keeper = await madeBy(installation.adminKey, PLATFORM_PERMISSIONS);
    const rotated = await ask(keeper.value, "POST", `/api_keys/${String(first[0]?.["id"])}/rotate`, { json: { overlap_seconds: 3600 } });
    expect(rotated.status).toBe(200);
    const taken = { id: String(first[0]?.["id"]), value: String(rotated.body["value"]) };
    const id = await requested(keeper);
    await expectRefused(() => act(taken, "approve", id), 403, "self_approval");
    expect((await act(bob, "approve", id)).status).toBe(200);
    expect((await act(bob, "approve", await requested(alice))).status).toBe(200);
  });

  it("as an admin who signed in, with a key that this admin made, nor the other way round", async () => {
    const signedIn = (name: string): Actor => ({ type: "user", id: `https://idp.example.com#${name}`, permissions: ADMIN });
    const [ada, eve] = [signedIn("ada"), signedIn("eve")];
    const platform = env.LEDGER.getByName(`cell-${cellOfOrganization(PLATFORM_ORGANIZATION_ID, CELLS)}`);
    const key = newId("api_key", cellOfOrganization(PLATFORM_ORGANIZATION_ID, CELLS));
    const owner = { type: "organization", id: PLATFORM_ORGANIZATION_ID } as const;
    const create: Command = {
      type: "create_api_key",
      id: key,
      owner,
      name: "Ada's",
      permissions: ADMIN,
      expires_at_ms: null,
      minted: minted(),
    };
    expect(await platform.execute({ ...envelope(create), actor: ada })).toMatchObject({ ok: true });
    const adasKey: Actor = { type: "api_key", id: key };
    const cell = cellOfOrganization(organizationId, CELLS);
    const decide = async (requester: Actor, decider: Actor) => {
      const id = newId("api_key_request", cell);
      const asked = {
        owner: { type: "organization", id: organizationId },
        name: "x",
        permissions: ["orders:write"],
        expires_at_ms: null,
      } as const;
      const command: Command = { type: "create_api_key_request", id, ...asked, environment: "live", attributes: {} };
      const ledger = env.LEDGER.getByName(`cell-${cell}`);
      expect(await ledger.execute({ ...envelope(command), actor: requester })).toMatchObject({ ok: true });
      const outcome = await ledger.execute({ ...envelope({ type: "approve_api_key_request", id }), actor: decider });
      return outcome.ok ? "approved" : outcome.refusal.code;
    };
    expect(await decide(ada, adasKey)).toBe("self_approval");
    expect(await decide(adasKey, ada)).toBe("self_approval");
    expect(await decide(adasKey, eve)).toBe("approved");
  });

  it("without the permission to approve", async () => {
    const id = await requested(alice);
    const weak = await admin(["portcullis:api_keys:read", "portcullis:api_keys:write"]);
    expect(codeOf(await act(weak, "approve", id))).toEqual([403, "insufficient_permissions"]);
    expect(codeOf(await act(weak, "deny", id))).toEqual([403, "insufficient_permissions"]);
  });
});

describe("an approved request", () => {
  const approved = async (more: Json = {}, organization = organizationId) => {
    const id = await requested(alice, more, organization);
    expect((await act(bob, "approve", id)).status).toBe(200);
    return id;
  };

  it("is collected once, by who asked; the same call again is answered the same", async () => {
    const id = await approved();
    await expectRefused(() => act(bob, "issue", id), 403, "insufficient_permissions");
    const once = { "Idempotency-Key": "collect" };
    const first = await act(alice, "issue", id, once);
    expect(first.status).toBe(201);
    expect((await act(alice, "issue", id, once)).body).toEqual(first.body);
    await expectRefused(() => act(alice, "issue", id), 409, "api_key_request_not_open");
    const again = await approved();
    const racing = await Promise.all(Array.from({ length: 5 }, () => act(alice, "issue", again)));
    expect(racing.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([201, 409, 409, 409, 409]);
  });

  it("is not collected before it is approved", async () => {
    const id = await requested(alice);
    await expectRefused(() => act(alice, "issue", id), 409, "api_key_request_not_open");
  });

  it("is judged anew when it is collected: by the policy, the catalogue, the role and the membership of that moment", async () => {
    const changing = await installation.organization();
    const policy = `/organizations/${changing}/api_key_policy`;
    const { userId, membershipId } = await installation.member(changing, "member");
    const id = await approved({ user_id: userId, expires_at: null }, changing);
    const membership = `/user_management/organization_memberships/${membershipId}`;
    await installation.must("PUT", policy, { never_expiring_keys: false });
    expect(codeOf(await act(alice, "issue", id))).toEqual([422, "api_key_policy_violated"]);
    await installation.must("PUT", policy, { user_key_owner_roles: [] });
    expect(codeOf(await act(alice, "issue", id))).toEqual([422, "api_key_policy_violated"]);
    await installation.must("PUT", policy, {});
    await installation.must("PUT", membership, { role_slug: "viewer" });
    expect(codeOf(await act(alice, "issue", id))).toEqual([422, "permission_not_assignable"]);
    await installation.must("PUT", membership, { role_slug: "member" });
    await installation.must("PUT", `${membership}/deactivate`, {});
    expect(codeOf(await act(alice, "issue", id))).toEqual([422, "membership_not_active"]);
    await installation.must("PUT", `${membership}/reactivate`, {});
    await installation.must("POST", `/organizations/${changing}/suspend`, {});
    expect(codeOf(await act(alice, "issue", id))).toEqual([409, "organization_suspended"]);
    await installation.must("POST", `/organizations/${changing}/resume`, {});
    expect((await act(alice, "issue", id)).status).toBe(201);
  });

  it("is void when the key that approved it has ended, or may not approve any more", async () => {
    for (const undo of [
      (id: string) => installation.must("DELETE", `/api_keys/${id}`),
      (id: string) => installation.must("PATCH", `/api_keys/${id}`, { permissions: ["portcullis:api_keys:read"] }),
    ]) {
      const leaving = await admin();
      const id = await requested(alice);
      expect((await act(leaving, "approve", id)).status).toBe(200);
      await undo(leaving.id);
      await expectRefused(() => act(alice, "issue", id), 409, "approval_void");
    }
  });

  it("is decided once, however approval and denial race", async () => {
    const carol = await admin();
    for (let nth = 0; nth < 10; nth += 1) {
      const id = await requested(alice);
      const answers = await Promise.all([act(bob, "approve", id), act(carol, "deny", id), act(carol, "approve", id), act(bob, "deny", id)]);
      const done = answers.filter(({ status }) => status === 200);
      expect(done).toHaveLength(1);
      expect(answers.filter(({ body }) => body["code"] === "api_key_request_not_open")).toHaveLength(3);
      expect(await statusOf(id)).toBe(done[0]?.body["status"]);
    }
  });

  it("ends with its organization", async () => {
    const ending = await installation.organization();
    const id = await approved({}, ending);
    await installation.must("DELETE", `/organizations/${ending}`);
    expect(codeOf(await act(alice, "issue", id))).toEqual([404, "entity_not_found"]);
  });

  it("waits for seven days to be decided, and for seven more to be collected", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
    const late = await requested(alice);
    vi.setSystemTime(Date.now() + 7 * DAY_MS - 1_000);
    const inTime = await requested(alice);
    expect((await act(bob, "approve", inTime)).status).toBe(200);
    vi.setSystemTime(Date.now() + 1_000);
    await expectCode(act(bob, "approve", late), 409, "api_key_request_not_open");
    vi.setSystemTime(Date.now() + 7 * DAY_MS);
    await expectCode(act(alice, "issue", inTime), 409, "api_key_request_not_open");
  });
});

async function expectCode(answer: Promise<Answer>, status: number, code: string): Promise<void> {
  expect(codeOf(await answer)).toEqual([status, code]);
}
