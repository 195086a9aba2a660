/** Ending many keys: what the preview shows and nothing else, in one entry, at every gateway when the call returns. */
import { env } from "cloudflare:workers";
import { runInDurableObject } from "cloudflare:test";
import fc from "fast-check";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import type { KeyAttributes, KeyFilter } from "../../control-plane/ledger/command.ts";
import { decodeBase64Url } from "../../control-plane/configuration.ts";
import { tagKeysOf } from "../../core/configuration.ts";
import { hmacSha256, sha256Hex } from "../../core/digest.ts";
import { CHAIN_START } from "../../control-plane/ledger/journal.ts";
import { cellOfOrganization } from "../../core/identifier.ts";
import { intersect } from "../../core/permission.ts";
import { generateToken, obfuscateToken } from "../../core/token.ts";
import { healKv, kvFaults } from "./faulty-kv.ts";
import { callControlPlane, install, tokenIdOf, type Installation, type IssuedKey, type Json } from "./installation.ts";
import { envelope, newId, replyOf } from "./ledger-commands.ts";
import { decided, observeGateway } from "./observed-gateway.ts";
import { drainOutbox, publishedRecord } from "./outbox.ts";

const CELLS = Number(env.CELLS);
const MANY = 500;

let installation: Installation;
beforeAll(async () => {
  installation = await install();
});
afterEach(healKv);

const cellOf = (organization: string) => cellOfOrganization(organization, CELLS);
const ledgerOf = (organization: string) => env.LEDGER.getByName(`cell-${cellOf(organization)}`);

/** Keys of an organization, made at its ledger. */
async function keys(
  organization: string,
  count: number,
  attributes: KeyAttributes = {},
  permissions = ["orders:read"],
): Promise<IssuedKey[]> {
  const ports = { randomBytes: (target: Uint8Array) => crypto.getRandomValues(target), hmacSha256 };
  const place = { prefix: env.TOKEN_PREFIX, environment: "live", cell: cellOf(organization) } as const;
  return Promise.all(
    Array.from({ length: count }, async () => {
      const { token, tokenId } = generateToken(place, tagKeysOf(env.TAG_KEYS, decodeBase64Url), ports);
      const minted = { token_id: tokenId, sha256: sha256Hex(token), obfuscated_value: obfuscateToken(token), environment: "live" } as const;
      const id = newId("api_key", place.cell);
      const owner = { type: "organization", id: organization } as const;
      const command = { type: "create_api_key", id, owner, name: "Many", permissions, expires_at_ms: null, minted, attributes } as const;
      replyOf(await ledgerOf(organization).execute(envelope(command)));
      return { id, value: token };
    }),
  );
}

async function preview(organization: string, conditions: Json): Promise<Json> {
  return installation.must("POST", `/organizations/${organization}/api_keys/revocations/preview`, conditions);
}

async function revoke(organization: string, conditions: Json): Promise<Json> {
  const { confirmation } = await preview(organization, conditions);
  return installation.must("POST", `/organizations/${organization}/api_keys/revocations`, { ...conditions, confirmation });
}

async function inCellOf<Answer>(organization: string, act: (sql: SqlStorage) => Answer): Promise<Answer> {
  return runInDurableObject(ledgerOf(organization), (_, state) => act(state.storage.sql));
}

/** Floors that the latest entry of a cell raised. */
async function latestFloors(organization: string): Promise<string[]> {
  return inCellOf(organization, (sql) =>
    sql
      .exec<{ subject: string }>("SELECT subject FROM floors WHERE raised_seq = (SELECT max(seq) FROM entries) ORDER BY subject")
      .toArray()
      .map((row) => row.subject),
  );
}

async function statuses(gateway: ReturnType<typeof observeGateway>, of: readonly IssuedKey[]): Promise<number[]> {
  const answered: number[] = [];
  for (const { value } of of) answered.push((await decided(gateway, "/orders", value)).status);
  return answered;
}

