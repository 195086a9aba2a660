/** The usage stores of all cells, driven and looked into by hand. */
import { env } from "cloudflare:workers";
import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { cellOfOrganization } from "../../core/identifier.ts";

/** Rows that were sent for analysis, oldest first. */
export const analyticsRows: AnalyticsEngineDataPoint[] = [];

const CELLS = Number(env.CELLS);

/** The store that an organization's usage is in. */
export function storeOf(organizationId: string) {
  return env.USAGE_STORE.getByName(`cell-${cellOfOrganization(organizationId, CELLS)}`);
}

/** Has every store do what its alarm is for: tell the ledger of uses, and forget what is old. */
export async function ringStores(): Promise<void> {
  for (let cell = 0; cell < CELLS; cell++) await runDurableObjectAlarm(env.USAGE_STORE.getByName(`cell-${cell}`));
}

/** What is counted of an organization, without the hour. */
export async function countsOf(organizationId: string): Promise<readonly Record<string, SqlStorageValue>[]> {
  return runInDurableObject(storeOf(organizationId), (_, { storage }) =>
    storage.sql
      .exec(
        "SELECT key_id, route, permissions, refusal, status, requests FROM usage WHERE organization_id = ? ORDER BY 1, 2, 3, 4, 5",
        organizationId,
      )
      .toArray(),
  );
}
