/** Hostile input to the control plane: bodies that are no JSON object, fields beyond their bounds. Refused clearly, changing nothing. */
import { beforeAll, describe, expect, it } from "vitest";
import { ask, changingNothing, faultyFields, type Sent } from "./control-plane-client.ts";
import { install, type Installation, type Json } from "./installation.ts";

const JSON_TYPE = { "Content-Type": "application/json" };
const DAY_MS = 24 * 60 * 60 * 1000;
/** Room enough for a clear answer; an error must not be a multiple of what was sent. */
const ERROR_BYTES_MAX = 64 * 1024;

let installation: Installation;
let organizationId = "";
beforeAll(async () => {
  installation = await install();
  organizationId = await installation.organization();
});

const newOrganization = async (sent: Sent) => ask(installation.adminKey, "POST", "/organizations", sent);
const newKey = async (fields: Json) =>
  ask(installation.adminKey, "POST", `/organizations/${organizationId}/api_keys`, { json: { name: "CI", ...fields } });
const raw = (body: BodyInit, headers: Readonly<Record<string, string>> = JSON_TYPE): Sent => ({ body, headers });
const fromNow = (ms: number) => new Date(Date.now() + ms).toISOString();

describe("a body", () => {
  const megabyte = JSON.stringify({ name: "x".repeat(1024 * 1024) });
  const inPieces = () => new Blob([megabyte]).stream();
  const nested = (depth: number) => `{"name":"Deep","more":${"[".repeat(depth)}${"]".repeat(depth)}}`;

  it.each<[string, number, () => Sent]>([
    ["of one megabyte", 413, () => raw(megabyte)],
    ["of one megabyte that does not announce its length", 413, () => raw(inPieces())],
    ["of one megabyte of another type", 413, () => raw(megabyte, { "Content-Type": "text/plain" })],
    ["nested one level too deep", 400, () => raw(nested(32))],
    ["nested a hundred thousand levels deep", 400, () => raw(nested(100_000))],
    ["of opening brackets alone", 400, () => raw("[".repeat(100_000))],
    ["that is no JSON", 400, () => raw("{name: 'Acme'}")],
    ["that breaks off", 400, () => raw('{"name": "Acme"')],
    ["with something after its end", 400, () => raw('{"name": "Acme"} {}')],
    ["with NaN in it", 400, () => raw('{"name": NaN}')],
    ["that is not UTF-8", 400, () => raw(new Uint8Array([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d]))],
    ["with an overlong UTF-8 sequence", 400, () => raw(new Uint8Array([0x22, 0xc0, 0xaf, 0x22]))],
    ["in UTF-16", 400, () => raw(new Uint8Array(new Uint16Array([...'{"name":"A"}'].map((each) => each.charCodeAt(0))).buffer))],
    ["that is an array", 422, () => ({ json: [{ name: "Acme" }] })],
    ["that is null", 422, () => raw("null")],
    ["that is a string", 422, () => ({ json: "Acme" })],
    ["that is a number", 422, () => ({ json: 1 })],
    ["that is true", 422, () => ({ json: true })],
    ["that is empty although a name is needed", 422, () => raw("")],
    ["as text", 415, () => raw('{"name":"Acme"}', { "Content-Type": "text/plain" })],
    ["as a form", 415, () => raw("name=Acme", { "Content-Type": "application/x-www-form-urlencoded" })],
    ["as multipart", 415, () => raw('{"name":"Acme"}', { "Content-Type": "multipart/form-data; boundary=x" })],
    ["of a type that only begins like JSON", 415, () => raw('{"name":"Acme"}', { "Content-Type": "application/jsonx" })],
    ["of two types", 415, () => raw('{"name":"Acme"}', { "Content-Type": "text/plain, application/json" })],
    ["of no type", 415, () => raw(new TextEncoder().encode('{"name":"Acme"}'), {})],
  ])("%s is %i and changes nothing", async (_, status, sent) => {
    expect((await changingNothing(() => newOrganization(sent()))).status).toBe(status);
  });

  it.each<[string, Sent]>([
    ["of exactly the depth allowed", raw(nested(31))],
    ["with brackets inside a text", raw(`{"name":"Deep","more":"\\"${"[{".repeat(100)}"}`)],
    ["with a byte order mark", raw('\ufeff{"name":"Acme"}')],
    ["whose type names a charset", raw('{"name":"Acme"}', { "Content-Type": "Application/JSON; charset=utf-8" })],
  ])("%s is taken", async (_, sent) => {
    expect((await newOrganization(sent)).status).toBe(201);
  });

  it("with a wrong credential is 401 whatever it holds", async () => {
    expect((await changingNothing(() => ask("nobody", "POST", "/organizations", raw("[")))).status).toBe(401);
  });

  it("brings nothing in through names that mean something to JavaScript", async () => {
    const hidden = '{"permissions":["orders:read"],"expires_at":"2999-01-01T00:00:00Z","environment":"test"}';
    const body = `{"name":"Plain","__proto__":${hidden},"constructor":{"prototype":${hidden}},"toString":1,"hasOwnProperty":null}`;
    const made = await ask(installation.adminKey, "POST", `/organizations/${organizationId}/api_keys`, raw(body));
    expect(made).toMatchObject({ status: 201, body: { permissions: [], expires_at: null, environment: "live" } });
    expect(Object.prototype).not.toHaveProperty("permissions");
    const nameless = await changingNothing(() => newOrganization(raw('{"__proto__":{"name":"Sneaky"}}')));
    expect([nameless.status, faultyFields(nameless)]).toEqual([422, ["name"]]);
  });

  it.each<[string, string, string, () => Json]>([
    [
      "permissions",
      "POST",
      "/organizations/org_platform/api_keys",
      () => ({ name: "CI", permissions: Array.from({ length: 60_000 }, () => 1) }),
    ],
    ["routes", "PUT", "/routes", () => ({ routes: Array.from({ length: 60_000 }, () => ({})) })],
    ["a route's methods", "PUT", "/routes", () => ({ routes: [{ methods: Array.from({ length: 60_000 }, () => 1) }] })],
  ])("with sixty thousand faults is answered with a short list of them: in %s", async (_, method, path, json) => {
    const answer = await changingNothing(() => ask(installation.adminKey, method, path, { json: json() }));
    expect(answer.status).toBe(422);
    expect(JSON.stringify(answer.body).length).toBeLessThan(ERROR_BYTES_MAX);
  });
});

