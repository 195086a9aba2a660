/** Customers manage keys through the WorkOS widget: what it calls, answered as it reads it, for an organization's keys and for one's own. */
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { changingNothing, faultyFields } from "./control-plane-client.ts";
import type { Installation, Json } from "./installation.ts";
import { observeGateway } from "./observed-gateway.ts";
import { APP, call, fromPage, make, names, rows, WIDGETS, WidgetWorld, type Member, type Widget } from "./widget-world.ts";

const BOTH = Object.values(WIDGETS);
const inAnHour = () => new Date(Date.now() + 3_600_000).toISOString();

let world: WidgetWorld;
let installation: Installation;
let boss: Member;
beforeAll(async () => {
  world = await WidgetWorld.make();
  installation = world.installation;
  boss = await world.member(await installation.organization(), "boss");
});
afterEach(() => {
  vi.useRealTimers();
});
const newBoss = async () => world.member(await installation.organization(), "boss");
const valid = async (value: string) => (await installation.must("POST", "/api_keys/validations", { value }))["api_key"];

describe.each(BOTH)("the widget for scope=$scope", (widget: Widget) => {
  it("makes a key, and shows it as the widget reads it", async () => {
    const member = await newBoss();
    const expiresAt = inAnHour();
    const asked = { name: "CI", permissions: ["orders:read"], expiresAt };
    const made = await call(member.token, "POST", widget.list, asked);
    const { id, value, createdAt, obfuscatedValue } = made.body;
    expect(made).toMatchObject({ status: 201 });
    expect(made.body).toEqual({ ...asked, id, value, createdAt, obfuscatedValue });
    expect(obfuscatedValue).toBe(`pc_live_...${String(value).slice(-4)}`);
    const listed = await call(member.token, "GET", `${widget.list}?limit=10&search=`);
    const item = { ...asked, id, obfuscatedValue, createdAt, lastUsedAt: null };
    const { email } = await installation.must("GET", `/user_management/users/${member.userId}`);
    const owner = { type: "user", id: member.userId, email, firstName: null, lastName: null, displayName: email };
    expect(rows(listed)).toEqual([widget.scope === "organization" ? item : { ...item, owner }]);

    expect(await valid(String(value))).toMatchObject({ id, permissions: ["orders:read"] });
    const [used] = rows(await call(member.token, "GET", `${widget.list}?limit=10&search=`));
    expect(Date.parse(String(used?.["lastUsedAt"]))).toBeGreaterThanOrEqual(Date.parse(String(createdAt)));
  });

  it("lets a key end then, now and never; a key that has ended stays ended", async () => {
    const { id, value } = await make(boss.token, widget);
    const expire = (json: Json) => call(boss.token, "POST", `${widget.key(id)}/expire`, json);
    const then = inAnHour();
    expect(await expire({ expiresAt: then })).toMatchObject({ status: 200, body: { id, name: "Mine", expiresAt: then } });
    expect(await expire({ expiresAt: null })).toMatchObject({ status: 200, body: { expiresAt: null } });
    expect(await valid(value)).not.toBeNull();
    expect((await expire({})).status).toBe(200);
    expect(await valid(value)).toBeNull();
    const again = await changingNothing(() => expire({ expiresAt: null }));
    expect(again).toMatchObject({ status: 409, body: { code: "api_key_already_expired" } });
  });

  it("revokes a key, with a body that says so; then it is not there any more", async () => {
    const { id, value } = await make(boss.token, widget);
    expect(await call(boss.token, "DELETE", widget.key(id))).toMatchObject({ status: 200, body: { success: true } });
    expect(await valid(value)).toBeNull();
    expect((await call(boss.token, "DELETE", widget.key(id))).status).toBe(404);
    expect((await call(boss.token, "POST", `${widget.key(id)}/expire`, {})).status).toBe(404);
  });

  it.each([["DELETE"], ["POST"]])("%s answers when no gateway accepts the key any more, whatever the caller prefers", async (method) => {
    const { id, value } = await make(boss.token, widget, { permissions: ["orders:read"] });
    const gateway = observeGateway();
    expect((await gateway.get("/orders", value)).status).toBe(200);
    const path = method === "POST" ? `${widget.key(id)}/expire` : widget.key(id);
    expect((await call(boss.token, method, path, {}, { Prefer: "respond-async" })).status).toBe(200);
    expect((await gateway.get("/orders", value)).status).toBe(401);
  });

  it("pages from new to old with `before`, and back with `after`", async () => {
    const { token } = await newBoss();
    for (const name of ["a", "b", "c", "d", "e"]) await make(token, widget, { name });
    const page = async (query: string) => {
      const answer = await call(token, "GET", `${widget.list}?limit=2${query}`);
      const { before, after } = answer.body["list_metadata"] as Json;
      return { names: rows(answer).map((row) => row["name"]), before, after };
    };
    const newest = await page("&before=&after=");
    expect(newest).toMatchObject({ names: ["e", "d"], after: null });
    const middle = await page(`&before=${String(newest.before)}`);
    expect(middle.names).toEqual(["c", "b"]);
    expect(await page(`&before=${String(middle.before)}`)).toMatchObject({ names: ["a"], before: null });
    expect(await page(`&after=${String(middle.after)}`)).toEqual(newest);
  });

  it("finds keys by a part of their name, in capitals or not, page by page", async () => {
    const { token } = await newBoss();
    for (const name of ["Nightly report", "CI", "REPORT 100%", "a_b", "Re:port"]) await make(token, widget, { name });
    expect(await names(token, widget, "?search=report")).toEqual(["REPORT 100%", "Nightly report"]);
    expect(await names(token, widget, "?search=report&limit=1")).toEqual(["REPORT 100%"]);
    expect(await names(token, widget, "?search=%25")).toEqual(["REPORT 100%"]);
    expect(await names(token, widget, "?search=_")).toEqual(["a_b"]);
    expect(await names(token, widget, "?search='%20OR%201=1--")).toEqual([]);
  });

  it("offers the permissions that the role allows and that are for such keys", async () => {
    await installation.must("POST", "/authorization/permissions", {
      slug: `only:${widget.scope}`,
      name: "Only these",
      description: "Half of all keys",
      enabled_for: { user_api_keys: widget.scope === "user", organization_api_keys: widget.scope === "organization" },
    });
    const role = `wide-${widget.scope}`;
    const allowed = ["orders:read", "reports:read", "only:*", "widgets:api-keys:manage", "widgets:user-api-keys:manage-self"];
    await installation.call("POST", "/authorization/permissions", {
      slug: "only:*",
      name: "All",
      enabled_for: { user_api_keys: false, organization_api_keys: false },
    });
    await world.role(role, allowed);
    const { token } = await world.member(boss.organizationId, role);
    const offered = await call(token, "GET", `${widget.permissions}?limit=100&search=`);
    expect(offered).toMatchObject({ status: 200, body: { list_metadata: {} } });
    expect(rows(offered).map(({ slug }) => slug)).toEqual([`only:${widget.scope}`, "orders:read", "reports:read"]);
    expect(rows(offered)[0]).toEqual({
      id: rows(offered)[0]?.["id"],
      slug: `only:${widget.scope}`,
      name: "Only these",
      description: "Half of all keys",
    });
    expect(rows(await call(token, "GET", `${widget.permissions}?search=REPORTS`)).map(({ slug }) => slug)).toEqual(["reports:read"]);
    expect(rows(await call(token, "GET", `${widget.permissions}?limit=1`))).toHaveLength(1);
    for (const { slug } of rows(offered)) expect((await make(token, widget, { permissions: [slug] })).id).toMatch(/^api_key_/);
  });

  it.each([
    ["a name", { name: "" }, "name"],
    ["permissions", { permissions: "orders:read" }, "permissions"],
    ["an end in the past", { expiresAt: "2020-01-01T00:00:00Z" }, "expiresAt"],
    ["an end that is no time", { expiresAt: "tomorrow" }, "expiresAt"],
    ["a permission of nobody", { permissions: ["no:such"] }, "permissions"],
    ["a platform permission", { permissions: ["portcullis:api_keys:write"] }, "permissions"],
    ["everything", { permissions: ["*"] }, "permissions"],
  ])("refuses %s with the field at fault", async (_, json, field) => {
    const refused = await changingNothing(() => call(boss.token, "POST", widget.list, { name: "x", permissions: [], ...json }));
    expect([refused.status, faultyFields(refused)]).toEqual([422, [field]]);
  });

  it.each(["?limit=0", "?limit=101", "?before=garbage", "?after=org_01ARZ3NDEKTSV4RRFFQ69G5FAV", `?search=${"x".repeat(256)}`])(
    "refuses the query %s",
    async (query) => expect((await call(boss.token, "GET", widget.list + query)).status).toBe(422),
  );

  it("makes entries in the member's name", async () => {
    const { id } = await make(boss.token, widget);
    await call(boss.token, "DELETE", widget.key(id));
    const actor = { type: "user", id: boss.userId };
    const entries = (await Promise.all([0, 1, 2, 3].map(async (cell) => entriesOf(cell)))).flat();
    expect(entries.filter(({ subject }) => subject === id).map((entry) => [entry["type"], entry["actor"]])).toEqual([
      ["api_key.created", actor],
      ["api_key.revoked", actor],
    ]);
  });

  it("answers the same when the same is asked again with an Idempotency-Key", async () => {
    const again = { "Idempotency-Key": crypto.randomUUID() };
    const asked = { name: "Once", permissions: [] };
    const first = await call(boss.token, "POST", widget.list, asked, again);
    expect(first.status).toBe(201);
    expect((await call(boss.token, "POST", widget.list, asked, again)).body).toEqual(first.body);
  });

  it("answers the same also when the end that was asked for has come meanwhile", async () => {
    const again = { "Idempotency-Key": crypto.randomUUID() };
    const expiresAt = new Date(Date.now() + 60_000).toISOString();
    const send = () => call(boss.token, "POST", widget.list, { name: "Brief", permissions: [], expiresAt }, again);
    const first = await send();
    expect(first.status).toBe(201);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.parse(expiresAt) });
    expect((await send()).body).toEqual(first.body);
    expect((await call(boss.token, "POST", widget.list, { name: "Late", permissions: [], expiresAt })).status).toBe(422);
  });
});