describe("what is ended", () => {
  it(`is ended at once, be it ${MANY} keys, at gateways that know them and at ones that believe KV, and nothing else is`, async () => {
    const organization = await installation.organization();
    const [doomed, staying] = [await keys(organization, MANY, { tags: ["leak"] }), await keys(organization, 3)];
    await drainOutbox(cellOf(organization));
    const warm = observeGateway();
    expect(new Set(await statuses(warm, [...doomed, ...staying]))).toEqual(new Set([200]));
    kvFaults.putsRefused = true;
    const entriesBefore = (await ledgerOf(organization).verify(CHAIN_START)).seq;
    const revoked = await revoke(organization, { tag: "leak" });
    expect(revoked).toMatchObject({ revoked: MANY, receipts: [{ effective_at: expect.any(String) }] });
    for (const gateway of [warm, observeGateway()]) {
      expect(new Set(await statuses(gateway, doomed))).toEqual(new Set([401]));
      expect(await statuses(gateway, staying)).toEqual([200, 200, 200]);
    }
    const entries: { type: string; payload: Json }[] = await ledgerOf(organization).entries(entriesBefore, 10);
    expect(entries.map(({ type, payload }) => [type, payload["count"]])).toEqual([["api_key.bulk_revoked", MANY]]);
    expect(await latestFloors(organization)).toEqual([`org:${organization}`]);
  });

  it("raises a floor for each key while they are few, so that no other key has to be asked for again", async () => {
    const organization = await installation.organization();
    const [doomed, staying] = [await keys(organization, 20, { tags: ["leak"] }), await keys(organization, 3)];
    const warm = observeGateway();
    await statuses(warm, [...doomed, ...staying]);
    await revoke(organization, { tag: "leak" });
    const { ledger } = { ...warm.calls };
    expect(await statuses(warm, staying)).toEqual([200, 200, 200]);
    expect(new Set(await statuses(warm, doomed))).toEqual(new Set([401]));
    expect(warm.calls.ledger).toBe(ledger);
    expect(await latestFloors(organization)).toEqual(doomed.map(({ id }) => `key:${id}`).toSorted());
  });

  it("is a tombstone in KV for every secret, the one before the newest included", async () => {
    const organization = await installation.organization();
    const key = await installation.key(organization, ["orders:read"], { tags: ["leak"] });
    const rotated = await installation.must("POST", `/api_keys/${key.id}/rotate`, { overlap_seconds: 3_600 });
    await revoke(organization, { tag: "leak" });
    await drainOutbox(cellOf(organization));
    const blind = observeGateway();
    const secrets = [key, { id: key.id, value: String(rotated["value"]) }];
    expect(await statuses(blind, secrets)).toEqual([401, 401]);
    for (const secret of secrets) expect(await publishedRecord(tokenIdOf(secret))).toMatchObject({ state: "revoked" });
  });

  it("is what the preview showed: a key that has come since is not ended unseen", async () => {
    const organization = await installation.organization();
    const [first] = await keys(organization, 1, { tags: ["leak"] });
    const { confirmation } = await preview(organization, { tag: "leak" });
    const [second] = await keys(organization, 1, { tags: ["leak"] });
    const path = `/organizations/${organization}/api_keys/revocations`;
    expect(await installation.call("POST", path, { tag: "leak", confirmation })).toMatchObject({
      status: 409,
      body: { code: "preview_outdated" },
    });
    expect(
      await statuses(
        observeGateway(),
        [first, second].flatMap((key) => key ?? []),
      ),
    ).toEqual([200, 200]);
  });

  it("is told the same when the request is repeated", async () => {
    const organization = await installation.organization();
    await keys(organization, 3, { tags: ["leak"] });
    const { confirmation } = await preview(organization, { tag: "leak" });
    const path = `/organizations/${organization}/api_keys/revocations`;
    const send = () => callControlPlane(installation.adminKey, "POST", path, { tag: "leak", confirmation }, { "Idempotency-Key": "bulk" });
    const [one, other] = [await send(), await send()];
    expect(one.body).toMatchObject({ revoked: 3 });
    expect(other.body).toEqual(one.body);
  });
});

describe("a preview", () => {
  it("tells how many, how many were used in the last hour, and the first of them", async () => {
    const organization = await installation.organization();
    const made = await keys(organization, 14);
    const used = made.slice(0, 3).map(({ id }) => id);
    await inCellOf(organization, (sql) => {
      for (const id of used) sql.exec("UPDATE tokens SET last_used_at_ms = ? WHERE key_id = ?", Date.now() - 60_000, id);
    });
    const shown = (await preview(organization, {})) as { first: { id: string }[] };
    expect(shown).toMatchObject({ count: 14, used_in_last_hour: 3 });
    expect(shown.first.map(({ id }) => id)).toEqual(
      made
        .map(({ id }) => id)
        .toSorted()
        .slice(0, 10),
    );
  });

  it("over all organizations needs a condition, and never shows a platform key", async () => {
    expect((await installation.call("POST", "/api_keys/revocations/preview", {})).status).toBe(422);
    expect(await installation.must("POST", "/api_keys/revocations/preview", { permission: "portcullis:*" })).toMatchObject({ count: 0 });
    expect(await preview("org_platform", {})).toMatchObject({ count: 0 });
  });
});

