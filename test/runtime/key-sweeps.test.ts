/** What time does to keys, in a cell's alarm: told once, whatever happens to the cell; in parts when it is much. */
import { env } from "cloudflare:workers";
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { DAY_MS } from "../../core/api-key-policy.ts";
import { cellOfOrganization, PLATFORM_ORGANIZATION_ID } from "../../core/identifier.ts";
import { install, type Installation, type IssuedKey, type Json } from "./installation.ts";
import { newId } from "./ledger-commands.ts";
import { healLedger, kill, ledgerFaults } from "./ledger-faults.ts";

const CELLS = 4;
const MINUTE_MS = 60_000;
const IN_TIME = { timeout: 60_000, interval: 20 };

let installation: Installation;
beforeAll(async () => {
  installation = await install();
});
afterEach(() => {
  vi.useRealTimers();
  healLedger();
});

const cellOf = (organizationId: string) => cellOfOrganization(organizationId, CELLS);
const ledgerOf = (organizationId: string) => env.LEDGER.getByName(`cell-${cellOf(organizationId)}`);
const inCell = <Result>(organizationId: string, run: (sql: SqlStorage) => Result): Promise<Result> =>
  runInDurableObject(ledgerOf(organizationId), (_, { storage }) => run(storage.sql));
const alarmOf = (organizationId: string) => runInDurableObject(ledgerOf(organizationId), (_, { storage }) => storage.getAlarm());

/** Time stands until it is moved; then the cell's alarm goes off, as often as it wants to at that time. */
function stopTime(): void {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
}
async function pass(organizationId: string, ms: number): Promise<void> {
  vi.setSystemTime(Date.now() + ms);
  await sweep(organizationId);
}
async function sweep(organizationId: string): Promise<void> {
  for (let turn = 0; turn < 40; turn += 1) {
    await runDurableObjectAlarm(ledgerOf(organizationId));
    const isLeft = await inCell(
      organizationId,
      (sql) =>
        sql.exec("SELECT 1 FROM api_key_schedule WHERE due_at_ms <= ? UNION ALL SELECT 1 FROM api_key_reschedulings", Date.now()).toArray()
          .length > 0,
    );
    if (!isLeft) return;
  }
  throw new Error("the sweeps come to no end");
}

async function organizationWith(policy: Json): Promise<string> {
  const id = await installation.organization();
  await installation.must("PUT", `/organizations/${id}/api_key_policy`, policy);
  await sweep(id);
  return id;
}

/** What was told of a key by the system, oldest first. */
async function toldOf({ id }: { readonly id: string }, organizationId: string): Promise<Json[]> {
  const events = await inCell(organizationId, (sql) =>
    sql
      .exec<{ type: string; payload: string }>(
        "SELECT type, payload FROM entries WHERE subject = ? AND actor_id = 'api_key_policy' ORDER BY seq",
        id,
      )
      .toArray(),
  );
  return events.map(({ type, payload }) => ({ type, notice: (JSON.parse(payload) as Json)["notice"] }));
}
const typesOf = async (key: { readonly id: string }, organizationId: string) => (await toldOf(key, organizationId)).map(({ type }) => type);
const inDays = (days: number) => new Date(Date.now() + days * DAY_MS).toISOString();
const read = ({ id }: IssuedKey) => installation.must("GET", `/api_keys/${id}`);
const use = ({ id }: IssuedKey, organizationId: string) =>
  inCell(organizationId, (sql) => void sql.exec("UPDATE tokens SET last_used_at_ms = ? WHERE key_id = ?", Date.now(), id));

