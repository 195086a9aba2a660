/** What is refused is on record, cannot flood it, changes nothing; and no secret is in anything that is stored, sent or logged. */
import { env, exports } from "cloudflare:workers";
import { runInDurableObject } from "cloudflare:test";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { sha256Hex } from "../../core/digest.ts";
import { PLATFORM_ORGANIZATION_ID } from "../../core/identifier.ts";
import { floorsSince } from "../../control-plane/ledger/floors.ts";
import { ask, changingNothing } from "./control-plane-client.ts";
import { install, unissuedToken, type Installation, type IssuedKey, type Json } from "./installation.ts";
import { newId } from "./ledger-commands.ts";
import { drainOutbox } from "./outbox.ts";

const ULID = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
const CELLS = [0, 1, 2, 3];
const MINUTE_MS = 60_000;
/** As in wrangler.toml. */
const REPLY_SEAL_KEY = "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBA";
/** As the docs say. */
const RECORDED_AT_ONCE = 20;
const RECORDED_AT_ONCE_OF_ORGANIZATION = 200;

let installation: Installation;
const logged: string[] = [];
beforeAll(async () => {
  vi.spyOn(console, "log").mockImplementation((...parts: unknown[]) => void logged.push(parts.map(String).join(" ")));
  installation = await install();
});
afterEach(() => {
  vi.useRealTimers();
});

const platformKey = (...permissions: readonly string[]) => installation.key(PLATFORM_ORGANIZATION_ID, permissions);
const denialsOf = async (actorId: string, limit = 100) =>
  (await installation.must("GET", `/audit_logs/denials?actor_id=${actorId}&limit=${limit}`))["data"] as Json[];

async function allFloors(): Promise<unknown> {
  return Promise.all(
    CELLS.map((cell) => runInDurableObject(env.LEDGER.getByName(`cell-${cell}`), (_, state) => floorsSince(state.storage.sql, null))),
  );
}