/** All entries of a cell. */
async function entriesOf(cell: number): Promise<Json[]> {
  const all: Json[] = [];
  for (;;) {
    const after = Number(all.at(-1)?.["seq"] ?? 0);
    const data = (await installation.must("GET", `/ledger/${cell}/entries?after=${after}`))["data"] as readonly Json[];
    if (data.length === 0) return all;
    all.push(...data);
  }
}

describe("a page", () => {
  const preflight = {
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization,content-type,workos-widgets-type",
  };
  const path = WIDGETS.organization.list;

  it.each([APP, "http://localhost:3000"])("at %s may call, with what the widget sends and without cookies", async (origin) => {
    const { status, headers } = await fromPage(origin, "OPTIONS", path, preflight);
    expect([status, headers.get("access-control-allow-origin"), headers.get("vary")]).toEqual([
      204,
      origin,
      expect.stringContaining("Origin"),
    ]);
    expect(headers.get("access-control-allow-methods")?.split(",").toSorted()).toEqual(["DELETE", "GET", "POST"]);
    const allowed = headers.get("access-control-allow-headers")?.toLowerCase().split(",") ?? [];
    for (const name of ["authorization", "content-type", "workos-widgets-version", "workos-widgets-type", "x-elevated-access-token"])
      expect(allowed).toContain(name);
    expect(headers.get("access-control-allow-credentials")).toBeNull();
  });

  it.each([
    "https://evil.example",
    "https://app.example.com.evil.example",
    "http://app.example.com",
    "https://app.example.com:8443",
    "null",
    "https://APP.example.com",
    "*",
  ])("at %s may not", async (origin) => {
    for (const [method, headers] of [
      ["OPTIONS", preflight],
      ["GET", { Authorization: `Bearer ${boss.token}` }],
    ] as const) {
      const response = await fromPage(origin, method, path, headers);
      expect(response.headers.get("access-control-allow-origin")).toBeNull();
      expect(response.headers.get("vary")).toContain("Origin");
    }
  });

  it.each(["/organizations", "/widgets/token", "/api_keys/validations"])("may not call %s, whatever its origin", async (other) => {
    const response = await fromPage(APP, "OPTIONS", other, preflight);
    expect([response.status, response.headers.get("access-control-allow-origin")]).toEqual([404, null]);
  });
});
