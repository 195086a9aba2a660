/**
 * Ids of another kind, of another tenant, of another cell, and nonsense: in every parameter of every endpoint, from the declarations.
 * Never a failure, never a success by accident, never what belongs to somebody else. (Every answer is as published, too: the test
 * Worker sees to that.)
 */
import { beforeAll, describe, expect, it } from "vitest";
import type { Endpoint } from "../../control-plane/http/endpoint.ts";
import { PATH_PARAMETERS, parameterNames, type ParameterName } from "../../control-plane/http/path-parameters.ts";
import { ENDPOINTS, SECTIONS } from "../../control-plane/http/sections.ts";
import { openApiDocument, type Operation } from "../../control-plane/reference/openapi.ts";
import { isServedScope, SERVED_SCOPES } from "../../core/widget.ts";
import { sampleOf } from "../sample.ts";
import { ask, changingNothing } from "./control-plane-client.ts";
import { nameOf, pathOf } from "./every-endpoint.ts";
import { install, type Answer, type Installation, type Json } from "./installation.ts";

/** Stands in everything the other tenant has. */
const MARK = `theirs-${crypto.randomUUID()}`;
const ULID = "01ARZ3NDEKTSV4RRFFQ69G5FAV";

const NONSENSE = [
  "",
  " ",
  "0",
  "-1",
  "01",
  "1e0",
  "0x0",
  "99",
  "99999999999999999999",
  "null",
  "undefined",
  "__proto__",
  "constructor",
  "*",
  "portcullis:*",
  "' OR '1'='1",
  "\u0000",
  "a\r\nX-Injected: 1",
  "../../ledger/0/verify",
  "\ud83d\ude00",
  "\u0660",
  `org_${ULID.toLowerCase()}`,
  `org_${ULID}0`,
  `api_key_${"Z".repeat(26)}`,
  "99-1",
  "0-99999999999999999999",
  "x".repeat(5_000),
];
/** Segments that are no encoding of any text. */
const BROKEN_SEGMENTS = ["%", "%FF", "%C0%AF", "%2e%2e%2f"];
/** Values of members of a body besides those. */
const BROKEN_MEMBERS: readonly unknown[] = [null, true, 0, -1, 1.5, 1e308, [], [null], [[]], {}, { constructor: 1 }, ["x".repeat(5_000)]];

type Ids = Partial<Record<ParameterName, string>>;

let installation: Installation;
let mine: Ids = {};
/** Ids of the other tenant, and of mine in another cell. */
let foreign: readonly string[] = [];
/** Of a member of mine who may do there what widgets do. */
let widgetToken = "";

beforeAll(async () => {
  installation = await install();
  mine = await tenant("mine");
  const theirs = await tenant(MARK);
  widgetToken = await widgetTokenOf(mine);
  foreign = [...Object.values(theirs), ...Object.values(mine).map(inAnotherCell)];
});

async function tenant(name: string): Promise<Ids> {
  const organization = await installation.must("POST", "/organizations", { name });
  const organization_id = String(organization["id"]);
  const user = await installation.must("POST", "/user_management/users", { email: `${name}@example.com`, first_name: name });
  const user_id = String(user["id"]);
  const organization_membership_id = await installation.join(user_id, organization_id, "viewer");
  const { id: api_key_id } = await installation.key(organization_id, ["orders:read"], { name });
  await installation.must("POST", `/user_management/users/${user_id}/api_keys`, { name, organization_id, permissions: [] });
  const request = await installation.must("POST", `/organizations/${organization_id}/api_key_requests`, { name, reason: name });
  return { organization_id, user_id, organization_membership_id, api_key_id, api_key_request_id: String(request["id"]) };
}

async function widgetTokenOf({ organization_id, user_id, organization_membership_id }: Ids): Promise<string> {
  const scopes = Object.values(SERVED_SCOPES);
  for (const slug of scopes) await installation.must("POST", "/authorization/permissions", { slug, name: slug });
  await installation.must("POST", "/authorization/roles", { slug: "manager", name: "Manager" });
  await installation.must("PUT", "/authorization/roles/manager/permissions", { permissions: [...scopes, "orders:read"] });
  const membership = `/user_management/organization_memberships/${String(organization_membership_id)}`;
  await installation.must("PUT", membership, { role_slug: "manager" });
  return String((await installation.must("POST", "/widgets/token", { organization_id, user_id, scopes }))["token"]);
}

/** The same id but for the character that names its cell. */
function inAnotherCell(id: string): string {
  const at = id.length - 16;
  return id.slice(0, at) + (id.charAt(at) === "1" ? "2" : "1") + id.slice(at + 1);
}