describe("the overlap of a rotation", () => {
  const rotate = (key: IssuedKey, overlap_seconds: number) => installation.must("POST", `/api_keys/${key.id}/rotate`, { overlap_seconds });
  const endings = async (key: IssuedKey, organizationId: string) =>
    (await typesOf(key, organizationId)).filter((type) => type === "api_key.previous_secret_expired");

  it("is told of when it ends, once, by an alarm that is set for just then", async () => {
    stopTime();
    const organizationId = await installation.organization();
    const key = await installation.key(organizationId, []);
    await rotate(key, 3_600);
    const endsAtMs = Date.now() + 3_600_000;
    await pass(organizationId, 3_600_000 - 1);
    expect(await endings(key, organizationId)).toEqual([]);
    expect(await alarmOf(organizationId)).toBeLessThanOrEqual(endsAtMs);
    await kill(ledgerOf(organizationId));
    await pass(organizationId, 1);
    expect(await endings(key, organizationId)).toHaveLength(1);
    await kill(ledgerOf(organizationId));
    await pass(organizationId, DAY_MS);
    expect(await endings(key, organizationId)).toHaveLength(1);
    const { data } = await installation.must("GET", `/events?events=api_key.previous_secret_expired&organization_id=${organizationId}`);
    expect(data).toMatchObject([
      { data: { id: key.id, previous_secret: { expires_at: new Date(endsAtMs).toISOString() } }, context: { actor: { source: "system" } } },
    ]);
    // The next one is told of, too.
    await rotate(key, 60);
    await pass(organizationId, MINUTE_MS);
    expect(await endings(key, organizationId)).toHaveLength(2);
  });

  it("that something else ended before is not told of again", async () => {
    stopTime();
    const organizationId = await installation.organization();
    const [revoked, rotatedAgain, keyRevoked, keyExpired] = [
      await installation.key(organizationId, []),
      await installation.key(organizationId, []),
      await installation.key(organizationId, []),
      await installation.key(organizationId, [], { expires_at: new Date(Date.now() + MINUTE_MS).toISOString() }),
    ];
    const keys = [revoked, rotatedAgain, keyRevoked, keyExpired];
    for (const key of keys) await rotate(key, 3_600);
    await installation.must("DELETE", `/api_keys/${revoked.id}/previous_secret`);
    await rotate(rotatedAgain, 0);
    await installation.must("DELETE", `/api_keys/${keyRevoked.id}`);
    await pass(organizationId, 3_600_000);
    for (const key of keys) expect(await endings(key, organizationId)).toEqual([]);
    expect(await inCell(organizationId, (sql) => sql.exec("SELECT * FROM ending_secrets").toArray())).toEqual([]);
  });
});

