/** The audit log inside a cell: whom entries concern, lists by any filter at any length, and what is left when content has had its time. */
import { env } from "cloudflare:workers";
import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { describe, expect, it } from "vitest";
import { firstHash, linkHash } from "../../core/audit/chain.ts";
import { assemblePage, walkOf, type PageRequest } from "../../core/page.ts";
import { auditExportPage, auditSlice, auditStretch, type AuditFilter, type AuditScope } from "../../control-plane/ledger/audit-log.ts";
import { dropOldContent, nextDroppingAtMs } from "../../control-plane/ledger/audit-retention.ts";
import type { LedgerContract } from "../../control-plane/ledger/contract.ts";
import { migrateToAuditLog } from "../../control-plane/ledger/audit-schema.ts";
import { CHAIN_START, latestSeq, readEntries } from "../../control-plane/ledger/journal.ts";
import { Transaction } from "../../control-plane/ledger/transaction.ts";
import type { AuditEntryView } from "../../control-plane/ledger/audit-view.ts";
import { foreignEntry } from "./foreign-entries.ts";
import { envelope, minted, newId, replyOf } from "./ledger-commands.ts";

const CELL = 1;
const DAY_MS = 86_400_000;
const ledger = (n: number): LedgerContract => env.LEDGER.getByName(`cell-${n}`);
const cell = () => ledger(CELL);
const inCell = <Result>(run: (sql: SqlStorage, storage: DurableObjectStorage) => Result | Promise<Result>): Promise<Result> =>
  runInDurableObject(env.LEDGER.getByName(`cell-${CELL}`), (_, state) => run(state.storage.sql, state.storage));

async function organization(): Promise<string> {
  const id = newId("org");
  replyOf(await cell().execute(envelope({ type: "create_organization", id, name: "Acme", external_id: null })));
  return id;
}

async function key(organizationId: string): Promise<string> {
  const id = newId("api_key");
  const owner = { type: "organization", id: organizationId } as const;
  replyOf(
    await cell().execute(
      envelope({ type: "create_api_key", id, owner, name: "CI", permissions: [], expires_at_ms: null, minted: minted() }),
    ),
  );
  return id;
}

/** A page as the API makes it, from this one cell. */
async function page(scope: AuditScope, filter: AuditFilter, asked: Partial<PageRequest> = {}) {
  const request = { limit: 3, order: "desc", ...asked } as const;
  return assemblePage(request, [await cell().auditEntries(scope, filter, walkOf(request))]);
}

/** All pages one after another, by the cursor that goes on. */
async function allPages(scope: AuditScope, order: PageRequest["order"], backwardsFrom?: string): Promise<AuditEntryView[]> {
  const seen: AuditEntryView[] = [];
  let cursor = backwardsFrom;
  for (;;) {
    const isBackwards = backwardsFrom !== undefined;
    const { data, list_metadata } = await page(scope, {}, { order, ...(isBackwards ? { before: cursor } : { after: cursor }) });
    seen.push(...(isBackwards ? data.toReversed() : data));
    const next = isBackwards ? list_metadata.before : list_metadata.after;
    if (next === null) return seen;
    cursor = next;
  }
}

