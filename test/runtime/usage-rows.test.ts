/** What a batch of usage costs in rows that are written, which docs/operations.md works a bill out of. */
import { env } from "cloudflare:workers";
import { runInDurableObject } from "cloudflare:test";
import { expect, it } from "vitest";
import { countGateways } from "../../control-plane/metrics/counter-row.ts";
import { countBatch } from "../../control-plane/usage/counts.ts";
import { HOUR_MS, type UsageBatch } from "../../core/usage/batch.ts";
import { ROWS_OF_COUNTERS, ROWS_PER_BATCH, ROWS_PER_LINE } from "../simulation/comparison/capacity-rows.ts";

const NOW_MS = 500_000 * HOUR_MS + 1_000;

function batchOf(lines: number): UsageBatch {
  return {
    v: 1,
    id: crypto.randomUUID(),
    cell: 0,
    hour_ms: NOW_MS - (NOW_MS % HOUR_MS),
    entries: Array.from({ length: lines }, (_, at) => ({
      key_id: `api_key_${at}`,
      token_id: `token${at}`,
      organization_id: "org_1",
      route: "orders-read",
      permissions: ["orders:read"],
      used_at_ms: NOW_MS,
      counts: [{ status: 200, refusal: null, requests: 1 }],
    })),
  };
}

/** Rows that are written by something, in tables and indexes. */
async function rowsWrittenBy(work: (sql: SqlStorage) => void): Promise<number> {
  return runInDurableObject(env.USAGE_STORE.getByName("cell-0"), (_, { storage }) => {
    const cursors: SqlStorageCursor<Record<string, SqlStorageValue>>[] = [];
    const sql = {
      exec: (query: string, ...bindings: SqlStorageValue[]) => {
        const cursor = storage.sql.exec(query, ...bindings);
        cursors.push(cursor);
        return cursor;
      },
    } as SqlStorage;
    storage.transactionSync(() => work(sql));
    return cursors.reduce((rows, cursor) => rows + cursor.rowsWritten, 0);
  });
}

it("is what the bill counts with", async () => {
  const count = (batch: UsageBatch) => rowsWrittenBy((sql) => void countBatch(sql, batch, NOW_MS));
  await count(batchOf(10));
  const [none, ten] = [await count(batchOf(0)), await count(batchOf(10))];
  expect(none).toBe(ROWS_PER_BATCH);
  expect(ten - none).toBe(10 * ROWS_PER_LINE);
});

it("is one row for whatever a gateway has counted of its own doing", async () => {
  const part = { region: "weur", routes: [], events: { stale_decision: 1 }, calls: {}, leases: [] } as const;
  const rows = await rowsWrittenBy((sql) => countGateways(sql, [{ ...part, routes: [], leases: [] }], NOW_MS));
  expect(rows).toBe(ROWS_OF_COUNTERS);
});
