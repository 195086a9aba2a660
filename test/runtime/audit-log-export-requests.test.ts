/** Exports that are asked for and fetched from a URL: what is in them, and what the URL is good for. */
import { env, exports } from "cloudflare:workers";
import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { decodeJwt } from "jose";
import { DAY_MS } from "../../core/api-key-policy.ts";
import { cellOfOrganization, PLATFORM_ORGANIZATION_ID } from "../../core/identifier.ts";
import { signExportToken } from "../../control-plane/audit/export-token.ts";
import { controlPlaneConfiguration } from "../../control-plane/configuration.ts";
import { dropOldContent } from "../../control-plane/ledger/audit-retention.ts";
import { signWidgetToken } from "../../control-plane/widget-token.ts";
import { ask, changingNothing, faultyFields } from "./control-plane-client.ts";
import { callWith, FakeIdentityProvider } from "./identity-provider.ts";
import { callControlPlane, install, type Installation, type IssuedKey, type Json } from "./installation.ts";

const CELLS = 4;
const TYPES_AT = 5;

let installation: Installation;
let organizationId: string;
let auditor: IssuedKey;
beforeAll(async () => {
  installation = await install();
  organizationId = await installation.organization();
  auditor = await installation.key(PLATFORM_ORGANIZATION_ID, ["portcullis:audit_logs:read"]);
  await installation.key(organizationId, []);
  for (const [action, name, type, id] of [
    ["document.shared", "Ada", "document", "user_1"],
    ["document.shared", "Grace", "document", "user_2"],
    ["team.joined", "Grace", "team", "user_2"],
  ] as const)
    await record(action, { type: "user", id, name }, type);
});
afterEach(() => {
  vi.useRealTimers();
});

const record = (action: string, actor: Json, targetType: string) =>
  installation.must("POST", "/audit_logs/events", {
    organization_id: organizationId,
    event: { action, occurred_at: "2026-01-15T14:00:00Z", actor, targets: [{ type: targetType, id: "1" }], context: { location: "here" } },
  });
const askFor = (more: Json = {}, who = auditor.value) =>
  ask(who, "POST", "/audit_logs/exports", {
    json: { organization_id: organizationId, range_start: "2020-01-01T00:00:00Z", range_end: "2030-01-01T00:00:00Z", ...more },
  });
const urlOf = async (more: Json = {}) => String((await askFor(more)).body["url"]);
const fetched = (url: string) => exports.default.fetch(new Request(url));
/** The types of an export's lines. */
async function typesIn(url: string): Promise<unknown[]> {
  const response = await fetched(url);
  expect(response.status).toBe(200);
  const [header = "", ...lines] = (await response.text()).trimEnd().split("\r\n");
  expect(header).toContain('"type"');
  return lines.map((line) => line.slice(1).split('","')[TYPES_AT]);
}
const statusOf = async (url: string) => (await fetched(url)).status;