describe("whom an entry concerns", () => {
  it("finds all that concerns an organization, in its own chain, and nothing of another one's", async () => {
    const [mine, others] = [await organization(), await organization()];
    const id = await key(mine);
    await key(others);
    replyOf(await cell().execute(envelope({ type: "update_api_key", id, name: "renamed" })));
    replyOf(await cell().execute(envelope({ type: "revoke_api_key", id })));
    const { rows } = await cell().auditEntries({ organization_id: mine }, {}, { ascending: true, from: undefined, rows: 10 });
    expect(rows.map(({ type, organizations }) => [type, organizations])).toEqual(
      ["organization.created", "api_key.created", "api_key.updated", "api_key.revoked"].map((type) => [type, [mine]]),
    );
    const lines = await cell().auditExportPage({ organization_id: mine }, 0, rows.at(-1)?.seq ?? 0);
    expect(lines.map(({ hash }) => hash)).toEqual(rows.map(({ hash }) => hash));
  });

  it("puts what concerns no organization with the installation", async () => {
    const slug = "audit:read";
    const enabled_for = { user_api_keys: true, organization_api_keys: true };
    const home = ledger(0);
    replyOf(
      await home.execute(envelope({ type: "create_permission", id: newId("perm", 0), slug, name: slug, description: null, enabled_for })),
    );
    const walk = { ascending: false, from: undefined, rows: 1 };
    const { rows } = await home.auditEntries({ organization_id: "installation" }, {}, walk);
    expect(rows).toMatchObject([{ type: "permission.created", subject: slug, organizations: [] }]);
  });

  it("makes an entry that concerns several a link of each one's chain, and exports it to none of them", async () => {
    const both = [await organization(), await organization()];
    const seq = await inCell((sql, storage) =>
      storage.transactionSync(() =>
        new Transaction(sql, Date.now(), { type: "system", id: "test" }).append("api_key.bulk_revoked", "api_keys", { ids: both }, both),
      ),
    );
    for (const organization_id of both) {
      expect((await page({ organization_id }, {})).data[0]).toMatchObject({ seq, organizations: both.toSorted() });
      const line = (await cell().auditExportPage({ organization_id }, 0, seq)).at(-1);
      expect(Object.keys(line ?? {}).toSorted()).toEqual(["content", "digest", "hash", "seq"]);
      expect(JSON.stringify(line)).not.toContain("org_");
    }
    expect((await cell().auditExportPage({ journal: "entries" }, seq - 1, seq))[0]).toMatchObject({ organizations: both.toSorted() });
  });
});

describe("a list", () => {
  it.each(["desc", "asc"] as const)("goes there and back in order %s, while entries are added", async (order) => {
    const organization_id = await organization();
    for (let n = 0; n < 7; n += 1) await key(organization_id);
    const scope = { organization_id };
    const { data: all } = await page(scope, {}, { limit: 100, order });
    expect(all).toHaveLength(8);
    const first = await page(scope, {}, { order });
    await key(organization_id);
    const next = await page(scope, {}, { order, after: first.list_metadata.after ?? undefined });
    expect([...first.data, ...next.data].map(({ seq }) => seq)).toEqual(all.slice(0, 6).map(({ seq }) => seq));
    const back = await page(scope, {}, { order, before: next.list_metadata.before ?? undefined });
    expect(back.data).toEqual(first.data);
    const forwards = await allPages(scope, order);
    expect(forwards).toHaveLength(9);
    const backwards = await allPages(scope, order, forwards.at(-1)?.id);
    expect(backwards.toReversed()).toEqual(forwards.slice(0, -1));
  });

  it("merges cells by time, then cell: every entry once, from any cursor", async () => {
    const atMs = Date.now() + DAY_MS;
    const cells = [2, 3];
    for (const [at, written] of cells.entries())
      await runInDurableObject(env.LEDGER.getByName(`cell-${written}`), (_, state) =>
        state.storage.transactionSync(() => {
          const { sql } = state.storage;
          for (let nth = 0; nth < 5; nth += 1)
            new Transaction(sql, atMs + (nth % 2), { type: "system", id: "merge" }).append(foreignEntry("test.done"), `${at}`, { nth });
        }),
      );
    const ask = async (asked: Partial<PageRequest>) => {
      const request = { limit: 3, order: "asc", ...asked } as const;
      const slices = cells.map((n) => ledger(n).auditEntries({ journal: "entries" }, { actor_id: "merge" }, walkOf(request)));
      return assemblePage<AuditEntryView>(request, await Promise.all(slices));
    };
    const all = (await ask({ limit: 100 })).data;
    expect(all).toHaveLength(10);
    for (const [at, { id }] of all.entries()) {
      expect((await ask({ after: id })).data).toEqual(all.slice(at + 1, at + 4));
      expect((await ask({ before: id })).data).toEqual(all.slice(Math.max(0, at - 3), at));
      expect((await ask({ before: id })).list_metadata.after).toEqual(at === 0 ? null : all[at - 1]?.id);
    }
  });
});

