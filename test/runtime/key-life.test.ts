/** The life of a key: each change is in force at every gateway when its call returns, with KV held back. */
import { env } from "cloudflare:workers";
import { runInDurableObject } from "cloudflare:test";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { cellOfId, cellOfOrganization } from "../../core/identifier.ts";
import { expectAtOnce, gatewayThatKnows, reasonOf } from "./at-once.ts";
import { healKv, kvFaults } from "./faulty-kv.ts";
import { callControlPlane, install, tokenIdOf, type Installation, type IssuedKey, type Json } from "./installation.ts";
import { observeGateway, type ObservedGateway } from "./observed-gateway.ts";
import { drainOutboxes, publishedRecord } from "./outbox.ts";

let installation: Installation;
let organization: string;
beforeAll(async () => {
  installation = await install();
  organization = await installation.organization();
});
afterEach(healKv);

const CELLS = Number(env.CELLS);
const HOUR_S = 3_600;

/** Rotates a key; the same key with its new secret. */
async function rotate(key: IssuedKey, overlap_seconds: number): Promise<IssuedKey & { readonly body: Json }> {
  const body = await installation.must("POST", `/api_keys/${key.id}/rotate`, { overlap_seconds });
  return { id: String(body["id"]), value: String(body["value"]), body };
}

async function statusAt(gateway: ObservedGateway, { value }: IssuedKey): Promise<number> {
  return (await gateway.get("/orders", value)).status;
}

describe("disabling", () => {
  it("stops a key at once", async () => {
    const key = await installation.key(organization, ["orders:read"]);
    const make = () => installation.must("POST", `/api_keys/${key.id}/disable`, {});
    await expectAtOnce({ key, path: "/orders", make, expected: { status: 401, reason: "key_disabled" } });
  });

  it("tells the caller no more than of an unknown key", async () => {
    const key = await installation.key(organization, ["orders:read"]);
    await installation.must("POST", `/api_keys/${key.id}/disable`, {});
    const response = await observeGateway().get("/orders", key.value);
    expect(await response.json()).toMatchObject({ code: "invalid_key" });
  });

  it("ends with enabling, at once at a gateway that knows the key as disabled", async () => {
    const key = await installation.key(organization, ["orders:read"]);
    const warm = await gatewayThatKnows(key, "/orders");
    const disabled = await installation.must("POST", `/api_keys/${key.id}/disable`, { reason: "leak suspected" });
    expect(disabled).toMatchObject({ disabled_at: expect.any(String), receipt: { effective_at: expect.any(String) } });
    expect(await statusAt(warm, key)).toBe(401);
    kvFaults.putsRefused = true;
    expect(await installation.must("POST", `/api_keys/${key.id}/enable`, {})).toMatchObject({ disabled_at: null });
    expect(await statusAt(warm, key)).toBe(200);
    expect(await statusAt(observeGateway(), key)).toBe(200);
  });

  it("stops a key at validation, too", async () => {
    const key = await installation.key(organization, ["orders:read"]);
    await installation.must("POST", `/api_keys/${key.id}/disable`, {});
    expect(await installation.must("POST", "/api_keys/validations", { value: key.value })).toEqual({ api_key: null });
  });

  it("stops a platform key from calling the control plane, and the last one cannot be disabled", async () => {
    const clerk = await installation.key("org_platform", ["portcullis:api_keys:read"]);
    await installation.must("POST", `/api_keys/${clerk.id}/disable`, {});
    expect((await callControlPlane(clerk.value, "GET", `/api_keys/${clerk.id}`)).status).toBe(401);
    const { data } = (await installation.must("GET", "/organizations/org_platform/api_keys")) as { data: { id: string }[] };
    const first = data.find(({ id }) => id !== clerk.id);
    expect(await installation.call("POST", `/api_keys/${first?.id}/disable`, {})).toMatchObject({
      status: 409,
      body: { code: "last_holder_of_permission" },
    });
  });
});