describe("the end of a key", () => {
  it("is announced, and told when it comes, by alarms that are set for just then", async () => {
    stopTime();
    const organizationId = await organizationWith({ expiry_notice_days: [7, 1] });
    const key = await installation.key(organizationId, [], { expires_at: inDays(10) });
    const end = Date.now() + 10 * DAY_MS;
    await pass(organizationId, 3 * DAY_MS - 1);
    expect(await toldOf(key, organizationId)).toEqual([]);
    await pass(organizationId, 1);
    expect(await toldOf(key, organizationId)).toEqual([{ type: "api_key.expiring_soon", notice: { days: 7 } }]);
    const dueMs = await inCell(organizationId, (sql) => sql.exec("SELECT due_at_ms FROM api_key_schedule WHERE key_id = ?", key.id).one());
    expect(dueMs).toEqual({ due_at_ms: end - DAY_MS });
    expect(await alarmOf(organizationId)).toBeLessThanOrEqual(end - DAY_MS);
    // Whoever looks once more, for whatever reason, has nothing to tell again.
    await installation.must("PUT", `/organizations/${organizationId}/api_key_policy`, { expiry_notice_days: [7, 1] });
    await sweep(organizationId);
    expect(await toldOf(key, organizationId)).toHaveLength(1);
    await pass(organizationId, 6 * DAY_MS);
    await pass(organizationId, DAY_MS);
    await pass(organizationId, DAY_MS);
    expect(await typesOf(key, organizationId)).toEqual(["api_key.expiring_soon", "api_key.expiring_soon", "api_key.expired"]);
    const { data } = await installation.must("GET", `/events?events=api_key.expiring_soon&organization_id=${organizationId}&order=asc`);
    expect((data as Json[])[0]).toMatchObject({
      data: { object: "api_key", id: key.id, notice: { days: 7 } },
      context: { actor: { source: "system" } },
    });
  });

  it("that is moved is announced anew; that is brought about by a call is not told of twice", async () => {
    stopTime();
    const organizationId = await organizationWith({ expiry_notice_days: [7] });
    const [moved, ended] = [
      await installation.key(organizationId, [], { expires_at: inDays(8) }),
      await installation.key(organizationId, [], { expires_at: inDays(8) }),
    ];
    await pass(organizationId, DAY_MS);
    await installation.must("POST", `/api_keys/${moved.id}/expire`, { expires_at: inDays(8) });
    await installation.must("POST", `/api_keys/${ended.id}/expire`, {});
    await pass(organizationId, DAY_MS);
    expect(await typesOf(moved, organizationId)).toEqual(["api_key.expiring_soon", "api_key.expiring_soon"]);
    expect(await typesOf(ended, organizationId)).toEqual(["api_key.expiring_soon"]);
  });

  it("is told once when the cell was away over it, and when it dies in the middle of telling", async () => {
    stopTime();
    const organizationId = await organizationWith({ expiry_notice_days: [7, 1] });
    const key = await installation.key(organizationId, [], { expires_at: inDays(10) });
    await evictDurableObject(ledgerOf(organizationId));
    ledgerFaults.dyingAtAlarm.add(`cell-${cellOf(organizationId)}`);
    vi.setSystemTime(Date.now() + 9.5 * DAY_MS);
    await runDurableObjectAlarm(ledgerOf(organizationId)).catch(() => {});
    await sweep(organizationId);
    expect(await toldOf(key, organizationId)).toEqual([{ type: "api_key.expiring_soon", notice: { days: 1 } }]);
    await kill(ledgerOf(organizationId));
    await sweep(organizationId);
    await pass(organizationId, 30 * DAY_MS);
    await kill(ledgerOf(organizationId));
    await sweep(organizationId);
    expect(await typesOf(key, organizationId)).toEqual(["api_key.expiring_soon", "api_key.expired"]);
  });

  it("of a platform key is announced as the defaults say", async () => {
    stopTime();
    await installation.must("PUT", "/api_key_policy", { expiry_notice_days: [3], idle_days_max: 5 });
    const key = await installation.key(PLATFORM_ORGANIZATION_ID, ["portcullis:users:read"], { expires_at: inDays(40) });
    await pass(PLATFORM_ORGANIZATION_ID, 37 * DAY_MS);
    expect(await typesOf(key, PLATFORM_ORGANIZATION_ID)).toEqual(["api_key.expiring_soon"]);
    expect(await read(key)).toMatchObject({ disabled_at: null });
    await installation.must("PUT", "/api_key_policy", {});
  });
});

