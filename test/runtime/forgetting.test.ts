/** What a cell remembers only for a time: it forgets a bounded part at once, and goes on until nothing old is left. */
import { env } from "cloudflare:workers";
import { runInDurableObject } from "cloudflare:test";
import { expect, it } from "vitest";
import { takeAllowance } from "../../control-plane/ledger/denials.ts";
import { COMMAND_KEPT_MS, forgetOldCommands, nextForgettingAtMs } from "../../control-plane/ledger/execute.ts";
import { forgetOldReceipts } from "../../control-plane/ledger/in-force.ts";

const stub = env.LEDGER.getByName("cell-2");
const OLD = 1_500;
const DAY_MS = 86_400_000;
const NUMBERS = "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?)";

it("forgets old commands and receipts in parts, and says that there is more", async () => {
  await runInDurableObject(stub, (_, { storage: { sql } }) => {
    const nowMs = Date.now() + 10 * DAY_MS;
    const count = (table: string) => sql.exec<{ rows: number }>(`SELECT count(*) AS rows FROM ${table}`).one().rows;
    sql.exec(`INSERT INTO commands ${NUMBERS} SELECT 'old ' || n, '', n, n, '{}', NULL FROM numbers`, OLD);
    sql.exec(`INSERT INTO receipts ${NUMBERS} SELECT n, n, 0, '{}', n FROM numbers`, OLD);
    sql.exec("INSERT INTO commands VALUES ('new', '', ?, 1, '{}', NULL)", nowMs);
    const forget = () => {
      forgetOldCommands(sql, nowMs);
      forgetOldReceipts(sql, nowMs - COMMAND_KEPT_MS);
    };
    forget();
    expect([count("commands"), count("receipts")]).toEqual([501, 500]);
    expect(nextForgettingAtMs(sql)).toBeLessThan(nowMs);
    forget();
    expect([count("commands"), count("receipts")]).toEqual([1, 0]);
  });
});

it("keeps allowances for refusals no longer than they say something", async () => {
  await runInDurableObject(stub, (_, { storage: { sql } }) => {
    const names = () =>
      sql
        .exec<{ actor_id: string }>("SELECT actor_id FROM denial_allowances ORDER BY actor_id")
        .toArray()
        .map(({ actor_id }) => actor_id);
    for (let caller = 0; caller < 5; caller++) takeAllowance(sql, `caller ${caller}`, 0);
    for (let time = 0; time < 25; time++) takeAllowance(sql, "insistent", 0);
    // As good as new after 20 minutes; what was not recorded is told for 90 days.
    takeAllowance(sql, "later", 20 * 60_000);
    expect(names()).toHaveLength(7);
    takeAllowance(sql, "later", 20 * 60_000 + 1);
    takeAllowance(sql, "later", 20 * 60_000 + 1);
    expect(names()).toEqual(["insistent", "later"]);
    takeAllowance(sql, "much later", 90 * DAY_MS);
    expect(names()).toEqual(["insistent", "much later"]);
    takeAllowance(sql, "much later", 90 * DAY_MS + 1);
    expect(names()).toEqual(["much later"]);
  });
});
