/** Events inside workerd: what entries tell, what the end of many keys tells, and a list that only grows at its end. */
import { env } from "cloudflare:workers";
import { runInDurableObject } from "cloudflare:test";
import { beforeAll, describe, expect, it } from "vitest";
import fc from "fast-check";
import { eventPage } from "../../control-plane/event-listing.ts";
import type { LedgerContract } from "../../control-plane/ledger/contract.ts";
import { settleEvents } from "../../control-plane/ledger/events.ts";
import { eventSlice, type EventFilter } from "../../control-plane/ledger/event-walk.ts";
import { Transaction } from "../../control-plane/ledger/transaction.ts";
import type { EventView } from "../../control-plane/ledger/view.ts";
import { placeOfEvent } from "../../core/event.ts";
import { cellOfOrganization } from "../../core/identifier.ts";
import type { Page, PageRequest } from "../../core/page.ts";
import { foreignEntry } from "./foreign-entries.ts";
import { install, type Installation } from "./installation.ts";

const CELLS = 4;
const EVERYTHING: EventFilter = { to_ms: Number.MAX_SAFE_INTEGER };

let installation: Installation;
beforeAll(async () => {
  installation = await install();
});

const ledgers = (): LedgerContract[] => Array.from({ length: CELLS }, (_, cell) => env.LEDGER.getByName(`cell-${cell}`) as LedgerContract);

/** All events that a filter lets through, read page by page. */
async function all(filter: Partial<EventFilter>, request: Partial<PageRequest> = {}): Promise<EventView[]> {
  const found: EventView[] = [];
  let after: string | undefined;
  do {
    const page: Page<EventView> = await eventPage(
      ledgers(),
      { ...EVERYTHING, ...filter },
      { limit: 3, order: "asc", ...request, after },
      Date.now(),
    );
    found.push(...page.data);
    after = page.list_metadata.after ?? undefined;
  } while (after !== undefined);
  return found;
}

const namesOf = (events: readonly EventView[]) => events.map(({ event }) => event);
const idsOf = (events: readonly EventView[]) => events.map(({ data }) => data["id"]);

describe("events", () => {
  it("show the object as of the entry, whatever has become of it since", async () => {
    const organization_id = await installation.organization();
    const key = await installation.key(organization_id, ["orders:read", "orders:write"], { name: "First" });
    await installation.must("PATCH", `/api_keys/${key.id}`, { name: "Second", permissions: ["orders:read"] });
    await installation.must("POST", `/api_keys/${key.id}/expire`, { expires_at: "2099-01-01T00:00:00.000Z" });
    await installation.must("DELETE", `/api_keys/${key.id}`);
    const events = await all({ organization_id });
    expect(namesOf(events)).toEqual(["organization.created", "api_key.created", "api_key.updated", "api_key.updated", "api_key.revoked"]);
    const [, created, renamed, expiring, revoked] = events;
    expect(created?.data).toMatchObject({ object: "api_key", id: key.id, name: "First", permissions: ["orders:read", "orders:write"] });
    expect(created?.data).not.toHaveProperty("previous_attributes");
    expect(renamed?.data).toMatchObject({
      name: "Second",
      expires_at: null,
      previous_attributes: { name: "First", permissions: ["orders:read", "orders:write"] },
    });
    expect(expiring?.data).toMatchObject({ expires_at: "2099-01-01T00:00:00.000Z", previous_attributes: { expires_at: null } });
    expect(revoked?.data).toMatchObject({ id: key.id, name: "Second", owner: { type: "organization", id: organization_id } });
    expect(created?.context.actor).toMatchObject({ source: "api", name: null, id: expect.stringMatching(/^api_key_/) as string });
    const text = JSON.stringify(events);
    expect(text).not.toContain(key.value);
    expect(text).not.toContain("sha256");
  });

  it("show a deleted object as it was last, and the first key as a key that was created", async () => {
    await installation.must("POST", "/authorization/permissions", { slug: "short:lived", name: "Short-lived" });
    await installation.must("DELETE", "/authorization/permissions/short:lived");
    const [deleted] = await all({ types: ["permission.deleted"] });
    expect(deleted?.data).toMatchObject({ object: "permission", slug: "short:lived", name: "Short-lived" });
    const [first] = await all({ types: ["api_key.created"] });
    expect(first?.data).toMatchObject({ object: "api_key", owner: { id: "org_platform" } });
  });

  it("leave out the cells' own bookkeeping, and keep types that no code here knows", async () => {
    await runInDurableObject(env.LEDGER.getByName("cell-2"), (_, { storage }) =>
      storage.transactionSync(() =>
        new Transaction(storage.sql, Date.now(), { type: "system", id: "test" }).append(foreignEntry("weather.changed"), "sky", {
          organization_id: "org_x",
          sun: true,
        }),
      ),
    );
    const events = await all({});
    expect(namesOf(events)).not.toContain("catalogue.mirrored");
    expect(await all({ organization_id: "org_x" })).toMatchObject([{ event: "weather.changed", data: { sun: true } }]);
  });
});