describe("of 20,000 entries", () => {
  const ENTRIES = 20_000;
  const BUSY = "org_busy";
  const FROM_MS = Date.now() + 10 * DAY_MS;
  /** Every hundredth entry is another organization's, every fiftieth by the admin, every fortieth a revocation. */
  const fill = () =>
    inCell((sql, storage) =>
      storage.transactionSync(() => {
        for (let n = 0; n < ENTRIES; n += 1) {
          const actor = { type: "api_key", id: n % 50 === 7 ? "admin" : "settings_page" } as const;
          const type = n % 40 === 3 || n % 400 === 7 ? "api_key.revoked" : "api_key.updated";
          const organization_id = n % 100 === 0 ? "org_quiet" : BUSY;
          new Transaction(sql, FROM_MS + n, actor).append(foreignEntry(type), `key-${n % 5_000}`, { organization_id, n });
        }
      }),
    );

  /** Runs with a count of the rows that SQLite read. */
  const counting = <Result>(run: (sql: SqlStorage) => Result) =>
    inCell((sql) => {
      const cursors: { readonly rowsRead: number }[] = [];
      const counted = {
        exec: (query: string, ...values: SqlStorageValue[]) => {
          const cursor = sql.exec(query, ...values);
          cursors.push(cursor);
          return cursor;
        },
      } as unknown as SqlStorage;
      const result = run(counted);
      return { result, rowsRead: cursors.reduce((sum, { rowsRead }) => sum + rowsRead, 0) };
    });

  it("every page reads a few rows for each that it shows, whatever is asked for; so does an export", async () => {
    await fill();
    const ROWS = 11;
    const middle = await inCell(
      (sql) =>
        auditSlice(sql, CELL, { organization_id: BUSY }, { from_ms: FROM_MS + 10_000 }, { ascending: true, from: undefined, rows: 1 })
          .rows[0]?.id,
    );
    const questions: AuditFilter[] = [
      {},
      { actor_id: "admin" },
      { type: "api_key.revoked" },
      { subject: "key-7" },
      { actor_id: "admin", type: "api_key.revoked" },
      { actor_id: "settings_page", type: "api_key.revoked" },
      { subject: "key-7", actor_id: "admin", type: "api_key.updated" },
      { from_ms: FROM_MS + 12_000, to_ms: FROM_MS + 12_500 },
      { actor_id: "nobody" },
    ];
    for (const scope of [{ organization_id: BUSY }, { organization_id: "org_quiet" }, { journal: "entries" }] as const)
      for (const filter of questions)
        for (const ascending of [true, false])
          for (const from of [undefined, middle]) {
            const walk = { ascending, from, rows: ROWS };
            const { result, rowsRead } = await counting((sql) => auditSlice(sql, CELL, scope, filter, walk));
            const label = JSON.stringify([scope, filter, walk]);
            expect(rowsRead, label).toBeLessThanOrEqual(2 * result.rows.length + 10);
            for (const row of result.rows)
              expect(row, label).toMatchObject({
                ...(filter.actor_id && { actor: { id: filter.actor_id } }),
                ...(filter.type && { type: filter.type }),
                ...(filter.subject && { subject: filter.subject }),
              });
          }
    const { result: stretch, rowsRead } = await counting((sql) => auditStretch(sql, { organization_id: BUSY }, {}, 15_000));
    expect(rowsRead).toBeLessThanOrEqual(10);
    const exported = await counting((sql) => auditExportPage(sql, { organization_id: BUSY }, stretch?.after.seq ?? 0, ENTRIES));
    expect(exported.result.length).toBeGreaterThan(100);
    expect(exported.rowsRead).toBeLessThanOrEqual(2 * exported.result.length + 5);
  });

  it("dropping goes in batches of the same size, and leaves both chains whole", async () => {
    const before = await cell().verify(CHAIN_START);
    const total = await inCell(latestSeq);
    const nowMs = FROM_MS + ENTRIES / 2 + 30 * DAY_MS;
    let rounds = 0;
    for (; rounds < 100; rounds += 1) {
      const { rowsRead } = await counting((sql) => dropOldContent(sql, 30, nowMs));
      expect(rowsRead).toBeLessThanOrEqual(8 * 500 + 20);
      const due = await inCell((sql) => nextDroppingAtMs(sql, 30));
      if ((due ?? Infinity) > nowMs) break;
    }
    expect(rounds).toBeGreaterThan(15);
    const kept = await inCell((sql) => readEntries(sql, 0, 1)[0]?.seq ?? 0);
    expect(total - kept).toBe(ENTRIES / 2 - 2);
    let check = await cell().verify(CHAIN_START);
    while (!check.isEnd) check = await cell().verify(check);
    expect(check).toMatchObject({ seq: total, brokenAt: null });
    expect(before.brokenAt).toBeNull();
    await expectChain(BUSY);
    const text = await inCell((sql) =>
      JSON.stringify([
        sql.exec("SELECT * FROM entries WHERE seq < ?", kept).toArray().slice(-1_000),
        sql.exec("SELECT * FROM entry_organizations WHERE seq < ?", kept).toArray().slice(-1_000),
      ]),
    );
    for (const said of ["settings_page", "admin", "api_key.", "key-", '"n"']) expect(text).not.toContain(said);
  });

  /** Follows an organization's export from its first hash. */
  async function expectChain(organization_id: string): Promise<void> {
    const { after, through } = (await cell().auditStretch({ organization_id }, {}, 0)) ?? { after: CHAIN_START, through: 0 };
    let { seq, hash } = after;
    expect(hash).toBe(firstHash(`organization ${organization_id}`));
    let bare = 0;
    while (seq < through)
      for (const line of await cell().auditExportPage({ organization_id }, seq, through)) {
        if ("content" in line) {
          expect(linkHash(hash, line.digest)).toBe(line.hash);
          bare += 1;
        }
        ({ seq, hash } = line);
      }
    expect(bare).toBeGreaterThan(ENTRIES / 3);
  }
});