describe("a refusal", () => {
  it("at the door is recorded: who, what, why, and nothing of what was sent", async () => {
    const weak = await platformKey("portcullis:users:read");
    const before = await allFloors();
    const sent = { name: "Canary name", permissions: ["canary:permission"] };
    const answer = await changingNothing(() => ask(weak.value, "PATCH", `/api_keys/api_key_${ULID}`, { json: sent }));
    expect(answer.status).toBe(403);
    expect(await allFloors()).toEqual(before);
    const denials = await denialsOf(weak.id);
    expect(denials).toMatchObject([
      {
        object: "audit_log_denial",
        actor: { type: "api_key", id: weak.id },
        type: "request.denied",
        subject: `api_key_${ULID}`,
        organizations: [PLATFORM_ORGANIZATION_ID],
        payload: {
          operation: "updateApiKey",
          code: "insufficient_permissions",
          missing_permissions: ["portcullis:api_keys:write"],
          targets: [`api_key_${ULID}`],
          request_id: answer.headers.get("x-request-id"),
          unrecorded_before: 0,
        },
      },
    ]);
    expect(JSON.stringify(denials)).not.toMatch(/canary/i);
  });

  it("of a command is recorded with the code that was answered", async () => {
    const key = await platformKey("portcullis:api_keys:write", "portcullis:permissions:write");
    const organizationId = await installation.organization();
    const asked = { name: "x", permissions: ["canary:permission"] };
    await changingNothing(() => ask(key.value, "POST", `/organizations/${organizationId}/api_keys`, { json: asked }));
    await ask(key.value, "POST", "/authorization/permissions", { json: { slug: "orders:read", name: "x" } });
    const missing = newId("api_key", 2);
    await ask(key.value, "DELETE", `/api_keys/${missing}`);
    const denials = await denialsOf(key.id);
    expect(denials.map(({ type, subject, payload }) => [type, subject, (payload as Json)["code"]])).toEqual([
      ["command.refused", missing, "entity_not_found"],
      ["command.refused", "createPermission", "permission_slug_conflict"],
      ["command.refused", organizationId, "permission_not_assignable"],
    ]);
    expect(JSON.stringify(denials)).not.toMatch(/canary/i);
  });

  it("of nobody is not recorded, nor is a request that is merely wrong", async () => {
    const key = await platformKey("portcullis:users:read");
    const countIn = (cell: number) =>
      runInDurableObject(
        env.LEDGER.getByName(`cell-${cell}`),
        (_, state) => state.storage.sql.exec<{ n: number }>("SELECT count(*) AS n FROM denials").one().n,
      );
    const count = () => Promise.all(CELLS.map(countIn));
    const before = await count();
    expect((await ask(null, "DELETE", `/api_keys/api_key_${ULID}`)).status).toBe(401);
    expect((await ask(unissuedToken(), "GET", "/organizations")).status).toBe(401);
    expect((await ask("wrong-bootstrap-secret", "POST", "/bootstrap", { json: {} })).status).toBe(401);
    expect((await ask(key.value, "GET", `/user_management/users/user_${ULID}`)).status).toBe(404);
    expect((await ask(key.value, "GET", "/user_management/users?limit=0")).status).toBe(422);
    expect(await count()).toEqual(before);
  });

  it("repeats from a path only ids: a token in the wrong place is not kept", async () => {
    const weak = await platformKey("portcullis:users:read");
    const strayed = unissuedToken();
    expect((await ask(weak.value, "DELETE", `/api_keys/${strayed}`)).status).toBe(403);
    expect((await ask(weak.value, "GET", `/authorization/permissions/${strayed}`)).status).toBe(403);
    const denials = await denialsOf(weak.id);
    expect(denials.map(({ subject, payload }) => [subject, (payload as Json)["targets"]])).toEqual([
      ["getPermission", []],
      ["deleteApiKey", []],
    ]);
    expect(JSON.stringify(await everythingStored())).not.toContain(strayed);
  });

  it("is on record only so often for all who come through one organization's widgets", async () => {
    const ledger = env.LEDGER.getByName("cell-1");
    const [crowded, quiet] = [newId("org", 1), newId("org", 1)];
    const refuse = async (id: string, organization_id: string | null) => {
      const self_serve = { keys: "user", organization_id: organization_id ?? "", user_id: id } as const;
      const actor = { type: "user", id, ...(organization_id !== null && { self_serve }) } as const;
      const said = {
        type: "command.refused",
        operation: "revoke",
        code: "entity_not_found",
        missing_permissions: [],
        targets: [],
      } as const;
      await ledger.recordDenial({ ...said, actor, request_id: "req_1" }, [organization_id ?? PLATFORM_ORGANIZATION_ID]);
    };
    const recorded = async (organization_id: string) =>
      runInDurableObject(ledger, (_, { storage }) =>
        storage.sql.exec("SELECT payload FROM denials WHERE organizations = ? ORDER BY seq", JSON.stringify([organization_id])).toArray(),
      );
    const startMs = Date.now() + MINUTE_MS;
    vi.useFakeTimers({ toFake: ["Date"], now: startMs });
    for (let n = 0; n < RECORDED_AT_ONCE_OF_ORGANIZATION + 50; n += 1) await refuse(`user_${n}`, crowded);
    expect(await recorded(crowded)).toHaveLength(RECORDED_AT_ONCE_OF_ORGANIZATION);
    await refuse("user_quiet", quiet);
    expect(await recorded(quiet)).toHaveLength(1);
    await refuse("an admin", null);
    expect(await recorded(PLATFORM_ORGANIZATION_ID)).toHaveLength(1);
    vi.setSystemTime(startMs + MINUTE_MS);
    const last = `user_${RECORDED_AT_ONCE_OF_ORGANIZATION + 49}`;
    await refuse(last, crowded);
    expect(JSON.parse(String((await recorded(crowded)).at(-1)?.["payload"]))).toMatchObject({ unrecorded_before: 1 });
    for (let n = 0; n < 50; n += 1) await refuse(`user_${n}`, crowded);
    expect(await recorded(crowded)).toHaveLength(RECORDED_AT_ONCE_OF_ORGANIZATION + 10);
  });

  it("is on record only so often per caller; the next record says how many were not", async () => {
    const [flooding, calm] = [await platformKey("portcullis:users:read"), await platformKey("portcullis:users:read")];
    const startMs = Date.now() + MINUTE_MS;
    vi.useFakeTimers({ toFake: ["Date"], now: startMs });
    const refuse = async ({ value }: IssuedKey) => expect((await ask(value, "GET", "/organizations")).status).toBe(403);
    for (let n = 0; n < RECORDED_AT_ONCE + 15; n += 1) await refuse(flooding);
    expect(await denialsOf(flooding.id)).toHaveLength(RECORDED_AT_ONCE);
    await refuse(calm);
    expect(await denialsOf(calm.id)).toHaveLength(1);
    vi.setSystemTime(startMs + MINUTE_MS);
    await refuse(flooding);
    await refuse(flooding);
    const after = await denialsOf(flooding.id);
    expect(after).toHaveLength(RECORDED_AT_ONCE + 1);
    expect(after[0]?.["payload"]).toMatchObject({ unrecorded_before: 15 });
    vi.setSystemTime(startMs + 1_000 * MINUTE_MS);
    for (let n = 0; n < RECORDED_AT_ONCE + 5; n += 1) await refuse(flooding);
    expect(await denialsOf(flooding.id)).toHaveLength(2 * RECORDED_AT_ONCE + 1);
  });

  it("is a link of a chain of its own, and cannot be taken back", async () => {
    const cell = (await installation.must("GET", "/audit_logs/denials?limit=1"))["data"] as Json[];
    const n = Number(cell[0]?.["cell"]);
    const text = await download(`/ledger/${n}/denials.ndjson`);
    const lines = text
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as Json);
    expect(lines[0]).toMatchObject({ chain: "denials", cell: n });
    expect(lines.at(-1)).toEqual({ end: { entries: lines.length - 2, seq: lines.length - 2, hash: cell[0]?.["hash"] } });
    await runInDurableObject(env.LEDGER.getByName(`cell-${n}`), (_, state) => {
      for (const change of ["DELETE FROM denials", "UPDATE denials SET actor_id = 'x'"])
        expect(() => state.storage.sql.exec(change)).toThrow(/append-only/);
    });
  });
});

