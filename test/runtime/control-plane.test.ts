/** The control plane's front door: the first key, what is no endpoint, Idempotency-Key, and what is never let out. */
import { env } from "cloudflare:workers";
import { runInDurableObject } from "cloudflare:test";
import { afterEach, beforeEach, describe, expect, it, vi, type Mock } from "vitest";
import { ask, changingNothing, expectNoSecret, keepSecret } from "./control-plane-client.ts";
import { everyRow } from "./stored.ts";

const BOOTSTRAP_ONCE = { headers: { "Idempotency-Key": "first" } };
const bootstrap = async (secret: string | null, sent = {}) => ask(secret, "POST", "/bootstrap", sent);
/** Storage is per file, so every test that needs the administrator repeats the one bootstrap there can be. */
const admin = async () => String((await bootstrap(env.BOOTSTRAP_SECRET, BOOTSTRAP_ONCE)).body["value"]);

let written: Mock[] = [];
beforeEach(() => {
  written = (["log", "info", "warn", "error", "debug"] as const).map((level) => vi.spyOn(console, level).mockImplementation(() => {}));
});
afterEach(() => {
  expectNoSecret(logged());
  vi.restoreAllMocks();
});
const logged = () => written.flatMap((spy) => spy.mock.calls.map((line) => line.map(String).join(" "))).join("\n");

describe("before the first key exists", () => {
  it.each([
    ["no credential", null],
    ["another secret", "x".repeat(env.BOOTSTRAP_SECRET.length)],
    ["the secret without its last character", env.BOOTSTRAP_SECRET.slice(0, -1)],
    ["the secret with a character more", `${env.BOOTSTRAP_SECRET}x`],
    ["the secret twice", `${env.BOOTSTRAP_SECRET}${env.BOOTSTRAP_SECRET}`],
    ["the secret in capitals", env.BOOTSTRAP_SECRET.toUpperCase()],
  ])("bootstrap with %s is 401", async (_, secret) => {
    const answer = await changingNothing(() => bootstrap(secret));
    expect(answer).toMatchObject({ status: 401, body: { code: "unauthorized" } });
    expect(answer.headers.get("www-authenticate")).toMatch(/^Bearer/);
  });

  it("the bootstrap secret opens nothing else", async () => {
    expect((await changingNothing(() => ask(env.BOOTSTRAP_SECRET, "GET", "/organizations"))).status).toBe(401);
  });
});

describe("bootstrap", () => {
  it("makes one key that may do everything, and answers a repeat with the same one", async () => {
    const first = await bootstrap(env.BOOTSTRAP_SECRET, BOOTSTRAP_ONCE);
    expect(first).toMatchObject({ status: 201, body: { object: "api_key", owner: { type: "organization", id: "org_platform" } } });
    const again = await changingNothing(() => bootstrap(env.BOOTSTRAP_SECRET, BOOTSTRAP_ONCE));
    expect(again.body).toEqual(first.body);
  });

  it.each([
    ["without an Idempotency-Key", {}, { status: 422, body: { errors: [{ field: "Idempotency-Key" }] } }],
    ["with another Idempotency-Key", { headers: { "Idempotency-Key": "second" } }, { status: 409, body: { code: "already_bootstrapped" } }],
  ])("is refused %s ever after", async (_, sent, expected) => {
    await admin();
    const answer = await changingNothing(() => bootstrap(env.BOOTSTRAP_SECRET, sent));
    expect(answer).toMatchObject(expected);
    expect(answer.body).not.toHaveProperty("value");
  });

  it("is still 401 for a wrong secret, whatever Idempotency-Key it comes with", async () => {
    await admin();
    expect((await bootstrap("wrong", BOOTSTRAP_ONCE)).status).toBe(401);
  });
});

describe("what is no endpoint", () => {
  it.each([
    ["GET", "/"],
    ["GET", "/nowhere"],
    ["GET", "/organizations/org_platform/api_keys/extra"],
    ["GET", "/api_keys/validations/extra"],
    ["GET", "//organizations"],
    ["GET", "/%00"],
    ["GET", "/%E0%A4%A"],
    ["GET", "/__proto__"],
    ["GET", "/bootstrap"],
    ["GET", "/api_keys"],
    ["DELETE", "/organizations"],
    ["PUT", "/organizations"],
    ["POST", "/routes"],
    ["POST", "/ledger/0/entries"],
    ["PATCH", "/authorization/roles"],
    ["OPTIONS", "/organizations"],
  ])("%s %s is 404 in JSON", async (method, path) => {
    const token = await admin();
    expect(await changingNothing(() => ask(token, method, path))).toMatchObject({ status: 404, body: { code: "not_found" } });
  });
});