describe("content that has had its time", () => {
  const cellOfOld = () => ledger(3);
  const objectOfOld = () => env.LEDGER.getByName("cell-3");

  it("is nothing that anything depends on: the key lives, and so does its history from then on", async () => {
    const id = newId("org", 3);
    const keyId = newId("api_key", 3);
    const token = minted();
    const run = (command: Parameters<typeof envelope>[0]) => cellOfOld().execute(envelope(command));
    replyOf(await run({ type: "create_organization", id, name: "Old", external_id: null }));
    const owner = { type: "organization", id } as const;
    replyOf(await run({ type: "create_api_key", id: keyId, owner, name: "CI", permissions: [], expires_at_ms: null, minted: token }));
    const dropped = await runInDurableObject(objectOfOld(), (_, state) => {
      const { sql } = state.storage;
      const newest = sql.exec<{ at_ms: number }>("SELECT max(at_ms) AS at_ms FROM entries").one().at_ms;
      state.storage.transactionSync(() => dropOldContent(sql, 30, newest + 31 * DAY_MS));
      return latestSeq(sql);
    });
    expect((await cellOfOld().auditEntries({ journal: "entries" }, {}, { ascending: true, from: undefined, rows: 10 })).rows).toEqual([]);
    await runDurableObjectAlarm(objectOfOld());
    expect(await cellOfOld().resolve(token.token_id)).toMatchObject({ record: { state: "active", key_id: keyId } });
    replyOf(await run({ type: "update_api_key", id: keyId, name: "still here" }));
    replyOf(await run({ type: "revoke_api_key", id: keyId }));
    expect(await cellOfOld().verify(CHAIN_START)).toMatchObject({ seq: dropped + 2, brokenAt: null });
    const { rows } = await cellOfOld().auditEntries({ organization_id: id }, {}, { ascending: true, from: undefined, rows: 10 });
    expect(rows.map(({ type }) => type)).toEqual(["api_key.updated", "api_key.revoked"]);
  });

  it("cannot be taken out of an entry whose time has not come without being found out", async () => {
    const seq = await runInDurableObject(objectOfOld(), (_, state) => {
      const { sql } = state.storage;
      const last = latestSeq(sql);
      sql.exec(
        `UPDATE entries SET salt = NULL, actor_type = '', actor_id = '', type = '', subject = '', organizations = '[]', payload = '{}' WHERE seq = ?`,
        last,
      );
      return last;
    });
    expect((await cellOfOld().verify(CHAIN_START)).brokenAt).toBe(seq);
  });

  it("is the only change that an entry can undergo", async () => {
    await organization();
    await inCell((sql) => {
      const seq = latestSeq(sql);
      for (const change of ["payload = '{}'", "salt = NULL", "hash = ''", "at_ms = 0", "digest = ''"])
        expect(() => sql.exec(`UPDATE entries SET ${change} WHERE seq = ?`, seq), change).toThrow(/append-only/);
      expect(() => sql.exec("DELETE FROM entries WHERE seq = ?", seq)).toThrow(/append-only/);
    });
  });
});