describe("over all organizations", () => {
  it("keys end in every cell, for who may do that", async () => {
    const organizations: string[] = [];
    while (new Set(organizations.map(cellOf)).size < CELLS) organizations.push(await installation.organization());
    const doomed = (await Promise.all(organizations.map((organization) => keys(organization, 2, { tags: ["everywhere"] })))).flat();
    const { confirmation, count } = await installation.must("POST", "/api_keys/revocations/preview", { tag: "everywhere" });
    expect(count).toBe(doomed.length);
    const clerk = await installation.key("org_platform", ["portcullis:api_keys:write"]);
    const body = { tag: "everywhere", confirmation };
    expect((await callControlPlane(clerk.value, "POST", "/api_keys/revocations", body)).status).toBe(403);
    const revoked = await installation.must("POST", "/api_keys/revocations", body);
    expect(revoked).toMatchObject({ revoked: doomed.length });
    expect(revoked["receipts"]).toHaveLength(CELLS);
    expect(new Set(await statuses(observeGateway(), doomed))).toEqual(new Set([401]));
  });

  it("a confirmation of another preview is refused", async () => {
    const [one, other] = [await installation.organization(), await installation.organization()];
    await keys(one, 1, { tags: ["leak"] });
    const { confirmation } = await preview(one, { tag: "leak" });
    const answer = await installation.call("POST", `/organizations/${other}/api_keys/revocations`, { tag: "leak", confirmation });
    expect([409, 422]).toContain(answer.status);
  });
});

describe("conditions", () => {
  /** The names of the keys in an organization that a filter finds. */
  const found = async (organization: string, filter: KeyFilter) => {
    const { first } = await ledgerOf(organization).previewRevocation({ organization_id: organization, ...filter });
    return new Set(first.map(({ id }) => id));
  };

  it("on owner and creator", async () => {
    const organization = await installation.organization();
    const { userId } = await installation.member(organization, "member");
    const [own, users] = [await installation.key(organization, []), await installation.userKey(userId, organization, [])];
    const [system] = await keys(organization, 1);
    expect(await found(organization, { owner_id: userId })).toEqual(new Set([users.id]));
    expect(await found(organization, { owner_id: organization })).toEqual(new Set([own.id, system?.id]));
    expect(await found(organization, { created_by: "test" })).toEqual(new Set([system?.id]));
    expect(await found(organization, { created_by: "test", owner_id: userId })).toEqual(new Set());
  });

  it("on when it was made and used last; a key never used counts from when it was made", async () => {
    const organization = await installation.organization();
    const [unused, used] = await keys(organization, 2);
    const madeBefore = Date.now() + 1;
    await inCellOf(organization, (sql) =>
      sql.exec("UPDATE tokens SET last_used_at_ms = ? WHERE key_id = ?", madeBefore + 1_000, used?.id ?? ""),
    );
    expect(await found(organization, { created_before_ms: madeBefore })).toEqual(new Set([unused?.id, used?.id]));
    expect(await found(organization, { created_before_ms: 1 })).toEqual(new Set());
    expect(await found(organization, { last_used_before_ms: madeBefore })).toEqual(new Set([unused?.id]));
    expect(await found(organization, { last_used_before_ms: 1 })).toEqual(new Set());
  });

  it("on a permission mean what permissions mean everywhere: the two sets have something in common", async () => {
    const organization = await installation.organization();
    const segment = fc.constantFrom("a", "b", "ab", "a_b", "c.d");
    const slug = fc
      .tuple(fc.array(segment, { minLength: 1, maxLength: 3 }), fc.boolean())
      .map(([segments, isWild]) => segments.join(":") + (isWild ? ":*" : ""));
    const anySlug = fc.oneof({ weight: 8, arbitrary: slug }, { weight: 1, arbitrary: fc.constant("*") });
    const [key] = await keys(organization, 1, {}, []);
    await fc.assert(
      fc.asyncProperty(fc.array(anySlug, { maxLength: 4 }), anySlug, async (granted, permission) => {
        await inCellOf(organization, (sql) =>
          sql.exec("UPDATE api_keys SET permissions = ? WHERE id = ?", JSON.stringify(granted), key?.id ?? ""),
        );
        expect((await found(organization, { permission })).size).toBe(intersect(granted, [permission]).length > 0 ? 1 : 0);
      }),
      { numRuns: 300 },
    );
  });
});