describe("an id nobody has", () => {
  const ULID = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
  it.each([
    ["GET", `/api_keys/api_key_${ULID}`],
    ["GET", "/api_keys/api_key_"],
    ["GET", "/api_keys/%F0%9F%98%80"],
    ["GET", "/api_keys/%27%20OR%201%3D1--"],
    ["GET", `/api_keys/api_key_0000000000Z${"0".repeat(15)}`],
    ["PATCH", `/api_keys/api_key_${ULID}`],
    ["POST", `/api_keys/api_key_${ULID}/expire`],
    ["DELETE", `/api_keys/api_key_${ULID}`],
    ["GET", `/organizations/org_${ULID}`],
    ["GET", "/organizations/%F0%9F%98%80"],
    ["GET", `/organizations/${"x".repeat(10_000)}`],
    ["GET", `/organizations/org_${ULID}/api_keys`],
    ["GET", `/user_management/users/user_${ULID}`],
    ["GET", "/user_management/users/%ff%fe"],
    ["GET", `/user_management/users/user_${ULID}/api_keys`],
    ["GET", `/user_management/organization_memberships/om_${ULID}`],
    ["DELETE", `/user_management/organization_memberships/om_${ULID}`],
    ["GET", "/authorization/permissions/__proto__"],
    ["GET", "/authorization/permissions/constructor"],
    ["DELETE", "/authorization/permissions/no:such"],
    ["GET", "/authorization/roles/__proto__"],
    ["GET", "/ledger/4/verify"],
    ["GET", "/ledger/-1/entries"],
    ["GET", "/ledger/0x0/verify"],
  ])("%s %.80s is 404", async (method, path) => {
    const token = await admin();
    expect(await changingNothing(() => ask(token, method, path))).toMatchObject({ status: 404, body: { code: "entity_not_found" } });
  });
});

describe("an Idempotency-Key", () => {
  it.each([
    ["is empty", ""],
    ["is longer than 255 characters", "k".repeat(256)],
    ["is 10 kB long", "k".repeat(10_000)],
    ["holds a blank", "two words"],
    ["is not ASCII", "cl\u00e9"],
  ])("that %s is refused", async (_, key) => {
    const token = await admin();
    const sent = { json: { name: "Acme" }, headers: { "Idempotency-Key": key } };
    const answer = await changingNothing(() => ask(token, "POST", "/organizations", sent));
    expect(answer).toMatchObject({ status: 422, body: { errors: [{ field: "Idempotency-Key" }] } });
  });

  it("of 255 characters makes one organization however often it is sent", async () => {
    const token = await admin();
    const sent = { json: { name: "Once" }, headers: { "Idempotency-Key": "~".repeat(255) } };
    const first = await ask(token, "POST", "/organizations", sent);
    expect(first.status).toBe(201);
    expect((await changingNothing(() => ask(token, "POST", "/organizations", sent))).body).toEqual(first.body);
  });

  it("answers a repeated creation with the very same token, and another request with a refusal", async () => {
    const token = await admin();
    const headers = { "Idempotency-Key": "make-one" };
    const first = await ask(token, "POST", "/organizations/org_platform/api_keys", { json: { name: "A" }, headers });
    const again = await changingNothing(() => ask(token, "POST", "/organizations/org_platform/api_keys", { json: { name: "A" }, headers }));
    expect(again.body).toEqual(first.body);
    const other = await ask(token, "POST", "/organizations/org_platform/api_keys", { json: { name: "B" }, headers });
    expect(other).toMatchObject({ status: 422, body: { code: "idempotency_key_reused" } });
  });

  it("of one caller means nothing when another caller sends it", async () => {
    const token = await admin();
    const headers = { "Idempotency-Key": "shared" };
    const permissions = ["portcullis:api_keys:write"];
    const second = await ask(token, "POST", "/organizations/org_platform/api_keys", { json: { name: "Second", permissions } });
    const mine = await ask(token, "POST", "/organizations/org_platform/api_keys", { json: { name: "A" }, headers });
    const theirs = await ask(String(second.body["value"]), "POST", "/organizations/org_platform/api_keys", {
      json: { name: "A" },
      headers,
    });
    expect(theirs.status).toBe(201);
    expect(theirs.body["value"]).not.toBe(mine.body["value"]);
  });
});

describe("a token", () => {
  it("is in the answer that creates its key and nowhere else: not in a log line, a listing, an entry or a table", async () => {
    const token = await admin();
    const sent = { json: { name: "Secret" }, headers: { "Idempotency-Key": "sealed" } };
    const made = await ask(token, "POST", "/organizations/org_platform/api_keys", sent);
    await ask(token, "POST", "/api_keys/validations", { json: { value: made.body["value"] } });
    for (const path of ["/organizations/org_platform/api_keys", `/api_keys/${String(made.body["id"])}`])
      expectNoSecret(JSON.stringify((await ask(token, "GET", path)).body));
    for (const cell of [0, 1, 2, 3]) {
      expectNoSecret(JSON.stringify((await ask(token, "GET", `/ledger/${cell}/entries`)).body));
      expectNoSecret(await everythingStored(cell));
    }
    expect(logged()).toContain("control_plane_request");
  });

  it("that someone sends in the wrong place is not logged either", async () => {
    const token = await admin();
    keepSecret("pc_live_not-a-token-but-treated-as-one");
    const stray = "pc_live_not-a-token-but-treated-as-one";
    await ask(token, "POST", "/organizations", { json: { name: "Acme", external_id: stray }, headers: { "Idempotency-Key": stray } });
    await ask(token, "GET", `/organizations?after=${stray}`);
    await ask(stray, "GET", "/organizations");
  });

  it.each([
    ["GET", "/api_keys/TOKEN"],
    ["DELETE", "/api_keys/TOKEN"],
    ["GET", "/organizations/TOKEN"],
    ["POST", "/organizations/TOKEN/api_keys"],
    ["GET", "/user_management/users/TOKEN"],
  ])("that someone gives in place of an id is not repeated in the answer: %s %s", async (method, path) => {
    const token = await admin();
    const sent = method === "POST" ? { json: { name: "Lost" } } : {};
    expect((await ask(token, method, path.replace("TOKEN", token), sent)).status).toBe(404);
  });
});

async function everythingStored(cell: number): Promise<string> {
  return runInDurableObject(env.LEDGER.getByName(`cell-${cell}`), (_, { storage }) => JSON.stringify(everyRow(storage.sql)));
}
