/** Organizations and users by external id, their metadata, previews of endings, and what an ended organization leaves behind. */
import { env } from "cloudflare:workers";
import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { beforeAll, describe, expect, it } from "vitest";
import { cellOfOrganization } from "../../core/identifier.ts";
import { callControlPlane, install, type Installation, type Json } from "./installation.ts";
import { ledgerFaults } from "./ledger-faults.ts";
import { newId } from "./ledger-commands.ts";

const CELLS = 4;
let installation: Installation;
beforeAll(async () => {
  installation = await install();
});

const fresh = () => `crm-${crypto.randomUUID()}`;
const create = (external_id: string) => installation.call("POST", "/organizations", { name: "Acme", external_id });
const idOf = ({ id }: Json) => String(id);

async function organizationIn(cell: number): Promise<string> {
  for (;;) {
    const id = await installation.organization();
    if (cellOfOrganization(id, CELLS) === cell) return id;
  }
}

describe("an external id of an organization", () => {
  it("finds the organization, and no longer when it has another one", async () => {
    const [first, second] = [fresh(), fresh()];
    const { body } = await create(first);
    expect(await installation.must("GET", `/organizations/external_id/${first}`)).toEqual(body);
    await installation.must("PUT", `/organizations/${idOf(body)}`, { external_id: second });
    expect((await installation.call("GET", `/organizations/external_id/${first}`)).status).toBe(404);
    expect(await installation.must("GET", `/organizations/external_id/${second}`)).toMatchObject({ id: body["id"] });
  });

  it("is one organization's alone, however many ask for it at once", async () => {
    const wanted = fresh();
    const answers = await Promise.all(Array.from({ length: 20 }, () => create(wanted)));
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 409)).toHaveLength(19);
    expect(answers.find(({ status }) => status === 409)?.body).toMatchObject({ code: "external_id_already_used" });
    const other = await installation.organization();
    expect((await installation.call("PUT", `/organizations/${other}`, { external_id: wanted })).status).toBe(409);
  });

  it("is not given to a second one while the first is about to take it", async () => {
    const wanted = fresh();
    const gate = Promise.withResolvers<void>();
    ledgerFaults.claimsAnswered.set(wanted, gate.promise);
    const first = create(wanted);
    const isNamed = () => env.LEDGER.getByName("cell-0").externalIdHolder(wanted);
    await expect.poll(isNamed).not.toBeNull();
    const second = create(wanted);
    // Refused at once by another cell; in the first one's own cell it waits its turn.
    await Promise.race([second, scheduler.wait(500)]);
    gate.resolve();
    expect([(await first).status, (await second).status]).toEqual([201, 409]);
  });

  it("is the same organization's when the request comes twice, even at once", async () => {
    const body = { name: "Acme", external_id: fresh() };
    const once = () => callControlPlane(installation.adminKey, "POST", "/organizations", body, { "Idempotency-Key": body.external_id });
    const [first, second] = await Promise.all([once(), once()]);
    expect(first?.status).toBe(201);
    expect(second?.body).toEqual(first?.body);
    expect((await once()).body).toEqual(first?.body);
  });

  it("is free again at once when its organization ends or gives it up", async () => {
    const wanted = fresh();
    const first = idOf((await create(wanted)).body);
    await installation.must("DELETE", `/organizations/${first}`);
    const second = await create(wanted);
    expect(second.status).toBe(201);
    await installation.must("PUT", `/organizations/${idOf(second.body)}`, { external_id: null });
    expect((await create(wanted)).status).toBe(201);
  });

  it("is not lost to a request that never came to its end", async () => {
    const wanted = fresh();
    expect(await env.LEDGER.getByName("cell-0").claimExternalId(wanted, newId("org"))).toBe(true);
    expect((await create(wanted)).status).toBe(201);
  });
});

describe("an external id of a user", () => {
  const user = (external_id: string) =>
    installation.call("POST", "/user_management/users", { email: `${crypto.randomUUID()}@example.com`, external_id });

  it("finds the user and is that user's alone", async () => {
    const wanted = fresh();
    const { body } = await user(wanted);
    expect(await installation.must("GET", `/user_management/users/external_id/${wanted}`)).toEqual(body);
    expect(await user(wanted)).toMatchObject({ status: 409, body: { code: "external_id_already_used" } });
    const other = idOf((await user(fresh())).body);
    expect((await installation.call("PUT", `/user_management/users/${other}`, { external_id: wanted })).status).toBe(409);
    await installation.must("DELETE", `/user_management/users/${idOf(body)}`);
    expect(await installation.must("PUT", `/user_management/users/${other}`, { external_id: wanted })).toMatchObject({
      external_id: wanted,
    });
  });

  it("does not let two users have one address", async () => {
    const email = `${crypto.randomUUID()}@example.com`;
    await installation.must("POST", "/user_management/users", { email });
    const other = idOf((await user(fresh())).body);
    const taken = await installation.call("PUT", `/user_management/users/${other}`, { email: email.toUpperCase() });
    expect(taken).toMatchObject({ status: 409, body: { code: "user_already_exists" } });
  });
});