describe("rotating", () => {
  it("gives the key a new secret that works at once and keeps its id; both work during the overlap", async () => {
    const key = await installation.key(organization, ["orders:read"]);
    await drainOutboxes();
    const warm = await gatewayThatKnows(key, "/orders");
    kvFaults.putsRefused = true;
    const rotated = await rotate(key, HOUR_S);
    expect(rotated.id).toBe(key.id);
    for (const gateway of [warm, observeGateway()]) for (const secret of [key, rotated]) expect(await statusAt(gateway, secret)).toBe(200);
    expect(new Set(warm.forwarded.map((request) => request.headers.get("portcullis-key-id")))).toEqual(new Set([key.id]));
  });

  it("ends the old secret exactly with the overlap, at a gateway that knows it and at one that believes KV", async () => {
    const key = await installation.key(organization, ["orders:read"]);
    await drainOutboxes();
    const stale = await publishedRecord(tokenIdOf(key));
    const warm = await gatewayThatKnows(key, "/orders");
    kvFaults.putsRefused = true;
    const rotated = await rotate(key, HOUR_S);
    const { previous_secret } = rotated.body as { previous_secret: { expires_at: string } };
    for (const gateway of [warm, observeGateway()]) {
      for (const [aheadOfEndMs, expected] of [
        [-1, 200],
        [0, 401],
      ] as const) {
        gateway.clock.standsStillAtMs = Date.parse(previous_secret.expires_at) + aheadOfEndMs;
        expect(await statusAt(gateway, key)).toBe(expected);
        expect(await statusAt(gateway, rotated)).toBe(200);
      }
      expect((await gateway.get("/orders", key.value)).status).toBe(401);
      expect(reasonOf(gateway)).toBe("rotated_secret");
    }
    expect(await publishedRecord(tokenIdOf(key))).toEqual(stale);
  });

  it("has ended the old secret by the ledger's clock for a gateway that asks it, whatever its own clock says", async () => {
    kvFaults.readsMiss = true;
    const key = await installation.key(organization, ["orders:read"]);
    await rotate(key, 1);
    await scheduler.wait(1_100);
    const late = observeGateway();
    late.clock.aheadMs = -60_000;
    expect(await statusAt(late, key)).toBe(401);
  });

  it("without overlap ends the old secret at once", async () => {
    const key = await installation.key(organization, ["orders:read"]);
    await expectAtOnce({ key, path: "/orders", make: () => rotate(key, 0), expected: { status: 401, reason: "revoked_key" } });
  });

  it("while the secret before still works is refused with an overlap, and without one ends both", async () => {
    const first = await installation.key(organization, ["orders:read"]);
    const second = await rotate(first, HOUR_S);
    expect(await installation.call("POST", `/api_keys/${first.id}/rotate`, { overlap_seconds: 60 })).toMatchObject({
      status: 409,
      body: { code: "previous_secret_in_use" },
    });
    const warm = await gatewayThatKnows(first, "/orders");
    expect(await statusAt(warm, second)).toBe(200);
    const third = await rotate(first, 0);
    for (const gateway of [warm, observeGateway()])
      expect(await Promise.all([first, second, third].map((secret) => statusAt(gateway, secret)))).toEqual([401, 401, 200]);
  });

  it("keeps the environment, the permissions and the end of the key", async () => {
    const expires_at = new Date(Date.now() + 60_000).toISOString();
    const key = await installation.key(organization, ["orders:read"], { environment: "test", expires_at });
    const rotated = await rotate(key, HOUR_S);
    expect(rotated.value).toMatch(/^pc_test_/);
    expect(rotated.body).toMatchObject({ environment: "test", permissions: ["orders:read"], expires_at });
    const gateway = observeGateway();
    gateway.clock.aheadMs = 60_001;
    for (const secret of [key, rotated]) expect(await statusAt(gateway, secret)).toBe(401);
  });

  it("answers a repeated request with the same secret", async () => {
    const key = await installation.key(organization, ["orders:read"]);
    const again = () =>
      callControlPlane(installation.adminKey, "POST", `/api_keys/${key.id}/rotate`, { overlap_seconds: 60 }, { "Idempotency-Key": "once" });
    const [one, other] = [await again(), await again()];
    expect(one.body["value"]).toMatch(/^pc_live_/);
    expect(other.body["value"]).toBe(one.body["value"]);
  });

  it("takes the configured overlap by default, and none that is longer than configured", async () => {
    const key = await installation.key(organization, []);
    const body = (await installation.must("POST", `/api_keys/${key.id}/rotate`, {})) as { previous_secret: { expires_at: string } };
    const days = (Date.parse(body.previous_secret.expires_at) - Date.now()) / 86_400_000;
    expect(days).toBeGreaterThan(0.99);
    expect(days).toBeLessThanOrEqual(1);
    for (const overlap_seconds of [30 * 86_400 + 1, -1, 0.5])
      expect((await installation.call("POST", `/api_keys/${key.id}/rotate`, { overlap_seconds })).status).toBe(422);
  });

  it("of a key that has ended is refused", async () => {
    const key = await installation.key(organization, []);
    await installation.must("POST", `/api_keys/${key.id}/expire`, {});
    expect(await installation.call("POST", `/api_keys/${key.id}/rotate`, {})).toMatchObject({ status: 409 });
    await installation.must("DELETE", `/api_keys/${key.id}`);
    expect(await installation.call("POST", `/api_keys/${key.id}/rotate`, {})).toMatchObject({ status: 404 });
  });

  it("of a platform key takes what the key can do", async () => {
    const [strong, weak] = [
      await installation.key("org_platform", ["portcullis:api_keys:write", "portcullis:routes:write"]),
      await installation.key("org_platform", ["portcullis:api_keys:write"]),
    ];
    expect((await callControlPlane(weak.value, "POST", `/api_keys/${strong.id}/rotate`, {})).status).toBe(403);
  });

  it("does not bring a deleted key back under its old or new secret", async () => {
    const key = await installation.key(organization, ["orders:read"]);
    const rotated = await rotate(key, HOUR_S);
    const warm = await gatewayThatKnows(key, "/orders");
    await installation.must("DELETE", `/api_keys/${key.id}`);
    for (const gateway of [warm, observeGateway()]) for (const secret of [key, rotated]) expect(await statusAt(gateway, secret)).toBe(401);
  });
});

