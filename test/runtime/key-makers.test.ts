/** Who makes which kind of key, by role, over every way a key comes to be; and every way we know to make one with a role that may not. */
import { env } from "cloudflare:workers";
import { runInDurableObject } from "cloudflare:test";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { cellOfOrganization, PLATFORM_ORGANIZATION_ID } from "../../core/identifier.ts";
import { PLATFORM_PERMISSIONS } from "../../core/permission.ts";
import { ask, keepSecret } from "./control-plane-client.ts";
import { callWith, FakeIdentityProvider, ISSUER, type ControlPlane } from "./identity-provider.ts";
import type { Answer, Installation, IssuedKey, Json } from "./installation.ts";
import { healLedger, ledgerFaults } from "./ledger-faults.ts";
import { call as throughWidget, WIDGETS, WidgetWorld } from "./widget-world.ts";

const CELLS = 4;
const PLATFORM_KEYS = `/organizations/${PLATFORM_ORGANIZATION_ID}/api_keys`;
/** Both may do everything, as far as their permissions go. */
const OIDC_ROLES = JSON.stringify({ issuers: ["portcullis:*"], helpdesk: ["portcullis:*"] });
const POLICY = { organization_key_admin_roles: ["issuers"], user_key_admin_roles: ["issuers", "hr"] };

let world: WidgetWorld;
let installation: Installation;
let provider: FakeIdentityProvider;
let controlPlane: ControlPlane;
beforeAll(async () => {
  world = await WidgetWorld.make();
  ({ installation } = world);
  provider = new FakeIdentityProvider();
  await provider.newKey("one");
  controlPlane = provider.controlPlane({ OIDC_ROLES });
});
afterEach(() => {
  healLedger();
});

/** Somebody who calls the API. */
type Call = (method: string, path: string, json?: unknown) => Promise<Answer>;

/** An admin, signed in with roles. */
const admin = (sub: string, ...groups: readonly string[]): Call => {
  const token = provider.token(groups, { claims: { sub } });
  return async (method, path, json) => callWith(controlPlane, `Bearer ${await token}`, method, path, json);
};
const holder =
  ({ value }: IssuedKey): Call =>
  (method, path, json) =>
    ask(value, method, path, { json: json ?? {} });
const operator: Call = (method, path, json) => installation.call(method, path, json);

async function platformKeyOf(maker: Call): Promise<IssuedKey> {
  const { status, body } = await maker("POST", PLATFORM_KEYS, { name: "script", permissions: PLATFORM_PERMISSIONS });
  expect(status).toBe(201);
  keepSecret(body["value"]);
  return { id: String(body["id"]), value: String(body["value"]) };
}

/** An organization with a member, and keys of both from before it has a policy. */
interface Place {
  readonly id: string;
  readonly userId: string;
  readonly ownKey: string;
  readonly userKey: string;
}
async function place(policy: Json = POLICY): Promise<Place> {
  const id = await installation.organization();
  const { userId } = await installation.member(id, "member");
  const [ownKey, userKey] = [await installation.key(id, []), await installation.userKey(userId, id, [])];
  await installation.must("PUT", `/organizations/${id}/api_key_policy`, policy);
  return { id, userId, ownKey: ownKey.id, userKey: userKey.id };
}

const sha256 = () => Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("hex");

/** Every way to be given a key's secret over the API, but for the one that needs a second admin. */
const WAYS: readonly [string, field: keyof typeof POLICY, (who: Call, where: Place) => Promise<Answer>][] = [
  [
    "a key of the organization",
    "organization_key_admin_roles",
    (who, { id }) => who("POST", `/organizations/${id}/api_keys`, { name: "x" }),
  ],
  [
    "a key of a user",
    "user_key_admin_roles",
    (who, { id, userId }) => who("POST", `/user_management/users/${userId}/api_keys`, { name: "x", organization_id: id }),
  ],
  [
    "an import for the organization",
    "organization_key_admin_roles",
    (who, { id }) => who("POST", `/organizations/${id}/api_keys/import`, { name: "x", sha256: sha256() }),
  ],
  [
    "an import for a user",
    "user_key_admin_roles",
    (who, { id, userId }) => who("POST", `/organizations/${id}/api_keys/import`, { name: "x", sha256: sha256(), user_id: userId }),
  ],
  [
    "a request for the organization",
    "organization_key_admin_roles",
    (who, { id }) => who("POST", `/organizations/${id}/api_key_requests`, { name: "x" }),
  ],
  [
    "a request for a user",
    "user_key_admin_roles",
    (who, { id, userId }) => who("POST", `/organizations/${id}/api_key_requests`, { name: "x", user_id: userId }),
  ],
  ["a rotation", "organization_key_admin_roles", (who, { ownKey }) => who("POST", `/api_keys/${ownKey}/rotate`, {})],
  [
    "a rotation without overlap",
    "organization_key_admin_roles",
    (who, { ownKey }) => who("POST", `/api_keys/${ownKey}/rotate`, { overlap_seconds: 0 }),
  ],
  ["a rotation of a user's key", "user_key_admin_roles", (who, { userKey }) => who("POST", `/api_keys/${userKey}/rotate`, {})],
];

