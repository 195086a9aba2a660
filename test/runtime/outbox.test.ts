/** How records reach KV: in order, at KV's pace, at least once, whatever KV refuses and whenever the cell dies. */
import { env } from "cloudflare:workers";
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { recordName, type KeyRecord } from "../../core/record.ts";
import { healKv, kvFaults } from "./faulty-kv.ts";
import { envelope, newKey, newOrganization, replyOf } from "./ledger-commands.ts";
import { healLedger, kill, ledgerFaults } from "./ledger-faults.ts";
import { drainOutbox, publishedRecord, readSigned } from "./outbox.ts";

const CELL = "cell-1";
/** KV takes one write per second and name. */
const PUT_INTERVAL_MS = 1_000;
/** Told to a cell that has moved on since: KV shows what was published last, and that will not do any more. */
const SUPERSEDED = Number.MAX_SAFE_INTEGER;
/** The platform repeats an alarm that failed after two seconds; the outbox tries again after one, two, four. */
const IN_TIME = { timeout: 30_000, interval: 20 };

const cell = () => env.LEDGER.getByName(CELL);
const key = async () => newKey(cell(), await newOrganization(cell()));
/** A change that gateways must know of. */
const postpone = async (id: string, hours: number) =>
  replyOf(await cell().execute(envelope({ type: "expire_api_key", id, expires_at_ms: Date.now() + hours * 3_600_000 })));
const revoke = async (id: string) => replyOf(await cell().execute(envelope({ type: "revoke_api_key", id })));
/** The records that arrived for a token, oldest first. */
const arrivedOf = (tokenId: string) =>
  kvFaults.arrived.filter(({ name }) => name === recordName(tokenId)).map(({ name, value }) => readSigned(name, value) as KeyRecord);

/** What arrived came in the ledger's order, and the last of it is the truth. */
async function expectInOrderAndTrue(tokenId: string): Promise<void> {
  const stamps = arrivedOf(tokenId).map(({ stamp }) => stamp);
  expect(stamps).toEqual(stamps.toSorted((a, b) => a - b));
  expect(await cell().resolve(tokenId)).toEqual({ found: true, record: arrivedOf(tokenId).at(-1) });
}

beforeEach(() => {
  healKv();
  healLedger();
});

describe("the outbox", () => {
  it("publishes a record, then a tombstone in its place", async () => {
    const { id, tokenId } = await key();
    await drainOutbox(1);
    expect(await publishedRecord(tokenId)).toMatchObject({ state: "active", key_id: id });
    await revoke(id);
    await drainOutbox(1);
    expect(await publishedRecord(tokenId)).toMatchObject({ state: "revoked" });
  });

  it("tries again until KV takes the record, also after the object has been evicted", async () => {
    kvFaults.putsRefused = true;
    const { id, tokenId } = await key();
    for (let attempt = 0; attempt < 3; attempt++) await runDurableObjectAlarm(cell());
    expect(await env.KEYS.get(recordName(tokenId))).toBeNull();
    await evictDurableObject(cell());
    expect(await runInDurableObject(cell(), (_, state) => state.storage.getAlarm())).not.toBeNull();
    kvFaults.putsRefused = false;
    await drainOutbox(1);
    expect(await publishedRecord(tokenId)).toMatchObject({ key_id: id });
  });

  it("sends several changes of one key in order, the last one last", async () => {
    const { id, tokenId } = await key();
    for (const hours of [1, 2, 3]) {
      await postpone(id, hours);
      await drainOutbox(1);
    }
    expect(arrivedOf(tokenId).length).toBeGreaterThanOrEqual(3);
    await expectInOrderAndTrue(tokenId);
  });

  it("begins no two puts of a name within a second, however often its record changes, is asked for, or is refused by KV", async () => {
    const { id, tokenId } = await key();
    for (let change = 0; change < 30; change += 1) {
      kvFaults.putsRefused = change % 12 < 4;
      if (change < 12) await postpone(id, 1 + change);
      else await newOrganization(cell());
      await cell().resolve(tokenId, SUPERSEDED);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    kvFaults.putsRefused = false;
    await vi.waitFor(async () => expect(await cell().resolve(tokenId)).toMatchObject({ record: arrivedOf(tokenId).at(-1) }), IN_TIME);
    const begunAtMs = kvFaults.begun.filter(({ name }) => name === recordName(tokenId)).map(({ atMs }) => atMs);
    expect(begunAtMs.length).toBeGreaterThanOrEqual(3);
    for (const [at, ms] of begunAtMs.slice(1).entries()) expect(ms - (begunAtMs[at] ?? 0)).toBeGreaterThanOrEqual(PUT_INTERVAL_MS);
    await expectInOrderAndTrue(tokenId);
  });

  it("publishes again when a gateway finds KV empty long after the first time", async () => {
    const { tokenId } = await key();
    await drainOutbox(1);
    await env.KEYS.delete(recordName(tokenId));
    await runInDurableObject(
      cell(),
      (_, state) =>
        void state.storage.sql.exec(
          "UPDATE publications SET published_at_ms = 0, published_seq = published_seq - 1, wanted_seq = wanted_seq - 1 WHERE token_id = ?",
          tokenId,
        ),
    );
    await cell().resolve(tokenId, null);
    await drainOutbox(1);
    expect(await publishedRecord(tokenId)).toMatchObject({ state: "active" });
  });
});

describe("a cell that dies", () => {
  it("between commit and outbox publishes in its next life, though nobody asks it anything", async () => {
    const { id, tokenId } = await key();
    await drainOutbox(1);
    ledgerFaults.dyingAtAlarm.add(CELL);
    await revoke(id);
    await vi.waitFor(() => expect(ledgerFaults.dyingAtAlarm).toEqual(new Set()), IN_TIME);
    // What was noted too late may have arrived once more before.
    await vi.waitFor(() => expect(arrivedOf(tokenId).at(-1)).toMatchObject({ state: "revoked" }), IN_TIME);
    await expectInOrderAndTrue(tokenId);
  });

  it.each<[string, (key: { readonly id: string; readonly tokenId: string }) => Promise<unknown>, readonly string[]]>([
    ["the same record", async () => {}, ["active", "active"]],
    ["what has become of the record", ({ id }) => revoke(id), ["active", "revoked"]],
    ["the same record when it is asked at once, too early for KV", ({ tokenId }) => killAndAsk(tokenId), ["active", "active"]],
  ])("between a put and its note of it puts, in its next life, %s", async (_, meanwhile, states) => {
    const made = await key();
    kvFaults.putsUnanswered = true;
    await vi.waitFor(() => expect(arrivedOf(made.tokenId)).toHaveLength(1), IN_TIME);
    Object.assign(kvFaults, { putsUnanswered: false, putsLimited: true });
    await meanwhile(made);
    await kill(cell());
    await vi.waitFor(() => expect(arrivedOf(made.tokenId)).toHaveLength(2), IN_TIME);
    expect(arrivedOf(made.tokenId).map(({ state }) => state)).toEqual(states);
    await expectInOrderAndTrue(made.tokenId);
  });
});

async function killAndAsk(tokenId: string): Promise<void> {
  await kill(cell());
  await cell().resolve(tokenId);
}