describe("metadata", () => {
  const TEN = Object.fromEntries(Array.from({ length: 10 }, (_, at) => [`name ${at}`, "x"]));

  it.each(["organization", "user"] as const)("of an %s is merged, and taken away by null", async (kind) => {
    const [place, made] =
      kind === "organization"
        ? ["/organizations", { name: "Acme", metadata: { plan: "gold", region: "eu" } }]
        : ["/user_management/users", { email: `${crypto.randomUUID()}@example.com`, metadata: { plan: "gold", region: "eu" } }];
    const { id } = await installation.must("POST", place, made);
    const changed = await installation.must("PUT", `${place}/${String(id)}`, { metadata: { plan: null, seats: "5" } });
    expect(changed["metadata"]).toEqual({ region: "eu", seats: "5" });
    expect(await installation.must("GET", `${place}/${String(id)}`)).toEqual(changed);
    const tooMuch = await installation.call("PUT", `${place}/${String(id)}`, { metadata: TEN });
    expect(tooMuch).toMatchObject({ status: 422, body: { code: "too_much_metadata", errors: [{ field: "metadata" }] } });
  });

  it.each([
    ["eleven pairs", { ...TEN, more: "x" }],
    ["a name that is too long", { ["n".repeat(41)]: "x" }],
    ["a value that is too long", { name: "x".repeat(601) }],
    ["a name that is not ASCII", { größe: "x" }],
    ["an empty name", { "": "x" }],
    ["a value that is no text", { name: 5 }],
    ["null in what is new", { name: null }],
  ])("with %s is refused", async (_, metadata) => {
    expect((await installation.call("POST", "/organizations", { name: "Acme", metadata })).status).toBe(422);
  });

  it("takes as much as is allowed", async () => {
    const metadata = { ...TEN, ["n".repeat(40)]: "x".repeat(600) };
    delete (metadata as Record<string, string>)["name 0"];
    expect(await installation.must("POST", "/organizations", { name: "Acme", metadata })).toMatchObject({ metadata });
  });
});

describe("a preview", () => {
  it("shows what would end with a user, over all cells, with a membership, with a role and with an organization", async () => {
    const [here, there] = [await organizationIn(1), await organizationIn(2)];
    await installation.must("POST", "/authorization/roles", { slug: "previewed", name: "Previewed" });
    const { userId, membershipId } = await installation.member(here, "previewed");
    await installation.join(userId, there, "previewed");
    const keys = [];
    for (let n = 0; n < 7; n++)
      keys.push((await installation.userKey(userId, here, [])).id, (await installation.userKey(userId, there, [])).id);
    const own = await installation.key(here, []);
    const gone = await installation.userKey(userId, here, []);
    await installation.must("DELETE", `/api_keys/${gone.id}`);
    const preview = (path: string) => installation.must("GET", `${path}/preview`);
    const idsIn = (body: Json) => (body["api_keys"] as { first: Json[] }).first.map(idOf);
    const numbers = (memberships: number, total: number) => ({ object: "ending_preview", memberships, api_keys: { total } });

    const ofUser = await preview(`/user_management/users/${userId}`);
    expect(ofUser).toMatchObject(numbers(2, 14));
    expect(idsIn(ofUser)).toEqual(keys.toSorted().toReversed().slice(0, 10));
    expect(await preview("/authorization/roles/previewed")).toMatchObject(numbers(2, 14));
    expect(await preview(`/user_management/organization_memberships/${membershipId}`)).toMatchObject(numbers(1, 7));
    expect(await preview(`/authorization/organizations/${here}/roles/previewed`)).toMatchObject(numbers(1, 7));
    const ofOrganization = await preview(`/organizations/${here}`);
    expect(ofOrganization).toMatchObject(numbers(1, 8));
    expect(idsIn(ofOrganization)).toContain(own.id);

    await installation.must("DELETE", `/user_management/users/${userId}`);
    expect(await preview(`/organizations/${here}`)).toMatchObject(numbers(0, 1));
  });

  it("shows which keys lose something with a permission, over all cells, and how many members' roles do", async () => {
    const permission = (slug: string) => installation.must("POST", "/authorization/permissions", { slug, name: slug });
    for (const slug of ["goods:read", "goods:write", "goods:*", "goodsx:read"]) await permission(slug);
    const [here, there] = [await organizationIn(1), await organizationIn(2)];
    await installation.must("POST", "/authorization/roles", { slug: "goods", name: "Goods" });
    await installation.must("PUT", "/authorization/roles/goods/permissions", { permissions: ["goods:*"] });
    await installation.must("POST", `/authorization/organizations/${there}/roles`, { slug: "org-goods", name: "Goods" });
    await installation.must("PUT", `/authorization/organizations/${there}/roles/org-goods/permissions`, { permissions: ["goods:read"] });
    const { userId } = await installation.member(here, "goods");
    await installation.join(userId, there, "org-goods");
    const [broad, narrow, mixed] = [
      await installation.userKey(userId, here, ["goods:*"]),
      await installation.key(there, ["goods:read"]),
      await installation.key(here, ["goods:write", "goods:delete"]),
    ];
    await installation.key(there, ["goodsx:read", "orders:read"]);
    const gone = await installation.key(there, ["goods:*"]);
    await installation.must("DELETE", `/api_keys/${gone.id}`);
    const preview = async (slug: string) => {
      const { memberships, api_keys } = await installation.must("GET", `/authorization/permissions/${slug}/preview`);
      const { total, first } = api_keys as { total: number; first: Json[] };
      return [memberships, total, first.map(idOf)];
    };

    expect(await preview("goods:read")).toEqual([0, 0, []]);
    expect(await preview("goods:*")).toEqual([1, 2, [mixed.id, broad.id]]);
    await installation.must("DELETE", "/authorization/permissions/goods:*");
    expect((await installation.must("GET", `/api_keys/${mixed.id}`))["permissions"]).toEqual(["goods:write"]);
    expect(await preview("goods:read")).toEqual([1, 1, [narrow.id]]);
    for (let n = 0; n < 12; n++) await installation.key(n % 2 ? here : there, ["goods:read"]);
    const [, total, first] = await preview("goods:read");
    expect([total, (first as string[]).length]).toEqual([13, 10]);
    expect(first).toEqual((first as string[]).toSorted().toReversed());
    expect(first).not.toContain(narrow.id);
  });

  it("of what is not there is 404", async () => {
    for (const path of [
      `/organizations/${newId("org")}`,
      `/user_management/users/${newId("user")}`,
      `/user_management/organization_memberships/${newId("om")}`,
      "/authorization/roles/no-such",
      "/authorization/permissions/no:such",
      `/authorization/organizations/${newId("org")}/roles/member`,
    ])
      expect((await installation.call("GET", `${path}/preview`)).status).toBe(404);
  });
});