describe("ending the secret before", () => {
  it("is at once, and leaves the newest", async () => {
    const key = await installation.key(organization, ["orders:read"]);
    const rotated = await rotate(key, HOUR_S);
    const make = async () => {
      const answer = await installation.call("DELETE", `/api_keys/${key.id}/previous_secret`);
      expect(answer.status).toBe(204);
      expect(answer.headers.get("portcullis-receipt")).toContain('effective_at="');
    };
    await expectAtOnce({ key, path: "/orders", make, expected: { status: 401, reason: "revoked_key" } });
    expect(await statusAt(observeGateway(), rotated)).toBe(200);
    expect(await installation.must("GET", `/api_keys/${key.id}`)).toMatchObject({ previous_secret: null });
    expect((await installation.call("DELETE", `/api_keys/${key.id}/previous_secret`)).status).toBe(404);
  });

  it("can be decided by when it was used last", async () => {
    const key = await installation.key(organization, []);
    const { body } = await rotate(key, HOUR_S);
    expect(body).toMatchObject({
      last_used_at: null,
      previous_secret: { obfuscated_value: `pc_live_...${key.value.slice(-4)}`, last_used_at: null },
    });
    const usedAtMs = Date.now() - 180_000;
    await inCellOf(organization, (sql) => sql.exec("UPDATE tokens SET last_used_at_ms = ? WHERE token_id = ?", usedAtMs, tokenIdOf(key)));
    const used = new Date(usedAtMs).toISOString();
    expect(await installation.must("GET", `/api_keys/${key.id}`)).toMatchObject({
      last_used_at: used,
      previous_secret: { last_used_at: used },
    });
  });
});