function expectViolation({ status, body }: Answer, field: keyof typeof POLICY): void {
  expect({ status, code: body["code"], policy: body["policy"], value: body["value"] }).toEqual({
    status: 422,
    code: "api_key_policy_violated",
    policy: { field, limit: POLICY[field] },
    value: undefined,
  });
}

/** Who may, and who may not. */
const MAKERS: readonly [string, may: boolean, () => Promise<Call>][] = [
  ["an admin with the role", true, async () => admin("ada", "issuers")],
  ["an admin with the role among others", true, async () => admin("ada", "helpdesk", "issuers")],
  ["an admin with another role", false, async () => admin("eve", "helpdesk")],
  ["an admin with a role of that name that allows nothing here", false, async () => admin("eve", "helpdesk", "hr")],
  ["the operator's first key", true, async () => operator],
  ["a platform key that it made", true, async () => holder(await platformKeyOf(operator))],
  ["a platform key of an admin with the role", true, async () => holder(await platformKeyOf(admin("ada", "issuers")))],
  ["a platform key of an admin with another role", false, async () => holder(await platformKeyOf(admin("eve", "helpdesk")))],
  [
    "a platform key that such a key made",
    false,
    async () => holder(await platformKeyOf(holder(await platformKeyOf(admin("eve", "helpdesk"))))),
  ],
  [
    "a platform key that such an admin was given a secret of",
    false,
    async () => {
      const { id } = await platformKeyOf(operator);
      const { body } = await admin("eve", "helpdesk")("POST", `/api_keys/${id}/rotate`, {});
      return holder({ id, value: String(body["value"]) });
    },
  ],
  [
    "a platform key that a key of such an admin's made for one with the role to rotate",
    false,
    async () => {
      const { id } = await platformKeyOf(holder(await platformKeyOf(admin("eve", "helpdesk"))));
      const { body } = await admin("ada", "issuers")("POST", `/api_keys/${id}/rotate`, {});
      return holder({ id, value: String(body["value"]) });
    },
  ],
];

describe.each(MAKERS)("%s", (_, may, maker) => {
  it(may ? "gets keys in every way" : "gets no key in any way", async () => {
    const [who, where] = [await maker(), await place()];
    for (const [way, field, attempt] of WAYS) {
      const answer = await attempt(who, where);
      if (may) expect([way, answer.status < 300]).toEqual([way, true]);
      else expectViolation(answer, field);
    }
  });
});

describe("a request", () => {
  it("is collected only with the role that it takes then", async () => {
    const where = await place();
    const request = async () =>
      String((await admin("ada", "issuers")("POST", `/organizations/${where.id}/api_key_requests`, { name: "x" })).body["id"]);
    const [first, second] = [await request(), await request()];
    for (const id of [first, second])
      expect((await admin("grace", "helpdesk")("POST", `/api_key_requests/${id}/approve`, {})).status).toBe(200);
    const collect = (who: Call, id: string) => who("POST", `/api_key_requests/${id}/issue`, {});
    expectViolation(await collect(admin("ada", "helpdesk"), first), "organization_key_admin_roles");
    expect((await collect(admin("grace", "issuers"), first)).status).toBe(403);
    expect((await collect(admin("ada", "issuers"), second)).status).toBe(201);
  });

  it("of a platform key that an admin without the role has rotated meanwhile is not collected by it", async () => {
    const where = await place();
    const key = await platformKeyOf(operator);
    const { body } = await holder(key)("POST", `/organizations/${where.id}/api_key_requests`, { name: "x" });
    await admin("grace", "issuers")("POST", `/api_key_requests/${String(body["id"])}/approve`, {});
    await admin("eve", "helpdesk")("POST", `/api_keys/${key.id}/rotate`, { overlap_seconds: 3600 });
    expectViolation(await holder(key)("POST", `/api_key_requests/${String(body["id"])}/issue`, {}), "organization_key_admin_roles");
  });
});

