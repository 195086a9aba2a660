/** Tokens of widgets, what they are good for, and every way we know to reach with one what is somebody else's. */
import { env } from "cloudflare:workers";
import { decodeJwt, SignJWT, UnsecuredJWT } from "jose";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { Cells } from "../../control-plane/cells.ts";
import { decodeBase64Url } from "../../control-plane/configuration.ts";
import type { Command, SelfServe } from "../../control-plane/ledger/command.ts";
import { PLATFORM_ORGANIZATION_ID } from "../../core/identifier.ts";
import { WIDGET_SCOPES } from "../../core/widget.ts";
import { ask, changingNothing, faultyFields } from "./control-plane-client.ts";
import type { Installation, IssuedKey, Json } from "./installation.ts";
import { call, make, names, rows, WIDGETS, WidgetWorld, type Member, type Widget } from "./widget-world.ts";

const CELLS = 4;
const BOTH = Object.values(WIDGETS);
const ULID = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
const HOUR_MS = 3_600_000;
const MANAGE = "widgets:api-keys:manage";
const MANAGE_SELF = "widgets:user-api-keys:manage-self";
const MANAGE_ALL = "widgets:user-api-keys:manage-all";

let world: WidgetWorld;
let installation: Installation;
let boss: Member;
let colleague: Member;
let stranger: Member;
beforeAll(async () => {
  world = await WidgetWorld.make();
  installation = world.installation;
  const here = await installation.organization();
  [boss, colleague, stranger] = [
    await world.member(here, "boss"),
    await world.member(here, "holder"),
    await world.member(await installation.organization(), "boss"),
  ];
});
afterEach(() => {
  vi.useRealTimers();
});

const request = (asked: Json) => installation.call("POST", "/widgets/token", asked);
const permissionsIn = (token: string) => decodeJwt(token)["permissions"];
const statusOf = async (token: string | null, widget: Widget = WIDGETS.user) => (await call(token, "GET", widget.list)).status;

