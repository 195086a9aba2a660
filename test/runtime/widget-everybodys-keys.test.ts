/** Who may manage everybody's keys sees and ends those of all members of the organization, and of nobody and nothing else. */
import { beforeAll, describe, expect, it } from "vitest";
import { cellOfOrganization } from "../../core/identifier.ts";
import { changingNothing } from "./control-plane-client.ts";
import type { IssuedKey } from "./installation.ts";
import { call, make, names, rows, WIDGETS, WidgetWorld, type Member } from "./widget-world.ts";

const WIDGET = WIDGETS.user;
const CELLS = 4;
const HOUR_MS = 3_600_000;

let world: WidgetWorld;
let governor: Member;
let colleague: Member;
let theirs: IssuedKey;
beforeAll(async () => {
  world = await WidgetWorld.make();
  const here = await world.installation.organization();
  await world.role("governor", ["widgets:user-api-keys:manage-all", "orders:read"]);
  [governor, colleague] = [await world.member(here, "governor"), await world.member(here, "boss")];
  const soon = new Date(Date.now() + HOUR_MS).toISOString();
  theirs = await make(colleague.token, WIDGET, { name: "Theirs", permissions: ["orders:read", "admin:all"], expiresAt: soon });
  await make(governor.token, WIDGET, { name: "Mine" });
});

/** Another organization that lives in the same cell: there, nothing but the rules keeps them apart. */
async function neighbourOf(organization: string): Promise<string> {
  for (;;) {
    const other = await world.installation.organization();
    if (cellOfOrganization(other, CELLS) === cellOfOrganization(organization, CELLS)) return other;
  }
}

describe("who may manage everybody's keys", () => {
  it("sees them all, each with its owner, page by page", async () => {
    const first = await call(governor.token, "GET", `${WIDGET.list}?limit=1`);
    const second = await call(governor.token, "GET", `${WIDGET.list}?limit=1&before=${String(rows(first)[0]?.["id"])}`);
    const shown = [...rows(first), ...rows(second)].map(({ name, owner }) => [name, (owner as { id: string }).id]);
    expect(shown).toEqual([
      ["Mine", governor.userId],
      ["Theirs", colleague.userId],
    ]);
    expect(await names(governor.token, WIDGET, "?search=their")).toEqual(["Theirs"]);
  });

  it("sees neither the organization's keys nor those of the same member, or of others, elsewhere", async () => {
    const elsewhere = await neighbourOf(governor.organizationId);
    await world.installation.join(colleague.userId, elsewhere, "boss");
    const token = await world.token({ organization_id: elsewhere, user_id: colleague.userId });
    const others = [
      await make(token, WIDGET, { name: "Elsewhere" }),
      await make(token, WIDGETS.organization, { name: "Another organization's" }),
      await make(colleague.token, WIDGETS.organization, { name: "The organization's" }),
    ];
    expect(await names(governor.token, WIDGET)).toEqual(["Mine", "Theirs"]);
    for (const { id } of others)
      for (const [method, path, json] of [
        ["DELETE", WIDGET.key(id), undefined],
        ["POST", `${WIDGET.key(id)}/expire`, {}],
      ] as const)
        expect((await changingNothing(() => call(governor.token, method, path, json))).status).toBe(404);
    expect((await call(governor.token, "GET", WIDGETS.organization.list)).status).toBe(403);
  });

  it("makes keys for nobody but themselves, within their role", async () => {
    const asked = { name: "For them", permissions: [], user_id: colleague.userId, owner: { type: "user", id: colleague.userId } };
    const made = await call(governor.token, "POST", `${WIDGET.list}?user_id=${colleague.userId}`, asked);
    const { owner } = await world.installation.must("GET", `/api_keys/${String(made.body["id"])}`);
    expect(owner).toMatchObject({ type: "user", id: governor.userId });
    const beyond = () => call(governor.token, "POST", WIDGET.list, { name: "x", permissions: ["admin:all"] });
    expect(await changingNothing(beyond)).toMatchObject({ status: 422, body: { code: "permission_not_assignable" } });
    await call(governor.token, "DELETE", WIDGET.key(String(made.body["id"])));
  });

  it("lets another's key live longer only if it can do no more than they, and ends any", async () => {
    const expire = (expiresAt: string | null) => call(governor.token, "POST", `${WIDGET.key(theirs.id)}/expire`, { expiresAt });
    expect(await changingNothing(() => expire(null))).toMatchObject({ status: 422, body: { code: "permission_not_assignable" } });
    const sooner = await expire(new Date(Date.now() + HOUR_MS / 2).toISOString());
    expect(sooner).toMatchObject({ status: 200, body: { name: "Theirs", owner: { id: colleague.userId } } });
    expect((await call(governor.token, "DELETE", WIDGET.key(theirs.id))).status).toBe(200);
    const entries = (await world.installation.must("GET", `/audit_logs/entries?subject=${theirs.id}`))["data"];
    expect(entries).toEqual(
      expect.arrayContaining([expect.objectContaining({ type: "api_key.revoked", actor: { type: "user", id: governor.userId } })]),
    );
  });

  it("is refused with the next call when the role is another", async () => {
    const key = await make(colleague.token, WIDGET, { name: "Left alone" });
    await world.installation.must("PUT", `/user_management/organization_memberships/${governor.membershipId}`, { role_slug: "holder" });
    expect((await changingNothing(() => call(governor.token, "DELETE", WIDGET.key(key.id)))).status).toBe(403);
    expect((await call(governor.token, "GET", WIDGET.list)).status).toBe(403);
    const fresh = await world.token({ organization_id: governor.organizationId, user_id: governor.userId });
    expect(await names(fresh, WIDGET)).toEqual(["Mine"]);
    expect((await changingNothing(() => call(fresh, "DELETE", WIDGET.key(key.id)))).status).toBe(404);
  });

  it("has it only with a token that says so", async () => {
    await world.role("both", ["widgets:user-api-keys:manage-all", "widgets:user-api-keys:manage-self"]);
    const { userId, organizationId } = await world.member(colleague.organizationId, "both");
    const scopes = ["widgets:user-api-keys:manage-self"];
    const token = await world.token({ organization_id: organizationId, user_id: userId, scopes });
    expect(await names(token, WIDGET)).toEqual([]);
  });
});

