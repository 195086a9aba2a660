/** One cell inside workerd: entries, idempotency, floors, the catalogue. */
import { env } from "cloudflare:workers";
import { runInDurableObject } from "cloudflare:test";
import { beforeEach, describe, expect, it } from "vitest";
import { FloorWindow } from "../../core/protocol/floor-window.ts";
import type { Standing } from "../../core/floor.ts";
import { subjectsOf, type ActiveRecord } from "../../core/record.ts";
import { floorsSince } from "../../control-plane/ledger/floors.ts";
import { CHAIN_START } from "../../control-plane/ledger/journal.ts";
import { catalogueOf } from "../../control-plane/ledger/catalogue.ts";
import { healKv } from "./faulty-kv.ts";
import { ledgerFaults } from "./ledger-faults.ts";
import { envelope, minted, newId, newKey, newOrganization, replyOf } from "./ledger-commands.ts";

const cell = () => env.LEDGER.getByName("cell-1");
const home = () => env.LEDGER.getByName("cell-0");

const organization = () => newOrganization(cell());
const key = (organizationId: string, permissions?: readonly string[]) => newKey(cell(), organizationId, permissions);

/** What the cell's floors say of a record now. */
async function standingOf(record: ActiveRecord): Promise<Standing> {
  const view = await runInDurableObject(cell(), (_, state) => floorsSince(state.storage.sql, null));
  return new FloorWindow(view).standing(subjectsOf(record), record.stamp);
}

async function permission(slug: string): Promise<void> {
  const enabled_for = { user_api_keys: true, organization_api_keys: true };
  const outcome = await home().execute(
    envelope({ type: "create_permission", id: newId("perm", 0), slug, name: slug, description: null, enabled_for }),
  );
  if (!outcome.ok && outcome.refusal.code !== "already_exists") throw new Error(outcome.refusal.message);
}

beforeEach(healKv);

describe("the ledger", () => {
  it("appends one entry per command and keeps an unbroken hash chain", async () => {
    const before = (await cell().verify(CHAIN_START)).seq;
    await key(await organization());
    expect(await cell().verify(CHAIN_START)).toMatchObject({ seq: before + 2, brokenAt: null, isEnd: true });
  });

  it("finds an entry that was changed behind its back", async () => {
    await key(await organization());
    const brokenAt = await runInDurableObject(cell(), (_, state) => {
      const { sql } = state.storage;
      const seq = sql.exec<{ seq: number }>("SELECT max(seq) AS seq FROM entries").one().seq - 1;
      expect(() => sql.exec("UPDATE entries SET actor_id = 'somebody else' WHERE seq = ?", seq)).toThrow(/append-only/);
      expect(() => sql.exec("DELETE FROM entries WHERE seq = ?", seq)).toThrow(/append-only/);
      sql.exec("DROP TRIGGER entries_are_never_changed");
      sql.exec("UPDATE entries SET actor_id = 'somebody else' WHERE seq = ?", seq);
      return seq;
    });
    expect((await cell().verify(CHAIN_START)).brokenAt).toBe(brokenAt);
    await runInDurableObject(
      cell(),
      (_, state) => void state.storage.sql.exec("UPDATE entries SET actor_id = 'test' WHERE seq = ?", brokenAt),
    );
    expect((await cell().verify(CHAIN_START)).brokenAt).toBeNull();
  });

  it("finds that its last entries were cut off", async () => {
    const issued = await key(await organization());
    await cell().execute(envelope({ type: "revoke_api_key", id: issued.id }));
    const { seq } = await cell().verify(CHAIN_START);
    await runInDurableObject(cell(), (_, state) => {
      state.storage.sql.exec("DROP TRIGGER entries_are_never_deleted");
      state.storage.sql.exec("DELETE FROM entries WHERE seq = ?", seq);
    });
    expect((await cell().verify(CHAIN_START)).brokenAt).toBe(seq);
  });

  it("answers a repeated command as the first time and changes nothing", async () => {
    const id = newId("org");
    const sent = envelope({ type: "create_organization", id, name: "Twice", external_id: null });
    const first = await cell().execute(sent);
    const { seq: entries } = await cell().verify(CHAIN_START);
    const second = await cell().execute(sent);
    expect(second).toEqual({ ...first, replayed: true });
    expect((await cell().verify(CHAIN_START)).seq).toBe(entries);
  });

  it("refuses the same command id for another request", async () => {
    const sent = envelope({ type: "create_organization", id: newId("org"), name: "One", external_id: null }, "same-id", "one");
    replyOf(await cell().execute(sent));
    const other = await cell().execute({ ...sent, fingerprint: "two" });
    expect(other).toMatchObject({ ok: false, refusal: { code: "idempotency_key_reused" } });
  });

  it("leaves no trace of a refused command", async () => {
    const { seq: entries } = await cell().verify(CHAIN_START);
    const refused = await cell().execute(envelope({ type: "revoke_api_key", id: newId("api_key") }));
    expect(refused).toMatchObject({ ok: false, refusal: { code: "entity_not_found" } });
    expect((await cell().verify(CHAIN_START)).seq).toBe(entries);
  });

  it("grants nothing that the owner may not hold", async () => {
    const owner = { type: "organization", id: await organization() } as const;
    const asked = envelope({
      type: "create_api_key",
      id: newId("api_key"),
      owner,
      name: "x",
      permissions: ["no:such"],
      expires_at_ms: null,
      minted: minted(),
    });
    expect(await cell().execute(asked)).toMatchObject({ ok: false, refusal: { code: "permission_not_assignable", field: "permissions" } });
    const platform = envelope({
      type: "create_api_key",
      id: newId("api_key"),
      owner,
      name: "x",
      permissions: ["portcullis:api_keys:write"],
      expires_at_ms: null,
      minted: minted(),
    });
    expect(await cell().execute(platform)).toMatchObject({ ok: false, refusal: { code: "permission_not_assignable" } });
  });

  it("voids every copy from before a revocation, a narrowing and a new expiry", async () => {
    await permission("a:read");
    const { id, tokenId } = await key(await organization(), ["a:read"]);
    const copy = await cell().resolve(tokenId);
    if (!copy.found || copy.record.state !== "active") throw new Error("expected a live key");
    const record = copy.record;
    expect(await standingOf(record)).toBe("current");
    replyOf(await cell().execute(envelope({ type: "update_api_key", id, permissions: [] })));
    expect(await standingOf(record)).toBe("superseded");
    replyOf(await cell().execute(envelope({ type: "expire_api_key", id, expires_at_ms: Date.now() + 60_000 })));
    expect(await standingOf(record)).toBe("superseded");
    replyOf(await cell().execute(envelope({ type: "revoke_api_key", id })));
    expect(await standingOf(record)).toBe("revoked");
  });

  it("knows nothing of a token it never issued", async () => {
    expect(await cell().resolve("x".repeat(26))).toEqual({ found: false });
  });

  it("has a changed catalogue in every cell when the command answers", async () => {
    await permission("b:read");
    for (const n of [0, 1, 2, 3]) expect(await env.LEDGER.getByName(`cell-${n}`).permission("b:read")).toMatchObject({ slug: "b:read" });
  });

  it("takes a permission away from existing keys when it leaves the catalogue", async () => {
    await permission("c:read");
    const { tokenId } = await key(await organization(), ["c:read"]);
    const before = await cell().resolve(tokenId);
    expect(before).toMatchObject({ record: { permissions: ["c:read"] } });
    replyOf(await home().execute(envelope({ type: "delete_permission", slug: "c:read" })));
    if (!before.found || before.record.state !== "active") throw new Error("expected a live key");
    expect(await standingOf(before.record)).toBe("superseded");
    expect(await cell().resolve(tokenId)).toMatchObject({ record: { permissions: [] } });
  });
});