describe("a token", () => {
  it("is read by the widget as it reads it: with atob, permissions and an end in an hour", async () => {
    const before = Math.floor(Date.now() / 1000);
    const token = await world.token({ organization_id: boss.organizationId, user_id: boss.userId, scopes: [MANAGE] });
    const [, payload = ""] = token.split(".");
    const claims = JSON.parse(atob(payload)) as { exp: number; iat: number };
    expect(claims).toMatchObject({ permissions: [MANAGE], sub: boss.userId, org_id: boss.organizationId });
    expect(claims.exp - claims.iat).toBe(3600);
    expect(claims.iat).toBeGreaterThanOrEqual(before);
  });

  it("has what the role allows of the scopes", async () => {
    const of = ({ organizationId, userId }: Member, scopes?: readonly string[]) =>
      world.token({ organization_id: organizationId, user_id: userId, ...(scopes && { scopes }) });
    expect(permissionsIn(await of(colleague, [MANAGE, MANAGE_SELF]))).toEqual([MANAGE_SELF]);
    expect(permissionsIn(await of(colleague, [MANAGE]))).toEqual([]);
    expect(permissionsIn(await of(boss, [MANAGE, "widgets:sso:manage"]))).toEqual([MANAGE]);
    expect(permissionsIn(await of(boss))).toEqual([MANAGE, MANAGE_SELF]);
  });

  it("without a user has the scopes as they are, and without an organization none", async () => {
    expect(permissionsIn(await world.token({ organization_id: boss.organizationId, scopes: [MANAGE] }))).toEqual([MANAGE]);
    expect(permissionsIn(await world.token({ organization_id: boss.organizationId }))).toEqual([]);
    const userOnly = await world.token({ user_id: boss.userId });
    expect(permissionsIn(userOnly)).toEqual([]);
    for (const widget of BOTH) expect(await statusOf(userOnly, widget)).toBe(403);
  });

  it("can be asked for with every scope there is", async () => {
    for (const scope of WIDGET_SCOPES)
      expect((await request({ organization_id: boss.organizationId, user_id: boss.userId, scopes: [scope] })).status).toBe(201);
  });

  it.each<readonly [string, () => Json, number, string | undefined]>([
    ["nobody", () => ({}), 422, "organization_id"],
    ["scopes without an organization", () => ({ user_id: boss.userId, scopes: [MANAGE] }), 422, "organization_id"],
    ["one's own keys without a user", () => ({ organization_id: boss.organizationId, scopes: [MANAGE_SELF] }), 422, "user_id"],
    ["an unknown scope", () => ({ organization_id: boss.organizationId, scopes: ["portcullis:api_keys:write"] }), 422, "scopes.0"],
    ["everything", () => ({ organization_id: boss.organizationId, scopes: ["*"] }), 422, "scopes.0"],
    ["a member of another organization", () => ({ organization_id: boss.organizationId, user_id: stranger.userId }), 422, "user_id"],
    ["no such organization", () => ({ organization_id: `org_${ULID}`, user_id: boss.userId }), 404, undefined],
    ["no such user", () => ({ organization_id: boss.organizationId, user_id: `user_${ULID}` }), 404, undefined],
    ["the platform organization", () => ({ organization_id: PLATFORM_ORGANIZATION_ID, scopes: [MANAGE] }), 404, undefined],
  ])("is not made for %s", async (_, asked, status, field) => {
    const answer = await changingNothing(() => request(asked()));
    expect(answer.status).toBe(status);
    if (field !== undefined) expect(faultyFields(answer)).toEqual([field]);
  });

  it("opens nothing but widgets", async () => {
    for (const [method, path] of [
      ["GET", "/organizations"],
      ["POST", "/widgets/token"],
      ["GET", `/organizations/${boss.organizationId}/api_keys`],
      ["GET", "/receipts/0-1"],
    ] as const)
      expect((await ask(boss.token, method, path)).status).toBe(401);
  });
});