describe("an organization with many keys", () => {
  const KEYS = 1_100;
  const sql = <Result>(cell: number, run: (sql: SqlStorage) => Result) =>
    runInDurableObject(env.LEDGER.getByName(`cell-${cell}`), (_, { storage }) => run(storage.sql));
  const unrevoked = (storage: SqlStorage, organization: string) =>
    storage.exec("SELECT 1 FROM api_keys WHERE organization_id = ? AND revoked_seq IS NULL", organization).toArray().length;

  it("ends by one entry and one floor; its rows follow in parts", async () => {
    const organization = await organizationIn(1);
    await installation.member(organization, "member");
    const ids = Array.from({ length: KEYS }, () => newId("api_key"));
    await sql(1, (storage) => {
      for (const id of ids) {
        storage.exec(
          `INSERT INTO api_keys (id, owner_type, organization_id, name, obfuscated_value, environment, permissions, created_at_ms, updated_at_ms)
           VALUES (?, 'organization', ?, 'many', 'pc_live_...abcd', 'live', '[]', 0, 0)`,
          id,
          organization,
        );
        storage.exec("INSERT INTO tokens (token_id, key_id, sha256) VALUES (?, ?, ?)", `t${id}`, id, "a".repeat(64));
      }
    });
    const counts = (storage: SqlStorage) => ({
      entries: storage.exec("SELECT 1 FROM entries").toArray().length,
      floors: storage.exec("SELECT 1 FROM floors").toArray().length,
    });
    const before = await sql(1, counts);

    await installation.must("DELETE", `/organizations/${organization}`);

    expect(await sql(1, counts)).toEqual({ entries: before.entries + 1, floors: before.floors + 1 });
    // Whatever its own row says, a key is dead without its organization.
    const last = ids.at(-1) ?? "";
    await sql(1, (storage) => void storage.exec("UPDATE api_keys SET revoked_seq = NULL WHERE id = ?", last));
    expect(await env.LEDGER.getByName("cell-1").resolve(`t${last}`)).toMatchObject({ record: { state: "revoked" } });
    expect(await env.LEDGER.getByName("cell-1").apiKey(last)).toBeNull();
    await sql(1, (storage) => void storage.exec("UPDATE api_keys SET revoked_seq = 0 WHERE id = ?", last));
    for (let turn = 0; turn < 4; turn++) await runDurableObjectAlarm(env.LEDGER.getByName("cell-1"));
    expect(await sql(1, (storage) => unrevoked(storage, organization))).toBe(0);
    expect(await sql(1, (storage) => storage.exec("SELECT 1 FROM ended_organizations").toArray().length)).toBe(0);
    expect(
      await sql(1, (storage) => storage.exec("SELECT 1 FROM memberships WHERE organization_id = ?", organization).toArray().length),
    ).toBe(0);
  });
});
