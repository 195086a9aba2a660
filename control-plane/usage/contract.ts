/** The UsageStore Durable Object as the rest of the control plane sees it over RPC. */
import type { UsageBatch } from "../../core/usage/batch.ts";

/** Usage of one cell's keys. Every call rejects when the store cannot be reached. */
export interface UsageStoreContract {
  /** Counts each batch once, and answers when that is kept. */
  take(batches: readonly UsageBatch[]): Promise<void>;
}