describe("an export", () => {
  it("is ready at once, at a URL that whoever has it can fetch, of what was there when it was asked for", async () => {
    const { status, body } = await askFor();
    expect([status, body]).toMatchObject([201, { object: "audit_log_export", state: "ready" }]);
    const all = ["organization.created", "api_key.created", ...Array(2).fill("customer.document.shared"), "customer.team.joined"];
    const types = await typesIn(String(body["url"]));
    expect(types.slice(0, all.length)).toEqual(all);
    await installation.key(organizationId, []);
    expect(await typesIn(String(body["url"]))).toEqual(types);
    const again = await ask(auditor.value, "GET", `/audit_logs/exports/${String(body["id"])}`);
    expect(again.body).toEqual({ ...body, url: expect.any(String) as string });
    expect(await typesIn(String(again.body["url"]))).toEqual(types);
  });

  it("is on record, with what was asked for", async () => {
    const { body } = await askFor({ actions: ["document.shared"] });
    const { data } = await installation.must("GET", `/audit_logs/entries?organization_id=${organizationId}&subject=${String(body["id"])}`);
    expect(data).toMatchObject([
      {
        type: "audit_log_export.created",
        actor: { id: auditor.id },
        payload: { actions: ["document.shared"], range_end: "2030-01-01T00:00:00.000Z" },
      },
    ]);
    expect(JSON.stringify(data)).not.toContain("token");
  });

  it.each<[string, Json, string[]]>([
    ["an action", { actions: ["team.joined"] }, ["customer.team.joined"]],
    ["a type of Portcullis's own", { actions: ["organization.created"] }, ["organization.created"]],
    ["the id of an actor that the customer told of", { actor_ids: ["user_1"] }, ["customer.document.shared"]],
    ["the name of one", { actor_names: ["Grace"] }, ["customer.document.shared", "customer.team.joined"]],
    ["a type of target", { targets: ["team", "organization"] }, ["organization.created", "customer.team.joined"]],
    [
      "all of that together",
      { actor_names: ["Grace"], actions: ["document.shared", "team.joined"], targets: ["document"] },
      ["customer.document.shared"],
    ],
    ["what nobody did", { actor_ids: ["nobody"] }, []],
  ])("by %s has nothing else", async (_, filter, types) => {
    expect(await typesIn(await urlOf(filter))).toEqual(types);
  });

  it("is of a range of time, and of one organization", async () => {
    expect(await typesIn(await urlOf({ range_end: "2021-01-01T00:00:00Z" }))).toEqual([]);
    expect(faultyFields(await askFor({ range_end: "2019-01-01T00:00:00Z" }))).toEqual(["range_end"]);
    for (const organization_id of ["org_01ARZ3NDEKTSV4RRFFQ69G5FAV", "x", "installation"])
      expect((await changingNothing(() => askFor({ organization_id }))).status).toBe(404);
    const other = await installation.organization();
    expect(await typesIn(await urlOf({ organization_id: other }))).toEqual(["organization.created"]);
  });

  it("is the same one when it is asked for again with its Idempotency-Key, with a URL of its own", async () => {
    const again = () =>
      callControlPlane(
        auditor.value,
        "POST",
        "/audit_logs/exports",
        {
          organization_id: organizationId,
          range_start: "2020-01-01T00:00:00Z",
          range_end: "2030-01-01T00:00:00Z",
        },
        { "Idempotency-Key": "export" },
      );
    const [first, second] = [await again(), await again()];
    expect(second.body["id"]).toBe(first.body["id"]);
    expect(await statusOf(String(second.body["url"]))).toBe(200);
  });

  it("whose content has been dropped since is in error, and one of what was gone before is not", async () => {
    const id = await installation.organization();
    const { body } = await askFor({ organization_id: id });
    const cell = env.LEDGER.getByName(`cell-${cellOfOrganization(id, CELLS)}`);
    await runInDurableObject(cell, (_, { storage }) => {
      const { at_ms } = storage.sql.exec<{ at_ms: number }>("SELECT max(at_ms) AS at_ms FROM entries").one();
      storage.transactionSync(() => dropOldContent(storage.sql, 30, at_ms + 31 * DAY_MS));
    });
    const { body: now } = await ask(auditor.value, "GET", `/audit_logs/exports/${String(body["id"])}`);
    expect(now).toMatchObject({ state: "error", url: null });
    expect(await statusOf(String(body["url"]))).toBe(404);
    expect((await askFor({ organization_id: id })).body["state"]).toBe("ready");
  });

  it("of events that the organization keeps no longer is in error, too", async () => {
    const id = await installation.organization();
    const event = {
      action: "a.b",
      occurred_at: "2026-01-15T14:00:00Z",
      actor: { type: "user", id: "1" },
      targets: [{ type: "t", id: "1" }],
      context: { location: "here" },
    };
    const { body: before } = await askFor({ organization_id: id });
    await installation.must("POST", "/audit_logs/events", { organization_id: id, event });
    const { body } = await askFor({ organization_id: id });
    await installation.must("PUT", `/organizations/${id}/audit_logs_retention`, { retention_period: "1_MONTH" });
    vi.useFakeTimers({ now: Date.now() + 31 * DAY_MS, toFake: ["Date"] });
    const cell = env.LEDGER.getByName(`cell-${cellOfOrganization(id, CELLS)}`);
    for (let time = 0; time < 5; time += 1) await runDurableObjectAlarm(cell);
    const stateOf = async (exportId: unknown) => (await ask(auditor.value, "GET", `/audit_logs/exports/${String(exportId)}`)).body["state"];
    expect([await stateOf(before["id"]), await stateOf(body["id"])]).toEqual(["ready", "error"]);
  });
});