const DOCUMENT = openApiDocument(SECTIONS);
const operationOf = ({ method, path }: Endpoint): Operation | undefined =>
  DOCUMENT.paths[path.replaceAll(/:(\w+)/g, "{$1}")]?.[method.toLowerCase()];
const bodySchemaOf = (endpoint: Endpoint) => operationOf(endpoint)?.requestBody?.content["application/json"]?.schema;
const sampleBody = (endpoint: Endpoint): Json => {
  const schema = bodySchemaOf(endpoint);
  return schema ? (sampleOf(schema as Parameters<typeof sampleOf>[0]) as Json) : {};
};
const send = (endpoint: Endpoint, path: string, json: Json = sampleBody(endpoint)): Promise<Answer> =>
  ask(
    isServedScope(endpoint.access) ? widgetToken : installation.adminKey,
    endpoint.method,
    path,
    endpoint.method === "GET" ? {} : { json, headers: { Prefer: "respond-async" } },
  );
const isAboutMine = (endpoint: Endpoint) =>
  isServedScope(endpoint.access) || parameterNames(endpoint.path).some((name) => mine[name] !== undefined);
const guarded = ENDPOINTS.filter(({ access }) => access !== "public" && access !== "bootstrap_secret" && access !== "signed_url");
const named = (endpoints: readonly Endpoint[]) => endpoints.map((endpoint) => [nameOf(endpoint), endpoint] as const);

function expectNothingOfTheirs({ body }: Answer, what: string): void {
  expect(JSON.stringify(body).includes(MARK), `${what}: what is theirs was let out`).toBe(false);
}

describe.each(named(guarded.filter(({ path }) => path.includes("/:"))))("a path parameter of %s", (_, endpoint) => {
  it.each(parameterNames(endpoint.path))("%s names nothing else", async (name) => {
    const otherKinds = Object.entries(mine).flatMap(([kind, id]) => (kind === name ? [] : [id]));
    const nonsense = name === "cell" ? NONSENSE.filter((value) => value !== "0") : NONSENSE;
    // A new action is made under whatever name an action can have.
    const isNone = (text: string) => name !== "audit_log_action" || PATH_PARAMETERS.audit_log_action.parse(text) === undefined;
    const texts = [...nonsense, ...otherKinds, ...Object.values(mine).map(inAnotherCell)].filter(isNone);
    const segments = [...texts.map(encodeURIComponent), ...BROKEN_SEGMENTS];
    const PLACE = "PLACE";
    const template = pathOf(endpoint, { ...mine, [name]: PLACE });
    const ask404 = async (segment: string) => {
      const answer = await send(endpoint, template.replace(PLACE, segment));
      expect(answer.status, `${template} with ${segment.slice(0, 60)}`).toBe(404);
      expectNothingOfTheirs(answer, segment);
    };
    await changingNothing(() => Promise.all(segments.map(ask404)));
  });
});

describe.each(named(guarded.filter(({ query }) => query)))("a query parameter of %s", (_, endpoint) => {
  const names = Object.keys(endpoint.query?.shape ?? {});
  it.each(names)("%s brings nothing to light", async (name) => {
    const askWith = async (value: string) => {
      const query = new URLSearchParams([[name, value]]);
      const answer = await send(endpoint, `${pathOf(endpoint, mine)}?${query.toString()}`);
      expect(answer.status, `${name}=${value.slice(0, 60)}`).toBeLessThan(500);
      if (isAboutMine(endpoint)) expectNothingOfTheirs(answer, `${name}=${value}`);
    };
    await Promise.all([...NONSENSE, ...Object.values(mine), ...foreign].map(askWith));
  });
});

describe.each(named(guarded.filter((endpoint) => bodySchemaOf(endpoint))))("a member of the body of %s", (_, endpoint) => {
  const members = Object.keys(bodySchemaOf(endpoint)?.properties ?? {});
  it.each(members)("%s breaks nothing", async (member) => {
    const askWith = async (value: unknown) => {
      const answer = await send(endpoint, pathOf(endpoint, mine), { ...sampleBody(endpoint), [member]: value });
      expect(answer.status, `${member}: ${JSON.stringify(value).slice(0, 60)}`).toBeLessThan(500);
      if (isAboutMine(endpoint)) expectNothingOfTheirs(answer, `${member}: ${JSON.stringify(value)}`);
    };
    await Promise.all([...NONSENSE, ...BROKEN_MEMBERS, ...Object.values(mine), ...foreign].map(askWith));
  });
});
