/** A key that is disabled by an alarm is refused at every edge, as if somebody had asked for it. Time is as it is here: leases run by it. */
import { env } from "cloudflare:workers";
import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { expect, it } from "vitest";
import { DAY_MS } from "../../core/api-key-policy.ts";
import { cellOfOrganization } from "../../core/identifier.ts";
import { gatewayThatKnows, reasonOf } from "./at-once.ts";
import { install } from "./installation.ts";
import { newId } from "./ledger-commands.ts";
import { observeGateway } from "./observed-gateway.ts";

const CELLS = 4;

it("a key that nobody uses is accepted nowhere once it is disabled", async () => {
  const installation = await install();
  const organizationId = await installation.organization();
  await installation.must("PUT", `/organizations/${organizationId}/api_key_policy`, { idle_days_max: 30, idle_warning_days: 7 });
  const key = await installation.key(organizationId, ["orders:read"]);
  const warm = await gatewayThatKnows(key, "/orders");
  const cell = cellOfOrganization(organizationId, CELLS);
  const ledger = env.LEDGER.getByName(`cell-${cell}`);
  await runInDurableObject(ledger, (_, { storage: { sql } }) => {
    sql.exec("UPDATE api_keys SET created_at_ms = created_at_ms - ? WHERE id = ?", 40 * DAY_MS, key.id);
    sql.exec("UPDATE api_key_schedule SET due_at_ms = 0, idle_end_told_ms = ? WHERE key_id = ?", Date.now() - 1, key.id);
  });
  await runDurableObjectAlarm(ledger);
  // Who is told that something is gone is told so when all that went before is in force.
  expect((await installation.call("DELETE", `/api_keys/${newId("api_key", cell)}`)).status).toBe(404);
  for (const gateway of [warm, observeGateway()]) {
    expect((await gateway.get("/orders", key.value)).status).toBe(401);
    expect(reasonOf(gateway)).toBe("key_disabled");
  }
});