describe("an entry that ends keys", () => {
  it("is one event more for each of them, with ids that last, in every order and through every filter", async () => {
    const organization_id = await installation.organization();
    const { userId, membershipId } = await installation.member(organization_id, "member");
    const keys = [];
    for (let nth = 0; nth < 7; nth++) keys.push((await installation.userKey(userId, organization_id, ["orders:read"])).id);
    await installation.must("DELETE", `/user_management/organization_memberships/${membershipId}`);
    const last = (await installation.key(organization_id, ["orders:read"])).id;

    const revoked = await all({ organization_id, types: ["api_key.revoked"] });
    expect(idsOf(revoked)).toEqual(keys);
    expect(revoked[0]?.data).toMatchObject({ object: "api_key", owner: { type: "user", id: userId, organization_id } });
    expect(new Set(revoked.map(({ id }) => placeOfEvent(id)?.seq)).size).toBe(1);

    const whole = await all({ organization_id });
    expect(namesOf(whole).slice(-9)).toEqual(["organization_membership.deleted", ...keys.map(() => "api_key.revoked"), "api_key.created"]);
    expect(whole.at(-1)?.data["id"]).toBe(last);
    expect(await all({ organization_id }, { order: "desc" })).toEqual(whole.toReversed());
    expect(await all({ organization_id, types: ["api_key.revoked", "organization_membership.deleted"] })).toEqual(whole.slice(-9, -1));
    expect(await all({ organization_id, types: ["organization_membership.deleted"] })).toEqual(whole.slice(-9, -8));

    const ledger = ledgers()[placeOfEvent(revoked[3]?.id ?? "")?.cell ?? 0];
    expect(await ledger?.event(revoked[3]?.id ?? "")).toEqual(revoked[3]);
    await installation.must("POST", "/authorization/permissions", { slug: "orders:brief", name: "x" });
    await installation.must("DELETE", "/authorization/permissions/orders:brief");
    expect(await all({ organization_id })).toEqual(whole);
  });

  it("tells the same when an organization's keys are noted as ended only later, in parts", async () => {
    const organization_id = await installation.organization();
    await installation.must("POST", "/authorization/permissions", { slug: "short:held", name: "Held until the end" });
    const keys: string[] = [];
    for (let nth = 0; nth < 5; nth++) keys.push((await installation.key(organization_id, ["short:held"])).id);
    await installation.must("DELETE", `/api_keys/${keys[0]}`);
    const stub = env.LEDGER.getByName(`cell-${cellOfOrganization(organization_id, CELLS)}`);
    const seq = await runInDurableObject(stub, (_, { storage }) =>
      storage.transactionSync(() => {
        const { sql } = storage;
        const ended = new Transaction(sql, Date.now(), { type: "system", id: "test" }).append("organization.deleted", organization_id, {});
        sql.exec("DELETE FROM organizations WHERE id = ?", organization_id);
        return ended;
      }),
    );
    const revoked = await all({ organization_id, types: ["api_key.revoked"] });
    expect(idsOf(revoked)).toEqual(keys);
    for (const part of [keys.slice(2, 4), keys.slice(1, 2), keys.slice(4)]) {
      await runInDurableObject(stub, (_, { storage: { sql } }) => {
        for (const id of part) sql.exec("UPDATE api_keys SET revoked_seq = ?, updated_at_ms = updated_at_ms + 77 WHERE id = ?", seq, id);
      });
      expect(await all({ organization_id, types: ["api_key.revoked"] })).toEqual(revoked);
      expect(await all({ organization_id, types: ["api_key.revoked"] }, { order: "desc" })).toEqual(revoked.toReversed());
    }
    await installation.must("DELETE", "/authorization/permissions/short:held");
    expect(await all({ organization_id, types: ["api_key.revoked"] })).toEqual(revoked);
  });

  it("pages backwards through its middle", async () => {
    const [{ id }] = (await all({ types: ["api_key.revoked"] })).slice(-2) as [EventView, EventView];
    const whole = await all({});
    const at = whole.findIndex((event) => event.id === id);
    const before = await eventPage(ledgers(), EVERYTHING, { limit: 4, order: "asc", before: id }, Date.now());
    expect(before.data).toEqual(whole.slice(at - 4, at));
    expect(before.list_metadata).toEqual({ before: whole[at - 4]?.id, after: whole[at - 1]?.id });
    for (const [order, from, next] of [
      ["asc", whole[0], whole[1]],
      ["desc", whole.at(-1), whole.at(-2)],
    ] as const) {
      const second = await eventPage(ledgers(), EVERYTHING, { limit: 1, order, after: from?.id }, Date.now());
      expect([second.data, second.list_metadata.before]).toEqual([[next], next?.id]);
    }
  });
});