describe("a new key's field at fault is named, and no key is made", () => {
  const names: [string, unknown][] = [
    ["an empty name", ""],
    ["a name of blanks", " \t\u00a0\u2003 "],
    ["a name that cannot be seen", "\u200b\u2060\u00ad\u0301"],
    ["a name with half a surrogate pair in it", "half \ud83d"],
    ["a name of 256 characters", "n".repeat(256)],
    ["a name with a line break in it", "one\ntwo"],
    ["a name with NUL in it", "one\u0000two"],
    ["a name with an escape sequence in it", "one\u001b[31mtwo"],
    ["a name with DEL in it", "one\u007ftwo"],
    ["a name with a C1 control character in it", "one\u009btwo"],
    ["a name that is a number", 7],
    ["a name that is null", null],
    ["a name that is a list", ["CI"]],
  ];
  const ends: [string, unknown][] = [
    ["an end long past", "1999-12-31T23:59:59Z"],
    ["an end a second ago", fromNow(-1000)],
    ["an end this very moment", fromNow(0)],
    ["an end in the past by its zone", fromNow(60 * 60 * 1000).replace("Z", "+02:00")],
    ["an end without a zone", "2999-01-01T00:00:00"],
    ["an end that is a day only", "2999-01-01"],
    ["an end on February 30", "2999-02-30T00:00:00Z"],
    ["an end at hour 25", "2999-01-01T25:00:00Z"],
    ["an end in a leap second", "2999-06-30T23:59:60Z"],
    ["an end in the year 10000", "+010000-01-01T00:00:00Z"],
    ["an end in the year 10000 by its zone", "9999-12-31T23:59:59-23:00"],
    ["an end that is no date", "tomorrow"],
    ["an end that is empty", ""],
    ["an end in milliseconds", Date.now() + DAY_MS],
    ["an end that is an object", { seconds: 1 }],
  ];
  const permissions: [string, unknown][] = [
    ["unknown permissions", ["orders:read", "no:such"]],
    ["the wildcard for all", ["*"]],
    ["a wildcard beyond the catalogue", ["orders:*"]],
    ["a permission named __proto__", ["__proto__"]],
    ["ten thousand permissions", Array.from({ length: 10_000 }, () => "orders:read")],
    ["permissions as one text", "orders:read"],
    ["permissions as an object", { 0: "orders:read", length: 1 }],
    ["permissions null", null],
  ];

  it.each([
    ...names.map(([what, value]) => [what, "name", value] as const),
    ...ends.map(([what, value]) => [what, "expires_at", value] as const),
    ...permissions.map(([what, value]) => [what, "permissions", value] as const),
    ["a permission in capitals", "permissions.0", ["ORDERS:READ"]] as const,
    ["a permission with a blank at its end", "permissions.0", ["orders:read "]] as const,
    ["a permission that looks the same", "permissions.0", ["orders:re\u0430d"]] as const,
    ["a permission that is empty", "permissions.0", [""]] as const,
    ["a permission that would be two in a header", "permissions.0", ["orders:x admin:all"]] as const,
    ["a permission with a line break in it", "permissions.0", ["orders:x\r\nX: 1"]] as const,
    ["permissions with a number among them", "permissions.1", ["orders:read", 1]] as const,
    ["permissions with a list among them", "permissions.0", [["orders:read"]]] as const,
    ["an environment nobody knows", "environment", "prod"] as const,
  ])("%s (%s)", async (_, field, value) => {
    const answer = await changingNothing(() => newKey({ [field.split(".")[0] ?? field]: value }));
    expect([answer.status, faultyFields(answer)]).toEqual([422, [field]]);
  });
});

