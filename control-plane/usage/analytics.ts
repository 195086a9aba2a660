/** Counts for the platform's Analytics Engine, where there are more of them than one wants to keep here. */
import type { UsageBatch } from "../../core/usage/batch.ts";
import { permissionsOfCount } from "./counts.ts";

/**
 * One row for each count: index the organization; blobs the organization, key, route, permissions (separated by spaces), refusal, and the
 * hour in ISO 8601; doubles the number of requests and the status. At most once: what the platform refuses to take is gone.
 */
export function writeAnalytics(dataset: AnalyticsEngineDataset, batches: readonly UsageBatch[]): void {
  for (const { hour_ms, entries } of batches)
    for (const entry of entries)
      for (const { status, refusal, requests } of entry.counts)
        dataset.writeDataPoint({
          indexes: [entry.organization_id],
          blobs: [
            entry.organization_id,
            entry.key_id,
            entry.route,
            permissionsOfCount(entry, refusal).join(" "),
            refusal ?? "",
            new Date(hour_ms).toISOString(),
          ],
          doubles: [requests, status],
        });
}