it("chains a ledger from before anew, and finds its organizations", async () => {
  const old = env.LEDGER.getByName("cell-2");
  const result = await runInDurableObject(old, (_, state) => {
    const { sql } = state.storage;
    for (const { name } of sql.exec<{ name: string }>("SELECT name FROM sqlite_schema WHERE type = 'trigger'").toArray())
      sql.exec(`DROP TRIGGER ${name}`);
    for (const table of ["entries", "entry_organizations", "denials", "denial_allowances", "audit_retention"])
      sql.exec(`DROP TABLE ${table}`);
    sql.exec(`CREATE TABLE entries (seq INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, actor_type TEXT NOT NULL, actor_id TEXT NOT NULL,
      type TEXT NOT NULL, subject TEXT NOT NULL, payload TEXT NOT NULL, hash TEXT NOT NULL) STRICT`);
    sql.exec("CREATE TRIGGER entries_are_never_changed BEFORE UPDATE ON entries BEGIN SELECT RAISE(ABORT, 'no'); END");
    sql.exec("CREATE TRIGGER entries_are_never_deleted BEFORE DELETE ON entries BEGIN SELECT RAISE(ABORT, 'no'); END");
    for (const table of ["commands", "floors", "publications", "events"]) sql.exec(`DELETE FROM ${table}`);
    const id = newId("org", 2);
    sql.exec(
      "INSERT INTO entries VALUES (1, 5, 'api_key', 'k', 'organization.created', ?, ?, 'old')",
      id,
      JSON.stringify({ name: "Old", id }),
    );
    sql.exec("INSERT INTO entries VALUES (2, 6, 'api_key', 'k', 'routes.replaced', 'routes', '{}', 'old')");
    state.storage.transactionSync(() => migrateToAuditLog(sql));
    return id;
  });
  expect(await ledger(2).verify(CHAIN_START)).toMatchObject({ seq: 2, brokenAt: null });
  const { rows } = await ledger(2).auditEntries({ organization_id: result }, {}, { ascending: true, from: undefined, rows: 5 });
  expect(rows).toMatchObject([{ seq: 1, actor: { type: "api_key", id: "k" }, type: "organization.created", payload: { name: "Old" } }]);
});