describe("a new key may have", () => {
  it("the name of another key: names are for people", async () => {
    const [one, two] = [await newKey({ name: "Twin" }), await newKey({ name: "Twin" })];
    expect([one.status, two.status]).toEqual([201, 201]);
    expect(one.body["id"]).not.toBe(two.body["id"]);
  });

  it("a name in any script, without the blanks around it", async () => {
    expect((await newKey({ name: "  Schlüssel 钥匙 🗝️ \n" })).body["name"]).toBe("Schlüssel 钥匙 🗝️");
    expect((await newKey({ name: "n".repeat(255) })).status).toBe(201);
  });

  it("a reason of 500 characters, as whatever else takes one", async () => {
    const reason = "r".repeat(500);
    const key = await newKey({ reason });
    expect(key.status).toBe(201);
    const calls: [string, string][] = [
      ["POST", `/api_keys/${String(key.body["id"])}/disable`],
      ["DELETE", `/api_keys/${String(key.body["id"])}`],
      ["POST", `/organizations/${await installation.organization()}/suspend`],
    ];
    for (const [method, path] of calls) {
      const refused = await changingNothing(() => ask(installation.adminKey, method, path, { json: { reason: `${reason}r` } }));
      expect([refused.status, faultyFields(refused)]).toEqual([422, ["reason"]]);
      expect((await ask(installation.adminKey, method, path, { json: { reason } })).status).toBeLessThan(300);
    }
  });

  it("a permission twice, and holds it once", async () => {
    expect((await newKey({ permissions: ["orders:read", "orders:read"] })).body["permissions"]).toEqual(["orders:read"]);
  });

  it.each([
    ["in 300 years", fromNow(300 * 365 * DAY_MS), undefined],
    ["in the last year there is", "9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z"],
    ["given in another zone", "2999-01-01T01:00:00+01:00", "2999-01-01T00:00:00.000Z"],
    ["that is none", null, null],
  ])("an end %s", async (_, expires_at, kept) => {
    const made = await newKey({ expires_at });
    expect([made.status, made.body["expires_at"]]).toEqual([201, kept === undefined ? expires_at : kept]);
  });
});

describe("an external id", () => {
  it.each(["", "a\u0000b", "a\nb", "half \ud83d", "x".repeat(256)])("is not %j", async (external_id) => {
    for (const [path, more] of [
      ["/organizations", { name: "A" }],
      ["/user_management/users", { email: "external@example.com" }],
    ] as const) {
      const refused = await changingNothing(() => ask(installation.adminKey, "POST", path, { json: { ...more, external_id } }));
      expect([refused.status, faultyFields(refused)]).toEqual([422, ["external_id"]]);
    }
  });
});

describe("what must be unique", () => {
  it.each([
    ["a permission's slug", "/authorization/permissions", { slug: "twice:read", name: "Twice" }, "permission_slug_conflict"],
    ["a role's slug", "/authorization/roles", { slug: "twice", name: "Twice" }, "role_slug_conflict"],
    ["an organization's external_id", "/organizations", { name: "A", external_id: "7" }, "external_id_already_used"],
    ["a user's e-mail address", "/user_management/users", { email: "twice@example.com" }, "user_already_exists"],
  ])("%s is taken once; the second time is 409", async (_, path, json, code) => {
    expect((await ask(installation.adminKey, "POST", path, { json })).status).toBe(201);
    const again = await changingNothing(() => ask(installation.adminKey, "POST", path, { json }));
    expect(again).toMatchObject({ status: 409, body: { code } });
  });

  it("an e-mail address is the same in capitals", async () => {
    await installation.must("POST", "/user_management/users", { email: "capitals@example.com" });
    const again = await ask(installation.adminKey, "POST", "/user_management/users", { json: { email: "CAPITALS@Example.com" } });
    expect(again.status).toBe(409);
  });

  it("a membership is taken once", async () => {
    const { userId } = await installation.member(organizationId, "member");
    const json = { user_id: userId, organization_id: organizationId, role_slug: "viewer" };
    const again = await changingNothing(() => ask(installation.adminKey, "POST", "/user_management/organization_memberships", { json }));
    expect(again).toMatchObject({ status: 409, body: { code: "organization_membership_already_exists" } });
  });
});