describe("a widget", () => {
  const makeOwn = (token: string) =>
    throughWidget(token, "POST", WIDGETS.organization.list, { name: "x", permissions: [], expiresAt: null });
  async function tokenFrom(who: Call, asked: Json): Promise<string> {
    const { body } = await who("POST", "/widgets/token", asked);
    keepSecret(body["token"]);
    return String(body["token"]);
  }

  it("of nobody is judged by who asked for its token: an admin's roles are not in it, a platform key is known", async () => {
    const { id } = await place();
    const ofNobody = { organization_id: id, scopes: ["widgets:api-keys:manage"] };
    for (const who of [admin("eve", "helpdesk"), admin("ada", "issuers"), holder(await platformKeyOf(admin("eve", "helpdesk")))])
      expectViolation(await makeOwn(await tokenFrom(who, ofNobody)), "organization_key_admin_roles");
    expect((await makeOwn(await tokenFrom(operator, ofNobody))).status).toBe(201);
  });

  it("of a member is judged by the member's role, not by one of that name elsewhere", async () => {
    const { id } = await place({ organization_key_admin_roles: ["boss"], organization_key_creator_roles: ["lead"] });
    const [boss, lead] = [await world.member(id, "boss"), await world.member(id, "lead")];
    expect((await makeOwn(lead.token)).status).toBe(201);
    expect((await makeOwn(boss.token)).body["code"]).toBe("api_key_policy_violated");
  });
});

describe("what the policy says of owners' roles", () => {
  it("is asked again when a key is to go on", async () => {
    const where = await place({ user_key_owner_roles: ["boss"] });
    const post = async (what: string, json: Json) => (await operator("POST", `/api_keys/${where.userKey}/${what}`, json)).body["code"];
    expect(await post("rotate", {})).toBe("api_key_policy_violated");
    expect(await post("rotate", { overlap_seconds: 0 })).toBeUndefined();
    expect(await post("disable", {})).toBeUndefined();
    expect(await post("enable", {})).toBe("api_key_policy_violated");
    await installation.must("PUT", `/organizations/${where.id}/api_key_policy`, { user_key_owner_roles: ["member"] });
    expect(await post("enable", {})).toBeUndefined();
  });
});

it("who may get no secret can still rename, narrow, disable and revoke, and is told of as who tried", async () => {
  const where = await place();
  const eve = admin("eve", "helpdesk");
  expectViolation(await eve("POST", `/organizations/${where.id}/api_keys`, { name: "x" }), "organization_key_admin_roles");
  const path = `/audit_logs/entries?organization_id=${where.id}&type=api_key.policy_violated`;
  expect((await installation.must("GET", path))["data"]).toMatchObject([
    { actor: { type: "user", id: `${ISSUER}#eve` }, payload: { field: "organization_key_admin_roles", attempted: "create_api_key" } },
  ]);
  expect((await eve("PATCH", `/api_keys/${where.ownKey}`, { name: "renamed" })).status).toBe(200);
  expect((await eve("POST", `/api_keys/${where.ownKey}/disable`, {})).status).toBe(200);
  expect((await eve("DELETE", `/api_keys/${where.ownKey}`)).status).toBe(204);
});

it("while nobody can be asked who has a platform key it makes none, and one that the policy does not ask about does", async () => {
  const [asking, notAsking] = [await place(), await place({})];
  const key = await platformKeyOf(operator);
  ledgerFaults.onAdminsAsked.set(key.id, "hangs");
  const make = ({ id }: Place) => holder(key)("POST", `/organizations/${id}/api_keys`, { name: "x" });
  expect((await make(notAsking)).status).toBe(201);
  const { status, body } = await make(asking);
  expect([status, body["code"]]).toEqual([503, "temporarily_unavailable"]);
  healLedger();
  expect((await make(asking)).status).toBe(201);
});