describe("a widget is let in", () => {
  const signed = (claims: Json, { key = env.WIDGET_TOKEN_KEY, typ = "widget+jwt", alg = "HS256" } = {}) =>
    new SignJWT({ ...decodeJwt(boss.token), ...claims }).setProtectedHeader({ alg, typ }).sign(decodeBase64Url(key));

  it("with its token, and with one that says the same: what the next tests change is what is refused", async () => {
    expect(await statusOf(boss.token)).toBe(200);
    expect(await statusOf(await signed({}))).toBe(200);
  });

  it("not without one, nor with two: 403 as well, for the widget begins before it has one", async () => {
    const { token } = boss;
    for (const { list } of BOTH)
      for (const headers of [{}, { Authorization: `Basic ${token}` }, { Authorization: `Bearer ${token}, Bearer ${token}` }]) {
        const answer = await call(null, "GET", list, undefined, headers);
        expect(answer).toMatchObject({ status: 403, body: { code: "widget_token_refused" } });
      }
  });

  it("not after its hour: 403, so that the widget gets another one", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + HOUR_MS + 1000 });
    const answer = await call(boss.token, "GET", WIDGETS.user.list);
    expect(answer).toMatchObject({ status: 403, body: { code: "widget_token_refused" } });
  });

  it.each<readonly [string, () => Promise<string>]>([
    ["signed with another secret", () => signed({}, { key: env.REPLY_SEAL_KEY })],
    ["of another type", () => signed({}, { typ: "JWT" })],
    ["signed by another algorithm", () => signed({}, { alg: "HS512" })],
    ["without an end", () => signed({ exp: undefined })],
    ["of another issuer", () => signed({ iss: "other" })],
    ["for somebody else to read", () => signed({ aud: "other" })],
    ["without permissions", () => signed({ permissions: undefined })],
    ["that names nobody who made it", () => signed({ act: undefined })],
    ["that nobody signed", async () => new UnsecuredJWT(decodeJwt(boss.token)).encode()],
    ["whose claims were changed", async () => withClaims(colleague.token, { sub: boss.userId })],
    ["that is a platform key", async () => installation.adminKey],
    ["that is a customer's key", async () => (await make(boss.token, WIDGETS.user)).value],
    ["that is nothing", async () => "x.y.z"],
    ["that is too long", () => signed({ permissions: [MANAGE, MANAGE_SELF], note: "x".repeat(10_000) })],
    ["of 10 kB", async () => signed({ permissions: [MANAGE, MANAGE_SELF], note: "x".repeat(10_000) })],
  ])("not with a token %s", async (_, made) => {
    const token = await made();
    for (const { list } of BOTH) {
      const refused = await changingNothing(() => call(token, "POST", list, { name: "x", permissions: [] }));
      expect(refused).toMatchObject({ status: 403, body: { code: "widget_token_refused" } });
    }
  });

  it("only with the scope", async () => {
    const { organizationId: organization_id, userId: user_id } = boss;
    const wants = { [MANAGE]: WIDGETS.organization, [MANAGE_SELF]: WIDGETS.user };
    for (const [scope, other] of [
      [MANAGE, WIDGETS.user],
      [MANAGE_SELF, WIDGETS.organization],
    ] as const) {
      const token = await world.token({ organization_id, user_id, scopes: [scope] });
      expect(await statusOf(token, wants[scope])).toBe(200);
      expect(await call(token, "GET", other.list)).toMatchObject({ status: 403, body: { code: "insufficient_permissions" } });
    }
  });

  it("not once the membership has ended", async () => {
    const { token, membershipId } = await world.member(boss.organizationId, "boss");
    await installation.must("DELETE", `/user_management/organization_memberships/${membershipId}`);
    for (const widget of BOTH)
      expect(await call(token, "GET", widget.list)).toMatchObject({ status: 403, body: { code: "widget_token_refused" } });
  });

  it("only as far as the role at this moment allows", async () => {
    const { token, membershipId } = await world.member(boss.organizationId, "boss");
    await installation.must("PUT", `/user_management/organization_memberships/${membershipId}`, { role_slug: "holder" });
    expect([await statusOf(token, WIDGETS.organization), await statusOf(token, WIDGETS.user)]).toEqual([403, 200]);
    await installation.must("PUT", `/user_management/organization_memberships/${membershipId}`, { role_slug: "viewer" });
    expect(await statusOf(token, WIDGETS.user)).toBe(403);
  });

  it("without a member only as long as the key that made the token may make tokens", async () => {
    const issuer = await installation.key(PLATFORM_ORGANIZATION_ID, ["portcullis:widgets:write"]);
    const asked = { json: { organization_id: boss.organizationId, scopes: [MANAGE] } };
    const token = String((await ask(issuer.value, "POST", "/widgets/token", asked)).body["token"]);
    expect(await statusOf(token, WIDGETS.organization)).toBe(200);
    expect(await statusOf(token, WIDGETS.user)).toBe(403);
    const made = await make(token, WIDGETS.organization, { permissions: ["admin:all"] });
    expect((await call(token, "DELETE", WIDGETS.organization.key(made.id))).status).toBe(200);
    await installation.must("DELETE", `/api_keys/${issuer.id}`);
    expect(await statusOf(token, WIDGETS.organization)).toBe(403);
  });
});