describe("a permission that was deleted and made again", () => {
  const DELETED = { type: "delete_permission", slug: "d:read" } as const;

  it("is held by no key and no role from before, in any cell", async () => {
    await permission("d:read");
    const role = newId("role", 0);
    replyOf(await home().execute(envelope({ type: "create_role", id: role, slug: "d-reader", name: "D", description: null })));
    replyOf(await home().execute(envelope({ type: "set_role_permissions", slug: "d-reader", permissions: ["d:read"] })));
    const { tokenId } = await key(await organization(), ["d:read"]);
    replyOf(await home().execute(envelope(DELETED)));
    await permission("d:read");
    expect(await cell().resolve(tokenId)).toMatchObject({ record: { permissions: [] } });
    expect(await home().role("d-reader")).toMatchObject({ permissions: [] });
    expect(await cell().role("d-reader")).toMatchObject({ permissions: [] });
  });

  it("is held by none either where both changes arrive as one", async () => {
    await permission("e:read");
    const { tokenId } = await key(await organization(), ["e:read"]);
    const catalogue = await runInDurableObject(home(), (_, state) => catalogueOf(state.storage.sql));
    const permissions = catalogue.permissions.map((each) => (each.slug === "e:read" ? { ...each, id: newId("perm", 0) } : each));
    await cell().mirrorCatalogue({ ...catalogue, homeSeq: catalogue.homeSeq + 1_000, permissions });
    expect(await cell().resolve(tokenId)).toMatchObject({ record: { permissions: [] } });
  });

  it("is not said to be gone while a cell still goes by the old catalogue", async () => {
    await permission("f:read");
    const deletion = () => home().execute(envelope({ ...DELETED, slug: "f:read" }));
    ledgerFaults.onCatalogue.set("cell-2", "throws");
    for (const outcome of [await deletion(), await deletion()])
      expect(outcome).toMatchObject({ ok: false, refusal: { code: "not_yet_effective" } });
    expect(await env.LEDGER.getByName("cell-2").permission("f:read")).not.toBeNull();
    ledgerFaults.onCatalogue.clear();
    expect(await deletion()).toMatchObject({ ok: false, refusal: { code: "entity_not_found" } });
    expect(await env.LEDGER.getByName("cell-2").permission("f:read")).toBeNull();
  });
});