describe("what a key carries", () => {
  it("is shown, replaced as a whole, and told with who and why in the ledger", async () => {
    const made = await installation.must("POST", `/organizations/${organization}/api_keys`, {
      name: "CI",
      metadata: { team: "payments" },
      tags: ["ci", "batch-7"],
      reason: "new pipeline",
    });
    const { data } = (await installation.must("GET", "/organizations/org_platform/api_keys?order=asc")) as { data: { id: string }[] };
    const admin = { type: "api_key", id: data[0]?.id };
    expect(made).toMatchObject({
      metadata: { team: "payments" },
      tags: ["batch-7", "ci"],
      allowed_networks: null,
      created_by: admin,
      updated_by: admin,
    });
    const changed = await installation.must("PATCH", `/api_keys/${String(made["id"])}`, { tags: ["ci"], metadata: {}, reason: "tidying" });
    expect(changed).toMatchObject({ metadata: {}, tags: ["ci"], receipt: null });
    const entries = await entriesOf(String(made["id"]));
    expect(entries.map(({ type, payload }) => [type, payload["reason"]])).toEqual([
      ["api_key.created", "new pipeline"],
      ["api_key.updated", "tidying"],
    ]);
    expect(entries[1]?.payload["previous_attributes"]).toMatchObject({ metadata: { team: "payments" }, tags: ["batch-7", "ci"] });
  });

  it.each([
    [{ tags: ["Upper"] }],
    [{ tags: Array.from({ length: 21 }, (_, at) => `t${at}`) }],
    [{ metadata: { a: 1 } }],
    [{ metadata: { ["k".repeat(41)]: "v" } }],
    [{ metadata: { a: "v".repeat(601) } }],
    [{ metadata: Object.fromEntries(Array.from({ length: 51 }, (_, at) => [`k${at}`, "v"])) }],
    [{ metadata: Object.fromEntries(Array.from({ length: 28 }, (_, at) => [`k${at}`, "v".repeat(600)])) }],
    [{ reason: "" }],
    [{ reason: "x".repeat(501) }],
  ])("%j is refused", async (more) => {
    expect((await installation.call("POST", `/organizations/${organization}/api_keys`, { name: "x", ...more })).status).toBe(422);
  });

  it("tells why, and never a secret or a hash, in every entry of a whole life", async () => {
    const key = await installation.key(organization, ["orders:read"], { reason: "why-create" });
    const steps = [
      ["POST", "/disable"],
      ["POST", "/enable"],
      ["POST", "/rotate"],
      ["DELETE", "/previous_secret"],
      ["POST", "/expire"],
      ["DELETE", ""],
    ] as const;
    for (const [method, path] of steps) await installation.must(method, `/api_keys/${key.id}${path}`, { reason: `why-${path.slice(1)}` });
    const entries = await entriesOf(key.id);
    expect(entries.map(({ type, payload }) => [type, payload["reason"]])).toEqual([
      ["api_key.created", "why-create"],
      ["api_key.disabled", "why-disable"],
      ["api_key.enabled", "why-enable"],
      ["api_key.rotated", "why-rotate"],
      ["api_key.previous_secret_revoked", "why-previous_secret"],
      ["api_key.updated", "why-expire"],
      ["api_key.revoked", "why-"],
    ]);
    const hashes = await inCellOf(organization, (sql) =>
      sql
        .exec<{ sha256: string }>("SELECT sha256 FROM tokens WHERE key_id = ?", key.id)
        .toArray()
        .map((row) => row.sha256),
    );
    expect(hashes).toHaveLength(2);
    for (const secret of [...hashes, key.value.slice(-34)]) expect(JSON.stringify(entries)).not.toContain(secret);
  });
});

interface ReadEntry {
  readonly type: string;
  readonly subject: string;
  readonly payload: Json;
}

async function entriesOf(keyId: string): Promise<ReadEntry[]> {
  const cell = cellOfId("api_key", keyId, CELLS);
  const entries: ReadEntry[] = await env.LEDGER.getByName(`cell-${cell}`).entries(0, 10_000);
  return entries.filter(({ subject }) => subject === keyId);
}

async function inCellOf<Answer>(organizationId: string, act: (sql: SqlStorage) => Answer): Promise<Answer> {
  return runInDurableObject(env.LEDGER.getByName(`cell-${cellOfOrganization(organizationId, CELLS)}`), (_, state) =>
    act(state.storage.sql),
  );
}