describe("a token without a member", () => {
  it("is good for nothing while its organization is suspended, and when it has ended", async () => {
    const organization = await installation.organization();
    const token = await world.token({ organization_id: organization, scopes: [MANAGE] });
    const widget = WIDGETS.organization;
    const key = await make(token, widget);
    const calls = () =>
      [
        ["GET", widget.list, undefined],
        ["GET", widget.permissions, undefined],
        ["POST", widget.list, { name: "x", permissions: [] }],
        ["POST", `${widget.key(key.id)}/expire`, {}],
        ["DELETE", widget.key(key.id), undefined],
      ] as const;
    const expectRefused = async () => {
      for (const [method, path, json] of calls())
        expect(await changingNothing(() => call(token, method, path, json))).toMatchObject({
          status: 403,
          body: { code: "widget_token_refused" },
        });
    };
    await installation.must("POST", `/organizations/${organization}/suspend`, {});
    await expectRefused();
    await installation.must("POST", `/organizations/${organization}/resume`, {});
    expect(await names(token, widget)).toEqual(["Mine"]);
    await installation.must("DELETE", `/organizations/${organization}`);
    await expectRefused();
  });
});

describe("somebody else's keys", () => {
  let theirs: { readonly what: string; readonly widget: Widget; readonly key: IssuedKey }[];
  beforeAll(async () => {
    theirs = [
      { what: "a colleague's, as one's own", widget: WIDGETS.user, key: await make(colleague.token, WIDGETS.user) },
      { what: "a colleague's, as the organization's", widget: WIDGETS.organization, key: await make(colleague.token, WIDGETS.user) },
      { what: "the organization's, as one's own", widget: WIDGETS.user, key: await make(boss.token, WIDGETS.organization) },
      { what: "another organization's", widget: WIDGETS.organization, key: await make(stranger.token, WIDGETS.organization) },
      { what: "another organization's, as one's own", widget: WIDGETS.user, key: await make(stranger.token, WIDGETS.organization) },
      { what: "a stranger's", widget: WIDGETS.user, key: await make(stranger.token, WIDGETS.user) },
      { what: "a platform key", widget: WIDGETS.organization, key: await installation.key(PLATFORM_ORGANIZATION_ID, []) },
    ];
  });

  it("are not ended, not prolonged, and look as if they were not there", async () => {
    for (const { what, widget, key } of theirs)
      for (const [method, path, json] of [
        ["DELETE", widget.key(key.id), undefined],
        ["POST", `${widget.key(key.id)}/expire`, {}],
        ["POST", `${widget.key(key.id)}/expire`, { expiresAt: null }],
      ] as const) {
        const refused = await changingNothing(() => call(boss.token, method, path, json));
        const unknown = await call(boss.token, method, path.replace(key.id, `api_key_${ULID}`), json);
        expect([what, refused.status, refused.body["code"]]).toEqual([what, 404, "entity_not_found"]);
        expect(refused.body["message"]).toBe(String(unknown.body["message"]).replace(`api_key_${ULID}`, key.id));
      }
  });

  it("are in no list, at no cursor and in no search", async () => {
    const alone = await world.member(boss.organizationId, "holder");
    const cursors = theirs.map(({ key }) => key.id);
    for (const query of ["", "?search=Mine", ...cursors.flatMap((id) => [`?before=${id}`, `?after=${id}`])])
      expect(await names(alone.token, WIDGETS.user, query)).toEqual([]);
    const elsewhere = await world.member(await installation.organization(), "boss");
    for (const query of ["", "?search=Mine", ...cursors.flatMap((id) => [`?before=${id}`, `?after=${id}`])])
      expect(await names(elsewhere.token, WIDGETS.organization, query)).toEqual([]);
  });

  it("in another organization are not one's own there: a user is somebody else in each", async () => {
    const elsewhere = await installation.organization();
    await installation.join(boss.userId, elsewhere, "boss");
    const token = await world.token({ organization_id: elsewhere, user_id: boss.userId });
    const key = await make(boss.token, WIDGETS.user, { name: "Here" });
    expect(await names(token, WIDGETS.user)).toEqual([]);
    expect((await changingNothing(() => call(token, "DELETE", WIDGETS.user.key(key.id)))).status).toBe(404);
  });

  it("are not made by naming an owner in the body or the query", async () => {
    const asked = {
      name: "Claimed",
      permissions: [],
      user_id: boss.userId,
      userId: boss.userId,
      organization_id: stranger.organizationId,
      owner: { type: "organization", id: stranger.organizationId },
    };
    const made = await call(colleague.token, "POST", `${WIDGETS.user.list}?user_id=${boss.userId}`, asked);
    const { owner } = await installation.must("GET", `/api_keys/${String(made.body["id"])}`);
    expect(owner).toEqual({ type: "user", id: colleague.userId, organization_id: colleague.organizationId });
  });

  it("are not learned by repeating another organization's request", async () => {
    const elsewhere = await installation.organization();
    const once = { "Idempotency-Key": "once" };
    const asked = { name: "Same", permissions: [] };
    const tokens = await Promise.all([boss.organizationId, elsewhere].map((id) => world.token({ organization_id: id, scopes: [MANAGE] })));
    const made = [];
    for (const token of tokens) made.push((await call(token, "POST", WIDGETS.organization.list, asked, once)).body["value"]);
    expect(made[0]).toMatch(/^pc_live_/);
    expect(made[1]).toMatch(/^pc_live_/);
    expect(made[1]).not.toBe(made[0]);
  });
});