describe("the list of what is not in line", () => {
  const listed = async ({ id }: Place, query = "") => {
    const { data } = await installation.must("GET", `/organizations/${id}/api_key_policy/violations?order=asc${query}`);
    return (data as readonly { readonly id: string; readonly violations: readonly { readonly field: string }[] }[]).map((row) => [
      row.id,
      ...row.violations.map(({ field }) => field),
    ]);
  };
  const keyOf = async (who: Call, { id }: Place, more: Json = {}) =>
    String((await who("POST", `/organizations/${id}/api_keys`, { name: "x", ...more })).body["id"]);

  it("has keys whose owner's or creator's role would not do, by the roles that members have now and admins had then", async () => {
    const where = await place({});
    const { id } = where;
    const [boss, lead] = [await world.member(id, "boss"), await world.member(id, "lead")];
    const through = async (token: string) =>
      String((await throughWidget(token, "POST", WIDGETS.organization.list, { name: "x", permissions: [], expiresAt: null })).body["id"]);
    const [ofBoss, ofLead] = [await through(boss.token), await through(lead.token)];
    const ofEve = await keyOf(admin("eve", "helpdesk"), where);
    await keyOf(admin("ada", "issuers"), where);
    const ofEvesKey = await keyOf(holder(await platformKeyOf(admin("eve", "helpdesk"))), where);
    const rotated = await platformKeyOf(operator);
    const ofRotated = await keyOf(holder(rotated), where);
    await keyOf(holder(await platformKeyOf(admin("ada", "issuers"))), where);
    expect(await listed(where)).toEqual([]);

    const policy = { ...POLICY, organization_key_creator_roles: ["boss"], user_key_owner_roles: ["boss"] };
    await installation.must("PUT", `/organizations/${id}/api_key_policy`, policy);
    const creators = "organization_key_creator_roles";
    const admins = "organization_key_admin_roles";
    const owner = [where.userKey, "user_key_owner_roles"];
    const before = [owner, [ofLead, creators], [ofEve, admins], [ofEvesKey, admins]];
    expect(await listed(where)).toEqual(before);
    await admin("eve", "helpdesk")("POST", `/api_keys/${rotated.id}/rotate`, {});
    await installation.must("PUT", `/user_management/organization_memberships/${boss.membershipId}`, { role_slug: "lead" });
    await installation.must("DELETE", `/user_management/organization_memberships/${lead.membershipId}`);
    expect(await listed(where)).toEqual([
      owner,
      [ofBoss, creators],
      [ofLead, creators],
      [ofEve, admins],
      [ofEvesKey, admins],
      [ofRotated, admins],
    ]);
    // Page by page, in both directions.
    expect(await listed(where, `&limit=2&after=${ofBoss}`)).toEqual([
      [ofLead, creators],
      [ofEve, admins],
    ]);
    expect(await listed(where, `&limit=2&before=${ofEvesKey}`)).toEqual([
      [ofLead, creators],
      [ofEve, admins],
    ]);
  });

  it("has keys of admins of whom it is not known what they were, and does without the platform keys where nobody asks for them", async () => {
    const where = await place({});
    const ofEve = await keyOf(admin("eve", "issuers"), where);
    await installation.must("PUT", `/organizations/${where.id}/api_key_policy`, POLICY);
    expect(await listed(where)).toEqual([]);
    const cell = cellOfOrganization(where.id, CELLS);
    await runInDurableObject(env.LEDGER.getByName(`cell-${cell}`), (_, { storage }) => {
      storage.sql.exec("UPDATE api_keys SET created_by_roles = NULL WHERE id = ?", ofEve);
    });
    expect(await listed(where)).toEqual([[ofEve, "organization_key_admin_roles"]]);
  });

  it("has keys that hold what needs approval and were made without one, and no more of others than was approved", async () => {
    const where = await place({});
    const [reader, writer] = [["orders:read"], ["orders:write", "orders:read"]];
    await keyOf(operator, where, { permissions: reader });
    const unapproved = await keyOf(operator, where, { permissions: writer });
    const request = async (permissions: readonly string[]) => {
      const made = await admin("ada", "issuers")("POST", `/organizations/${where.id}/api_key_requests`, { name: "x", permissions });
      const id = String(made.body["id"]);
      await admin("grace", "issuers")("POST", `/api_key_requests/${id}/approve`, {});
      return String((await admin("ada", "issuers")("POST", `/api_key_requests/${id}/issue`, {})).body["id"]);
    };
    await request(writer);
    const grown = await request(reader);
    await installation.must("PATCH", `/api_keys/${grown}`, { permissions: writer });
    expect(await listed(where)).toEqual([]);
    await installation.must("PUT", `/organizations/${where.id}/api_key_policy`, { approval_required_permissions: ["orders:write"] });
    const field = "approval_required_permissions";
    expect(await listed(where)).toEqual([
      [unapproved, field],
      [grown, field],
    ]);
  });
});