describe("a key that nobody uses", () => {
  const policy = { idle_days_max: 30, idle_warning_days: 7 };

  it("is warned of, then disabled by the system, with the reason; enabled again it has its time anew", async () => {
    stopTime();
    const organizationId = await organizationWith(policy);
    const [idle, used] = [await installation.key(organizationId, []), await installation.key(organizationId, [])];
    const disabledAtMs = Date.now() + 30 * DAY_MS + MINUTE_MS;
    await pass(organizationId, 23 * DAY_MS + MINUTE_MS - 1);
    expect(await typesOf(idle, organizationId)).toEqual([]);
    await pass(organizationId, 1);
    const notice = { disabled_at: new Date(disabledAtMs).toISOString(), idle_days_max: 30 };
    expect(await toldOf(idle, organizationId)).toEqual([{ type: "api_key.idle", notice }]);
    await use(used, organizationId);
    await pass(organizationId, 7 * DAY_MS - 1);
    expect(await read(idle)).toMatchObject({ disabled_at: null });
    await pass(organizationId, 1);
    expect(await read(idle)).toMatchObject({
      disabled_at: new Date(disabledAtMs).toISOString(),
      updated_by: { type: "system", id: "api_key_policy" },
    });
    expect(await read(used)).toMatchObject({ disabled_at: null });
    expect(await typesOf(idle, organizationId)).toEqual(["api_key.idle", "api_key.disabled"]);
    const { data } = await installation.must("GET", `/audit_logs/entries?organization_id=${organizationId}&type=api_key.disabled`);
    expect(data).toMatchObject([{ subject: idle.id, payload: { reason: expect.stringMatching(/Unused for 30 days/) as string } }]);

    await installation.must("POST", `/api_keys/${idle.id}/enable`, {});
    await pass(organizationId, 22 * DAY_MS);
    expect(await read(idle)).toMatchObject({ disabled_at: null });
    await pass(organizationId, 9 * DAY_MS);
    await pass(organizationId, 7 * DAY_MS);
    expect(await typesOf(idle, organizationId)).toEqual(["api_key.idle", "api_key.disabled", "api_key.idle", "api_key.disabled"]);
  });

  it("is not disabled when the cell was away while it was used, and hears of that only when it is back", async () => {
    stopTime();
    const organizationId = await organizationWith(policy);
    const [used, unused] = [await installation.key(organizationId, []), await installation.key(organizationId, [])];
    await pass(organizationId, 23 * DAY_MS + MINUTE_MS);
    const usedAtMs = Date.now() + 7 * DAY_MS - MINUTE_MS;
    await pass(organizationId, 7 * DAY_MS + 60 * MINUTE_MS);
    const [token] = await inCell(organizationId, (sql) =>
      sql.exec<{ token_id: string }>("SELECT token_id FROM tokens WHERE key_id = ?", used.id).toArray(),
    );
    const uses = { secrets: [{ token_id: String(token?.token_id), at_ms: usedAtMs }], permissions: [] };
    await ledgerOf(organizationId).noteUses(uses);
    await pass(organizationId, MINUTE_MS);
    expect(await typesOf(used, organizationId)).toEqual(["api_key.idle"]);
    expect(await typesOf(unused, organizationId)).toEqual(["api_key.idle", "api_key.disabled"]);
  });

  it("from before the policy is warned of first, however long it has been unused", async () => {
    stopTime();
    const organizationId = await installation.organization();
    const key = await installation.key(organizationId, []);
    await pass(organizationId, 100 * DAY_MS);
    await installation.must("PUT", `/organizations/${organizationId}/api_key_policy`, policy);
    await sweep(organizationId);
    expect(await typesOf(key, organizationId)).toEqual(["api_key.idle"]);
    await pass(organizationId, 7 * DAY_MS - 2 * MINUTE_MS);
    expect(await read(key)).toMatchObject({ disabled_at: null });
    await pass(organizationId, 2 * MINUTE_MS);
    expect(await typesOf(key, organizationId)).toEqual(["api_key.idle", "api_key.disabled"]);
  });

  it("is not blamed for the time in which its owner was kept from using it", async () => {
    stopTime();
    const organizationId = await organizationWith(policy);
    const { userId, membershipId } = await installation.member(organizationId, "member");
    const key = await installation.userKey(userId, organizationId, []);
    const membership = `/user_management/organization_memberships/${membershipId}`;
    await installation.must("PUT", `${membership}/deactivate`, {});
    await pass(organizationId, 40 * DAY_MS);
    await pass(organizationId, 40 * DAY_MS);
    await installation.must("PUT", `${membership}/reactivate`, {});
    await pass(organizationId, DAY_MS);
    expect(await typesOf(key, organizationId)).toEqual([]);
    await pass(organizationId, 30 * DAY_MS);
    expect(await typesOf(key, organizationId)).toEqual(["api_key.idle"]);
  });

  it.each(["suspended", "inactive"])("is not blamed for a time of being %s that nobody looked into", async (kept) => {
    stopTime();
    const organizationId = await organizationWith(policy);
    const { userId, membershipId } = await installation.member(organizationId, "member");
    const key = await installation.userKey(userId, organizationId, []);
    const membership = `/user_management/organization_memberships/${membershipId}`;
    const [keep, release] = {
      suspended: [
        ["POST", `/organizations/${organizationId}/suspend`],
        ["POST", `/organizations/${organizationId}/resume`],
      ] as const,
      inactive: [
        ["PUT", `${membership}/deactivate`],
        ["PUT", `${membership}/reactivate`],
      ] as const,
    }[kept as "suspended"];
    await pass(organizationId, 2 * DAY_MS);
    await installation.must(...keep, {});
    await pass(organizationId, 20 * DAY_MS);
    await installation.must(...release, {});
    // Only who was kept from it begins anew.
    await pass(organizationId, DAY_MS);
    await installation.must(...release, {});
    await pass(organizationId, 22 * DAY_MS);
    expect(await typesOf(key, organizationId)).toEqual([]);
    await pass(organizationId, MINUTE_MS);
    expect(await typesOf(key, organizationId)).toEqual(["api_key.idle"]);
  });

  it("is warned anew when the rule it was warned of was lifted and comes back", async () => {
    stopTime();
    const organizationId = await organizationWith({ ...policy, expiry_notice_days: [] });
    const key = await installation.key(organizationId, [], { expires_at: inDays(300) });
    await pass(organizationId, 23 * DAY_MS + MINUTE_MS);
    const path = `/organizations/${organizationId}/api_key_policy`;
    for (const lifted of [{ idle_days_max: null }, { idle_days_max: 90 }]) {
      await installation.must("PUT", path, { ...policy, ...lifted, expiry_notice_days: [] });
      await sweep(organizationId);
      await pass(organizationId, 10 * DAY_MS);
      await installation.must("PUT", path, { ...policy, expiry_notice_days: [] });
      await sweep(organizationId);
      expect(await read(key)).toMatchObject({ disabled_at: null });
    }
    expect(await typesOf(key, organizationId)).toEqual(["api_key.idle", "api_key.idle", "api_key.idle"]);
    await pass(organizationId, 7 * DAY_MS);
    expect(await typesOf(key, organizationId)).toEqual(["api_key.idle", "api_key.idle", "api_key.idle", "api_key.disabled"]);
  });
});