describe("who manages the organization's keys with a small role", () => {
  it("neither grants nor prolongs what the role does not allow, and may still end it", async () => {
    const lead = await world.member(boss.organizationId, "lead");
    const widget = WIDGETS.organization;
    expect(rows(await call(lead.token, "GET", widget.permissions)).map(({ slug }) => slug)).toEqual(["orders:read"]);
    for (const permissions of [["admin:all"], ["orders:read", "orders:write"], ["orders:*"]]) {
      const refused = await changingNothing(() => call(lead.token, "POST", widget.list, { name: "x", permissions }));
      expect(refused).toMatchObject({ status: 422, body: { code: "permission_not_assignable" } });
    }
    const strong = await make(boss.token, widget, { permissions: ["admin:all"], expiresAt: new Date(Date.now() + HOUR_MS).toISOString() });
    const expire = (json: Json) => call(lead.token, "POST", `${widget.key(strong.id)}/expire`, json);
    for (const expiresAt of [null, new Date(Date.now() + 2 * HOUR_MS).toISOString()])
      expect(await changingNothing(() => expire({ expiresAt }))).toMatchObject({
        status: 422,
        body: { code: "permission_not_assignable" },
      });
    expect((await expire({ expiresAt: new Date(Date.now() + HOUR_MS / 2).toISOString() })).status).toBe(200);
    expect((await expire({})).status).toBe(200);
  });
});