describe("an end that somebody else set on a key", () => {
  const inHours = (hours: number) => new Date(Date.now() + hours * HOUR_MS).toISOString();
  const expire = async (who: Member, id: string, expiresAt: string | null) =>
    (await call(who.token, "POST", `${WIDGET.key(id)}/expire`, { expiresAt })).status;
  const byAdmin = (id: string, expires_at: string | null) => world.installation.must("POST", `/api_keys/${id}/expire`, { expires_at });
  let member: Member;
  let admin: Member;
  beforeAll(async () => {
    const here = await world.installation.organization();
    [member, admin] = [await world.member(here, "holder"), await world.member(here, "governor")];
  });

  it("is not moved on by the owner, nor by who manages everybody's keys, where it was set over the API", async () => {
    const { id } = await make(member.token, WIDGET, { name: "Mine" });
    const end = inHours(10);
    await byAdmin(id, end);
    for (const who of [member, admin])
      for (const later of [null, inHours(11)])
        expect(await changingNothing(() => call(who.token, "POST", `${WIDGET.key(id)}/expire`, { expiresAt: later }))).toMatchObject({
          status: 403,
          body: { code: "insufficient_permissions" },
        });
    // Whoever makes it sooner can take that back.
    expect(await expire(member, id, inHours(1))).toBe(200);
    expect(await expire(member, id, end)).toBe(200);
    await byAdmin(id, null);
    expect(await expire(member, id, inHours(20))).toBe(200);
    expect(await expire(member, id, null)).toBe(200);
  });

  it("is the one that a key was made with, too", async () => {
    const asked = { name: "Given", organization_id: member.organizationId, permissions: [], expires_at: inHours(10) };
    const { id } = await world.installation.must("POST", `/user_management/users/${member.userId}/api_keys`, asked);
    expect(await expire(member, String(id), null)).toBe(403);
  });

  it("is none that somebody has set for themselves, though they manage everybody's keys", async () => {
    const { id } = await make(admin.token, WIDGET, { name: "Mine", expiresAt: inHours(10) });
    expect(await expire(admin, id, inHours(9))).toBe(200);
    const membership = `/user_management/organization_memberships/${admin.membershipId}`;
    await world.installation.must("PUT", membership, { role_slug: "holder" });
    const token = await world.token({ organization_id: admin.organizationId, user_id: admin.userId });
    expect(await expire({ ...admin, token }, id, null)).toBe(200);
    await world.installation.must("PUT", membership, { role_slug: "governor" });
  });

  it("by who manages everybody's keys binds the owner, and not who set it", async () => {
    const { id } = await make(member.token, WIDGET, { name: "Mine" });
    expect(await expire(admin, id, inHours(10))).toBe(200);
    expect(await expire(member, id, null)).toBe(403);
    expect(await expire(admin, id, inHours(12))).toBe(200);
    expect(await expire(member, id, inHours(11))).toBe(200);
    expect(await expire(member, id, inHours(13))).toBe(403);
    expect(await expire(admin, id, null)).toBe(200);
    expect(await expire(member, id, inHours(13))).toBe(200);
    expect(await expire(member, id, null)).toBe(200);
  });
});