describe("filters", () => {
  it("find the few wanted among many that are not", async () => {
    const organization_id = await installation.organization();
    const stub = env.LEDGER.getByName("cell-3");
    await runInDurableObject(stub, (_, { storage }) =>
      storage.transactionSync(() => {
        const transaction = new Transaction(storage.sql, Date.now(), { type: "system", id: "test" });
        for (let nth = 0; nth < 130; nth++) transaction.append(foreignEntry("noise.made"), `n${nth}`, {});
        storage.sql.exec("UPDATE events SET ends_keys = 1 WHERE type = 'noise.made'");
        transaction.append(foreignEntry("organization.renamed_elsewhere"), "x", { organization_id });
      }),
    );
    expect(namesOf(await all({ organization_id }))).toEqual(["organization.created", "organization.renamed_elsewhere"]);
  });

  it("take both ends of a range along", async () => {
    const events = await all({});
    const times = events.map(({ created_at }) => Date.parse(created_at));
    const [from_ms, to_ms] = [times[5] ?? 0, times[12] ?? 0];
    const within = events.filter((_, nth) => (times[nth] ?? 0) >= from_ms && (times[nth] ?? 0) <= to_ms);
    expect(within.length).toBeGreaterThan(5);
    expect(await all({ from_ms, to_ms })).toEqual(within);
  });
});

describe("the list of all cells", () => {
  it("has an order also for what happened in several cells in the same millisecond", async () => {
    const atMs = Date.now() + 1_000;
    for (let round = 0; round < 2; round++) for (let cell = 0; cell < CELLS; cell++) await appendAt(cell, atMs, "same.moment");
    for (const order of ["asc", "desc"] as const) {
      const seen: string[] = [];
      for (let after: string | undefined, isMore = true; isMore;) {
        const page = await eventPage(
          skewedCells(() => atMs + 1_000),
          { ...EVERYTHING, types: ["same.moment"] },
          { limit: 1, order, after },
          atMs + 500,
        );
        seen.push(...page.data.map(({ id }) => id));
        after = page.list_metadata.after ?? undefined;
        isMore = after !== undefined;
      }
      expect(seen).toHaveLength(2 * CELLS);
      expect(seen).toEqual(order === "asc" ? [...new Set(seen)].toSorted() : [...new Set(seen)].toSorted().toReversed());
    }
  });

  it("only grows at its end, though clocks differ and run backwards: nothing is missed, nothing comes twice", async () => {
    const start = Date.now() + 60_000;
    let run = 0;
    await fc.assert(
      fc.asyncProperty(steps(), async (script) => {
        run += 1;
        const type = `run.number_${run}`;
        // Beyond everything that earlier runs have stamped or settled.
        let nowMs = start + run * 1_000_000;
        const skewed = skewedCells(() => nowMs);
        const listed: string[] = [];
        let after: string | undefined;
        let appended = 0;
        const read = async () => {
          const filter = { ...EVERYTHING, types: [type] };
          const page = await eventPage(skewed, filter, { limit: 2, order: "asc", ...(after !== undefined && { after }) }, nowMs);
          listed.push(...page.data.map(({ id }) => id));
          after = listed.at(-1);
          return page.data.length;
        };
        for (const step of script) {
          nowMs += step.pauseMs;
          if (step.cell === null) await read();
          else {
            await appendAt(step.cell, nowMs + step.skewMs, type);
            appended += 1;
          }
        }
        nowMs += 10_000;
        while ((await read()) > 0);
        expect(listed).toHaveLength(appended);
        expect(listed).toEqual([...new Set(listed)].toSorted());
      }),
      { numRuns: 40 },
    );
  });
});

interface Step {
  /** Where something is committed; null: the list is read. */
  readonly cell: number | null;
  readonly pauseMs: number;
  /** What the cell's clock is off by at this moment. */
  readonly skewMs: number;
}

function steps(): fc.Arbitrary<Step[]> {
  const cell = fc.option(fc.integer({ min: 0, max: CELLS - 1 }), { nil: null, freq: 3 });
  return fc.array(fc.record({ cell, pauseMs: fc.integer({ min: 0, max: 60 }), skewMs: fc.integer({ min: -100, max: 100 }) }), {
    minLength: 10,
    maxLength: 40,
  });
}

/** The real cells, each with a clock of its own that is off by something else. */
function skewedCells(now: () => number): Pick<LedgerContract, "settleEvents" | "listEvents">[] {
  return Array.from({ length: CELLS }, (_, cell) => {
    const stub = env.LEDGER.getByName(`cell-${cell}`);
    return {
      settleEvents: (askedMs) =>
        runInDurableObject(stub, (_ledger, { storage }) => settleEvents(storage.sql, askedMs, now() + 10 * cell - 15)),
      listEvents: (filter, walk) => runInDurableObject(stub, (_ledger, { storage }) => eventSlice(storage.sql, cell, filter, walk)),
    };
  });
}

async function appendAt(cell: number, atMs: number, type: string): Promise<void> {
  await runInDurableObject(env.LEDGER.getByName(`cell-${cell}`), (_, { storage }) =>
    storage.transactionSync(() => new Transaction(storage.sql, atMs, { type: "system", id: "test" }).append(foreignEntry(type), "x", {})),
  );
}