describe("many keys", () => {
  it("are dealt with in parts, each once, in as many receipts as parts, and none is looked at that is not due", async () => {
    const organizationId = await organizationWith({ idle_days_max: 30, idle_warning_days: 0 });
    const { id: template } = await installation.key(organizationId, []);
    const receiptsIn = (sql: SqlStorage) => sql.exec<{ n: number }>("SELECT count(*) AS n FROM receipts").one().n;
    const before = await inCell(organizationId, (sql) => {
      const nowMs = Date.now();
      const columns = sql.exec("SELECT * FROM api_keys WHERE id = ?", template).columnNames.filter((name) => name !== "id");
      for (let nth = 0; nth < 250; nth += 1) {
        const id = newId("api_key", cellOf(organizationId));
        sql.exec(`INSERT INTO api_keys (id, ${columns.join()}) SELECT ?, ${columns.join()} FROM api_keys WHERE id = ?`, id, template);
        sql.exec("UPDATE api_keys SET created_at_ms = ? WHERE id = ?", nowMs - 31 * DAY_MS, id);
        sql.exec("INSERT INTO api_key_schedule VALUES (?, ?, ?, 0, ?)", id, nowMs - 250 + nth, nowMs, nowMs);
      }
      return receiptsIn(sql);
    });
    await sweep(organizationId);
    const disabled = await inCell(organizationId, (sql) =>
      sql.exec<{ n: number }>("SELECT count(*) AS n FROM entries WHERE type = 'api_key.disabled' AND actor_id = 'api_key_policy'").one(),
    );
    const stillEnabled = await inCell(organizationId, (sql) =>
      sql.exec("SELECT id FROM api_keys WHERE organization_id = ? AND disabled_at_ms IS NULL", organizationId).toArray(),
    );
    expect(stillEnabled).toEqual([{ id: template }]);
    expect(disabled.n).toBeGreaterThanOrEqual(250);
    expect((await inCell(organizationId, receiptsIn)) - before).toBe(3);
  });

  it("are found by an index, whatever else the cell holds", async () => {
    const plans = await inCell(PLATFORM_ORGANIZATION_ID, (sql) =>
      [
        "SELECT key_id FROM api_key_schedule WHERE due_at_ms <= 1 ORDER BY due_at_ms LIMIT 100",
        "SELECT min(due_at_ms) AS due FROM api_key_schedule",
        "SELECT * FROM ending_secrets WHERE ends_at_ms <= 1 ORDER BY ends_at_ms LIMIT 100",
        "SELECT min(ends_at_ms) AS due FROM ending_secrets",
        "SELECT * FROM api_key_requests WHERE status IN ('pending', 'approved') AND expires_at_ms <= 1 ORDER BY expires_at_ms LIMIT 100",
        "SELECT min(expires_at_ms) AS due FROM api_key_requests WHERE status IN ('pending', 'approved')",
        "SELECT 1 FROM api_keys WHERE organization_id = 'o' AND owner_type = 'user' AND user_id IS 'u' AND revoked_seq IS NULL AND expires_at_ms > 1",
      ].map((query) => sql.exec<{ detail: string }>(`EXPLAIN QUERY PLAN ${query}`).toArray()),
    );
    for (const plan of plans) expect(plan.map(({ detail }) => detail).join("; ")).toMatch(/USING (?:COVERING )?INDEX (?!sqlite_)/);
  });
});

