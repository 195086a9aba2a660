/** A cell's database from an older version of the code, which is brought up to date, and from a newer one, which is left alone. */
import { env } from "cloudflare:workers";
import { runInDurableObject } from "cloudflare:test";
import { afterEach, describe, expect, it } from "vitest";
import { CHAIN_START } from "../../control-plane/ledger/journal.ts";
import { floorsSince } from "../../control-plane/ledger/floors.ts";
import { MIGRATIONS, migrate } from "../../control-plane/ledger/schema.ts";
import type { Route } from "../../core/route.ts";
import { healKv, kvFaults } from "./faulty-kv.ts";
import { envelope, newKey, newOrganization, replyOf } from "./ledger-commands.ts";
import { kill } from "./ledger-faults.ts";
import { drainOutbox, publishedRecord } from "./outbox.ts";
import { declarations, everyRow, tableNames } from "./stored.ts";

type Rows = ReturnType<typeof everyRow>;

const NOW = MIGRATIONS.length;
const ROUTES: Route[] = [{ name: "open", methods: ["GET"], path: "/open", upstream: "https://api.customer.example", public: true }];

const home = () => env.LEDGER.getByName("cell-0");
/** Reads or changes the cell's database in its own event. */
const inDatabase = <Result>(cell: number, run: (storage: DurableObjectStorage) => Result): Promise<Result> =>
  runInDurableObject(env.LEDGER.getByName(`cell-${cell}`), (_, { storage }) => run(storage));

/** Makes the database one of an older version: that version's tables, with what they had room for. */
function becomeVersion(storage: DurableObjectStorage, version: number, rows: Rows = {}): void {
  const { sql } = storage;
  storage.transactionSync(() => {
    for (const name of tableNames(sql)) sql.exec(`DROP TABLE ${name}`);
    for (const migration of MIGRATIONS.slice(0, version)) {
      if (typeof migration === "string") sql.exec(migration);
      else migration(sql);
    }
    for (const name of tableNames(sql)) {
      if (rows[name]) sql.exec(`DELETE FROM ${name}`);
      for (const row of rows[name] ?? []) insertWhatFits(sql, name, row);
    }
    if (version > 0) {
      sql.exec("CREATE TABLE schema_version (only INTEGER PRIMARY KEY CHECK (only = 1), version INTEGER NOT NULL) STRICT");
      sql.exec("INSERT INTO schema_version VALUES (1, ?)", version);
    }
  });
}

/** Columns that the version did not have yet are left out. */
function insertWhatFits(sql: SqlStorage, table: string, row: Rows[string][number]): void {
  const columns = new Set(
    sql
      .exec<{ name: string }>("SELECT name FROM pragma_table_info(?)", table)
      .toArray()
      .map(({ name }) => name),
  );
  const fitting = Object.entries(row).filter(([name]) => columns.has(name));
  const names = fitting.map(([name]) => name).join(", ");
  sql.exec(`INSERT INTO ${table} (${names}) VALUES (${fitting.map(() => "?").join(", ")})`, ...fitting.map(([, value]) => value));
}

/** The rows as version 1 had them: it called a route table's version its stamp. */
function asInVersion1(rows: Rows): Rows {
  return { ...rows, route_table: rows["route_table"]?.map((row) => ({ ...row, stamp: row["version"] ?? null })) ?? [] };
}

afterEach(healKv);

describe("a database of an older version", () => {
  it.each(Array.from({ length: NOW }, (_, version) => version))(
    "%i has the tables of today when the cell begins its next life",
    async (version) => {
      const today = await inDatabase(2, ({ sql }) => declarations(sql));
      await inDatabase(3, (storage) => becomeVersion(storage, version));
      expect(await inDatabase(3, ({ sql }) => declarations(sql))).not.toEqual(today);
      await kill(env.LEDGER.getByName("cell-3"));
      expect(await inDatabase(3, ({ sql }) => declarations(sql))).toEqual(today);
      expect(await inDatabase(3, ({ sql }) => everyRow(sql)["schema_version"])).toEqual([{ only: 1, version: NOW }]);
      await newKey(env.LEDGER.getByName("cell-3"), await newOrganization(env.LEDGER.getByName("cell-3")));
    },
  );

  it("1 keeps what it held: keys, ended keys, floors, routes, the chain, what was still to be published, and answers to repeats", async () => {
    const organization = await newOrganization(home());
    const [live, ended] = [await newKey(home(), organization), await newKey(home(), organization)];
    replyOf(await home().execute(envelope({ type: "replace_routes", routes: ROUTES, expected_version: null })));
    await drainOutbox(0);
    kvFaults.putsRefused = true;
    const revocation = envelope({ type: "revoke_api_key", id: ended.id });
    const reply = replyOf(await home().execute(revocation));
    const [chain, routes, floors] = await Promise.all([
      home().verify(CHAIN_START),
      home().resolveRoutes(undefined),
      inDatabase(0, ({ sql }) => floorsSince(sql, null)),
    ]);
    await inDatabase(0, (storage) => becomeVersion(storage, 1, asInVersion1(everyRow(storage.sql))));
    await kill(home());

    expect(await home().resolve(live.tokenId)).toMatchObject({ record: { state: "active", key_id: live.id } });
    expect(await home().resolve(ended.tokenId)).toMatchObject({ record: { state: "revoked" } });
    expect(await inDatabase(0, ({ sql }) => floorsSince(sql, null))).toEqual(floors);
    expect(await home().resolveRoutes(undefined)).toEqual(routes);
    // Chained anew, over salted digests, with nothing missing.
    expect(await home().verify(CHAIN_START)).toMatchObject({ seq: chain.seq, brokenAt: null, isEnd: true });
    expect(await home().execute(revocation)).toMatchObject({ ok: true, replayed: true, reply });
    expect(await publishedRecord(ended.tokenId)).toMatchObject({ state: "active" });
    kvFaults.putsRefused = false;
    await drainOutbox(0);
    expect(await publishedRecord(ended.tokenId)).toMatchObject({ state: "revoked" });
  });
});

describe("a database of a newer version", () => {
  const newer = (storage: DurableObjectStorage) => {
    storage.sql.exec("CREATE TABLE of_tomorrow (id TEXT PRIMARY KEY) STRICT");
    storage.sql.exec("UPDATE schema_version SET version = ?", NOW + 1);
  };
  const complaint = `the cell's schema is version ${NOW + 1}, newer than this code knows (${NOW}): deploy the newer code`;

  it("is refused with what to do, and left as it is", async () => {
    await newKey(env.LEDGER.getByName("cell-1"), await newOrganization(env.LEDGER.getByName("cell-1")));
    const [before, after] = await inDatabase(1, (storage) => {
      newer(storage);
      const contents = () => [declarations(storage.sql), everyRow(storage.sql)];
      const atFirst = contents();
      expect(() => migrate(storage)).toThrow(complaint);
      return [atFirst, contents()];
    });
    expect(after).toEqual(before);
  });

  it("has its cell answer nothing, so that older code decides by nothing that it cannot read", async () => {
    const cell = () => env.LEDGER.getByName("cell-2");
    await inDatabase(2, newer);
    await kill(cell());
    // In functions of their own: the promise of a call to an object has properties that are calls, too.
    await expect((async () => cell().resolve("x".repeat(26)))()).rejects.toThrow(complaint);
    await expect(newOrganization(cell())).rejects.toThrow(complaint);
  });
});
