/** The UsageStore Durable Object as the rest of the control plane sees it over RPC. */
import type { UsageBatch } from "../../core/usage/batch.ts";
import type { GatewayCounters } from "../metrics/gateway-counters.ts";
import type { Bar, UsageQuestion } from "./query.ts";

/** Usage of one cell's keys. Every call rejects when the store cannot be reached. */
export interface UsageStoreContract {
  /** Counts each batch once, and answers when that is kept. */
  take(batches: readonly UsageBatch[]): Promise<void>;
  /** The next bars of a chart, in order. */
  bars(question: UsageQuestion): Promise<readonly Bar[]>;
  /** The store's share of what gateways have counted of their own doing. */
  gatewayCounters(): Promise<GatewayCounters>;
}