describe("the ledger itself, whatever the door has let through,", () => {
  const send = async (member: Member, self_serve: SelfServe, command: Command) => {
    const cells = new Cells(env.LEDGER, CELLS);
    const outcome = await cells.ledger(cells.cellOf(member.organizationId)).execute({
      command,
      actor: { type: "user", id: member.userId, self_serve },
      commandId: crypto.randomUUID(),
      fingerprint: "",
      sealedReply: null,
      untilInForce: true,
    });
    return outcome.ok ? "done" : outcome.refusal.code;
  };
  const ownOf = ({ organizationId, userId }: Member): SelfServe => ({ keys: "user", organization_id: organizationId, user_id: userId });
  const everybodysFor = ({ organizationId, userId }: Member): SelfServe => ({
    keys: "members",
    organization_id: organizationId,
    user_id: userId,
  });
  const organizationsOf = ({ organizationId, userId }: Member): SelfServe => ({
    ...ownOf({ organizationId, userId } as Member),
    keys: "organization",
  });
  const creation = (owner: Extract<Command, { type: "create_api_key" }>["owner"], permissions: readonly string[] = []): Command => ({
    type: "create_api_key",
    id: `api_key_${ULID}`,
    owner,
    name: "x",
    permissions,
    expires_at_ms: null,
    minted: { token_id: crypto.randomUUID(), sha256: "", obfuscated_value: "", environment: "live" },
  });
  const owned = ({ organizationId, userId }: Member) => ({ type: "user", id: userId, organization_id: organizationId }) as const;

  it("carries out nothing but what widgets do", async () => {
    const others: Command[] = [
      { type: "update_api_key", id: (await make(boss.token, WIDGETS.user)).id, name: "y" },
      { type: "end_membership", id: colleague.membershipId },
      { type: "change_membership_role", id: boss.membershipId, role: "boss" },
      { type: "replace_routes", routes: [], expected_version: null },
    ];
    for (const command of others) expect(await changingNothing(() => send(boss, ownOf(boss), command))).toBe("insufficient_permissions");
  });

  it("does nothing in a suspended organization for a token without a member", async () => {
    const member = await world.member(await installation.organization(), "boss");
    await installation.must("POST", `/organizations/${member.organizationId}/suspend`, {});
    const own: SelfServe = { keys: "organization", organization_id: member.organizationId, user_id: null };
    expect(await changingNothing(() => send(member, own, creation({ type: "organization", id: member.organizationId })))).toBe(
      "insufficient_permissions",
    );
  });

  it("touches others' keys only for who may manage everybody's at that moment, and makes none for them", async () => {
    const everybodys = everybodysFor(boss);
    const { id } = await make(colleague.token, WIDGETS.user);
    for (const command of [creation(owned(colleague)), creation(owned(boss)), { type: "revoke_api_key", id }] as const)
      expect(await changingNothing(() => send(boss, everybodys, command))).toBe("insufficient_permissions");
    await world.role("everybodys", [MANAGE_ALL]);
    const governor = await world.member(boss.organizationId, "everybodys");
    const reached = everybodysFor(governor);
    expect(await changingNothing(() => send(governor, reached, creation(owned(colleague))))).toBe("insufficient_permissions");
    expect(await send(governor, reached, { type: "revoke_api_key", id })).toBe("done");
  });

  it("makes no key for another owner", async () => {
    for (const owner of [
      owned(colleague),
      { type: "organization", id: boss.organizationId },
      { type: "organization", id: PLATFORM_ORGANIZATION_ID },
    ] as const)
      expect(await changingNothing(() => send(boss, ownOf(boss), creation(owner)))).toBe("insufficient_permissions");
    for (const owner of [owned(boss), owned(colleague), { type: "organization", id: stranger.organizationId }] as const)
      expect(await changingNothing(() => send(boss, organizationsOf(boss), creation(owner)))).toBe("insufficient_permissions");
  });

  it("judges by the role at the moment of the change: a demotion leaves nothing that it does not allow", async () => {
    const member = await world.member(boss.organizationId, "boss");
    const organization = { type: "organization", id: boss.organizationId } as const;
    await installation.must("PUT", `/user_management/organization_memberships/${member.membershipId}`, { role_slug: "lead" });
    expect(await changingNothing(() => send(member, organizationsOf(member), creation(organization, ["admin:all"])))).toBe(
      "permission_not_assignable",
    );
    await installation.must("PUT", `/user_management/organization_memberships/${member.membershipId}`, { role_slug: "holder" });
    expect(await changingNothing(() => send(member, organizationsOf(member), creation(organization)))).toBe("insufficient_permissions");
    await installation.must("DELETE", `/user_management/organization_memberships/${member.membershipId}`);
    expect(await changingNothing(() => send(member, ownOf(member), creation(owned(member))))).toBe("insufficient_permissions");
  });
});

function withClaims(token: string, more: Json): string {
  const [header = "", , signature = ""] = token.split(".");
  const payload = btoa(JSON.stringify({ ...decodeJwt(token), ...more })).replaceAll("=", "");
  return [header, payload, signature].join(".");
}
