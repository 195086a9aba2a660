/** How many rows a cell reads for what it answers: SQLite counts them, in tables and indexes. */
import { runInDurableObject } from "cloudflare:test";
import type { Ledger } from "../../control-plane/ledger/ledger.ts";

/** What is measured: with the ledger, whose own reads are counted, and with its storage. */
export type Measured = (ledger: Ledger, storage: DurableObjectStorage) => unknown;

/** Rows read by each of several things. */
export async function rowsReadBy<Name extends string>(
  stub: DurableObjectStub<Ledger>,
  things: Readonly<Record<Name, Measured>>,
): Promise<Record<Name, number>> {
  return runInDurableObject(stub, async (ledger, { storage }) => {
    const counts: [string, number][] = [];
    for (const [name, thing] of Object.entries<Measured>(things)) counts.push([name, await counted(ledger, storage, thing)]);
    return Object.fromEntries(counts) as Record<Name, number>;
  });
}

async function counted(ledger: Ledger, storage: DurableObjectStorage, thing: Measured): Promise<number> {
  const cursors: SqlStorageCursor<Record<string, SqlStorageValue>>[] = [];
  const sql = {
    exec: (query: string, ...bindings: SqlStorageValue[]) => {
      const cursor = storage.sql.exec(query, ...bindings);
      cursors.push(cursor);
      return cursor;
    },
  };
  const inOneTransaction = <Result>(work: () => Result) => storage.transactionSync(work);
  const watched = Object.create(storage, { sql: { value: sql }, transactionSync: { value: inOneTransaction } }) as DurableObjectStorage;
  const reader = Object.create(ledger, { sql: { value: sql } }) as Ledger;
  await thing(reader, watched);
  return cursors.reduce((rows, cursor) => rows + cursor.rowsRead, 0);
}