it("no secret is in anything that is stored, published, exported, answered or logged", async () => {
  const secrets = new Set<string>([env.BOOTSTRAP_SECRET, env.TAG_KEYS.slice(2), REPLY_SEAL_KEY]);
  const answers: string[] = [];
  const remember = (key: IssuedKey) => void secrets.add(key.value);
  const organizationId = await installation.organization();
  const { userId, membershipId } = await installation.member(organizationId, "member");
  const keys = [
    await installation.key(organizationId, ["orders:read"]),
    await installation.userKey(userId, organizationId, ["orders:read"]),
    await platformKey("portcullis:api_keys:write"),
  ];
  keys.forEach(remember);
  secrets.add(installation.adminKey);
  const headers = { "Idempotency-Key": "audit-1" };
  const again = () => ask(installation.adminKey, "POST", `/organizations/${organizationId}/api_keys`, { json: { name: "Again" }, headers });
  const repeated = [await again(), await again()].map(({ body }) => String(body["value"]));
  expect(repeated[0]).toBe(repeated[1]);
  repeated.forEach((value) => secrets.add(value));
  const [own, users, platform] = keys;
  if (!own || !users || !platform) throw new Error("no keys");
  await installation.must("PATCH", `/api_keys/${own.id}`, { name: "narrowed", permissions: [] });
  await installation.must("POST", `/api_keys/${users.id}/expire`, {});
  await installation.must("DELETE", `/user_management/organization_memberships/${membershipId}`);
  await installation.must("POST", "/api_keys/validations", { value: own.value });
  for (const { value } of keys) {
    // Tokens everywhere they do not belong.
    for (const path of [
      `/api_keys/${value}`,
      `/organizations/${value}`,
      `/audit_logs/entries?subject=${value}`,
      `/audit_logs/entries?after=${value}`,
    ])
      for (const caller of [installation.adminKey, platform.value]) answers.push(JSON.stringify((await ask(caller, "GET", path)).body));
    answers.push(
      JSON.stringify((await ask(platform.value, "POST", `/organizations/${organizationId}/api_keys`, { json: { value } })).body),
    );
    answers.push(JSON.stringify((await ask(installation.adminKey, "POST", "/organizations", { json: { name: { value } } })).body));
  }
  await installation.must("DELETE", `/api_keys/${own.id}`);
  for (const cell of CELLS) await drainOutbox(cell);

  const lists = [
    await installation.must("GET", "/audit_logs/entries?limit=100"),
    await installation.must("GET", "/audit_logs/denials?limit=100"),
  ];
  const paths = CELLS.flatMap((cell) =>
    ["audit_log", "denials"].flatMap((name) => ["ndjson", "csv"].map((kind) => `/ledger/${cell}/${name}.${kind}`)),
  );
  const sent = [
    ...(await Promise.all(paths.map(download))),
    await download(`/organizations/${organizationId}/audit_log.ndjson`),
    JSON.stringify(lists),
  ];
  const texts = {
    sent: sent.join("\n"),
    stored: await everythingStored(),
    published: await everythingPublished(),
    answers: answers.join("\n"),
    logged: logged.join("\n"),
  };

  expect(texts.sent).toContain(own.id);
  expect(texts.stored).toContain(own.id);
  expect(texts.published).toContain(platform.id);
  expect(texts.logged).toContain("control_plane_request");
  for (const [where, text] of Object.entries(texts))
    for (const secret of secrets) {
      expect(text.includes(secret), `a secret in what was ${where}`).toBe(false);
      // Without its id, checksum and prefix it is a secret still.
      expect(text.includes(secret.slice(-34, -6)), `most of a secret in what was ${where}`).toBe(false);
    }
  for (const { value } of keys) expect(texts.sent.includes(sha256Hex(value)), "the hash of a token in the audit log").toBe(false);
});

async function download(path: string): Promise<string> {
  const headers = { Authorization: `Bearer ${installation.adminKey}` };
  return (await exports.default.fetch(new Request(`https://control.example${path}`, { headers }))).text();
}

/** Every row of every table of every cell. */
async function everythingStored(): Promise<string> {
  const cells = CELLS.map((cell) =>
    runInDurableObject(env.LEDGER.getByName(`cell-${cell}`), (_, { storage: { sql } }) => {
      const tables = sql
        .exec<{ name: string }>("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE '\\_%' ESCAPE '\\'")
        .toArray();
      return JSON.stringify(tables.map(({ name }) => [name, sql.exec(`SELECT * FROM ${name}`).toArray()]));
    }),
  );
  return (await Promise.all(cells)).join("\n");
}

async function everythingPublished(): Promise<string> {
  const { keys } = await env.KEYS.list();
  return (await Promise.all(keys.map(async ({ name }) => `${name} ${await env.KEYS.get(name)}`))).join("\n");
}