it("requests whose time is up are ended, and told of once", async () => {
  stopTime();
  const organizationId = await installation.organization();
  const request = await installation.must("POST", `/organizations/${organizationId}/api_key_requests`, { name: "x" });
  await pass(organizationId, 7 * DAY_MS - 1);
  expect(await installation.must("GET", `/api_key_requests/${String(request["id"])}`)).toMatchObject({ status: "pending" });
  await pass(organizationId, 1);
  await pass(organizationId, DAY_MS);
  expect(await installation.must("GET", `/api_key_requests/${String(request["id"])}`)).toMatchObject({ status: "expired" });
  const told = await inCell(organizationId, (sql) =>
    sql.exec("SELECT type FROM entries WHERE subject = ? ORDER BY seq", String(request["id"])).toArray(),
  );
  expect(told).toEqual([{ type: "api_key_request.created" }, { type: "api_key_request.expired" }]);
});

it("a sweep that fails is tried again later, and keeps the cell from nothing else", async () => {
  const organizationId = await organizationWith({ expiry_notice_days: [] });
  const key = await installation.key(organizationId, [], { expires_at: inDays(1) });
  await inCell(organizationId, (sql) => {
    sql.exec("UPDATE api_key_schedule SET due_at_ms = 0 WHERE key_id = ?", key.id);
    sql.exec("ALTER TABLE api_key_schedule RENAME COLUMN idle_from_ms TO elsewhere");
  });
  await vi.waitFor(async () => {
    await runDurableObjectAlarm(ledgerOf(organizationId));
    expect(await alarmOf(organizationId)).toBeGreaterThan(Date.now());
  }, IN_TIME);
  await inCell(organizationId, (sql) => void sql.exec("ALTER TABLE api_key_schedule RENAME COLUMN elsewhere TO idle_from_ms"));
  expect((await installation.call("GET", `/api_keys/${key.id}`)).status).toBe(200);
  const dueMs = () => inCell(organizationId, (sql) => sql.exec("SELECT due_at_ms FROM api_key_schedule WHERE key_id = ?", key.id).one());
  expect(await dueMs()).toEqual({ due_at_ms: 0 });
  stopTime();
  await pass(organizationId, MINUTE_MS);
  expect(await dueMs()).toEqual({ due_at_ms: Date.parse(String((await read(key))["expires_at"])) });
});