describe("the URL of an export", () => {
  const { tokenKey } = controlPlaneConfiguration(env).widgets;
  const withToken = (url: string, token: string) => {
    const changed = new URL(url);
    changed.searchParams.set("token", token);
    return changed.href;
  };

  it("is good for ten minutes, and holds no secret and nobody's credential", async () => {
    const url = await urlOf();
    const { exp = 0, iat = 0, ...claims } = decodeJwt(new URL(url).searchParams.get("token") ?? "");
    expect(exp - iat).toBe(600);
    expect(claims).toEqual({
      iss: "portcullis",
      aud: "portcullis-audit-log-exports",
      sub: expect.stringMatching(/^audit_log_export_/) as string,
      act: { type: "api_key", id: auditor.id },
    });
    expect(url).not.toContain(auditor.value);
    vi.useFakeTimers({ now: exp * 1_000 - 1, toFake: ["Date"] });
    expect(await statusOf(url)).toBe(200);
    vi.setSystemTime(exp * 1_000);
    expect(await statusOf(url)).toBe(401);
  });

  it("is good for that export alone, unchanged", async () => {
    const [mine, theirs] = [await urlOf(), await urlOf({ organization_id: await installation.organization() })];
    const token = new URL(mine).searchParams.get("token") ?? "";
    const [header = "", payload = "", signature = ""] = token.split(".");
    const unsigned = `${btoa('{"alg":"none"}').replaceAll("=", "")}.${payload}.`;
    for (const url of [
      withToken(theirs, token),
      withToken(mine, `${header}.${payload}.${signature.slice(0, -2)}AA`),
      withToken(mine, unsigned),
      withToken(mine, ""),
      withToken(mine, auditor.value),
      mine.split("?")[0] ?? "",
    ])
      expect(await statusOf(url), url).toBe(401);
    expect(await statusOf(withToken(mine, "x".repeat(5_000)))).toBe(401);
    const { status } = await ask(installation.adminKey, "GET", new URL(mine).pathname);
    expect(status).toBe(401);
  });

  it("is not to be had with a token of another kind, or by an export's token anywhere else", async () => {
    const url = await urlOf();
    const sub = new URL(url).pathname.split("/")[3] ?? "";
    const nowMs = Date.now();
    const issuedBy = { type: "api_key", id: auditor.id } as const;
    const widget = await signWidgetToken({ organizationId, userId: sub, permissions: ["*"], issuedBy }, tokenKey, { nowMs });
    expect(await statusOf(withToken(url, widget))).toBe(401);
    const otherKey = await signExportToken({ exportId: sub, issuedBy }, crypto.getRandomValues(new Uint8Array(32)), { nowMs });
    expect(await statusOf(withToken(url, otherKey))).toBe(401);
    const token = new URL(url).searchParams.get("token") ?? "";
    expect((await ask(token, "GET", "/audit_logs/entries")).status).toBe(401);
    expect((await ask(token, "GET", "/_widgets/ApiKeys/organization-api-keys")).status).toBe(403);
  });

  it("ends with the permission, and with the key, of who asked for it", async () => {
    const narrowed = await installation.key(PLATFORM_ORGANIZATION_ID, ["portcullis:audit_logs:read", "portcullis:users:read"]);
    const ended = await installation.key(PLATFORM_ORGANIZATION_ID, ["portcullis:audit_logs:read"]);
    const urls = [String((await askFor({}, narrowed.value)).body["url"]), String((await askFor({}, ended.value)).body["url"])];
    for (const url of urls) expect(await statusOf(url)).toBe(200);
    await installation.must("PATCH", `/api_keys/${narrowed.id}`, { permissions: ["portcullis:users:read"] });
    await installation.must("DELETE", `/api_keys/${ended.id}`);
    for (const url of urls) expect(await statusOf(url)).toBe(401);
  });

  it("ends with the sign-in of an admin", async () => {
    const provider = new FakeIdentityProvider();
    await provider.newKey("one");
    const controlPlane = provider.controlPlane();
    const exp = Math.floor(Date.now() / 1000) + 120;
    const { status, body } = await callWith(
      controlPlane,
      `Bearer ${await provider.token("security", { claims: { exp } })}`,
      "POST",
      "/audit_logs/exports",
      {
        organization_id: organizationId,
        range_start: "2020-01-01T00:00:00Z",
        range_end: "2030-01-01T00:00:00Z",
      },
    );
    expect(status).toBe(201);
    const url = String(body["url"]);
    expect(decodeJwt(new URL(url).searchParams.get("token") ?? "").exp).toBe(exp);
    expect(await statusOf(url)).toBe(200);
  });

  it("is not kept by anybody on the way", async () => {
    const { headers } = await fetched(await urlOf());
    expect([headers.get("cache-control"), headers.get("referrer-policy"), headers.get("x-content-type-options")]).toEqual([
      "no-store",
      "no-referrer",
      "nosniff",
    ]);
  });
});
