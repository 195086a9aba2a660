/**
 * The UsageStore Durable Object: the usage of one cell's keys, beside the cell's ledger so that counting takes none of its time. It counts
 * batches, and tells the ledger, a few times a minute and however many gateways there are, when secrets and permissions were last used.
 */
import { DurableObject } from "cloudflare:workers";
import type { UsageBatch } from "../../core/usage/batch.ts";
import { withDeadline } from "../../platform/deadline.ts";
import { Cells } from "../cells.ts";
import { controlPlaneConfiguration, type ControlPlaneConfiguration } from "../configuration.ts";
import { cellOfName } from "../ledger/cell-name.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { countGateways, readCounters } from "../metrics/counter-row.ts";
import type { GatewayCounters } from "../metrics/gateway-counters.ts";
import { writeAnalytics } from "./analytics.ts";
import type { UsageStoreContract } from "./contract.ts";
import { countBatch, nextSweepAtMs, sweep } from "./counts.ts";
import { bars, type Bar, type UsageQuestion } from "./query.ts";
import { migrateUsage } from "./schema.ts";
import { hasUntold, nextUntold, told } from "./untold-uses.ts";

/** Bindings the store needs, besides the control plane's settings. */
export interface UsageStoreEnv {
  readonly LEDGER: DurableObjectNamespace<Ledger>;
  /** Takes every count as well, with `USAGE_ANALYTICS=on`. */
  readonly USAGE_ANALYTICS_DATASET?: AnalyticsEngineDataset;
}

/** Milliseconds between a use that arrives and the ledger hearing of it, and between two tries. */
const TELL_MS = 10_000;
/** Milliseconds the ledger may take to note what it is told. */
const LEDGER_MS = 5_000;

/** One cell's store. */
export class UsageStore extends DurableObject<UsageStoreEnv> implements UsageStoreContract {
  readonly #storage: DurableObjectStorage;
  readonly #configuration: ControlPlaneConfiguration;
  readonly #cell: number;

  constructor(ctx: DurableObjectState, env: UsageStoreEnv) {
    super(ctx, env);
    this.#storage = ctx.storage;
    this.#configuration = controlPlaneConfiguration(env);
    this.#cell = cellOfName(ctx.id.name, this.#configuration.cells);
    migrateUsage(ctx.storage.sql);
  }

  async take(batches: readonly UsageBatch[]): Promise<void> {
    const { sql } = this.#storage;
    const fresh = this.#storage.transactionSync(() => {
      const counted = batches.filter((batch) => countBatch(sql, batch, Date.now()));
      countGateways(
        sql,
        counted.flatMap(({ gateway }) => (gateway ? [gateway] : [])),
        Date.now(),
      );
      return counted;
    });
    const { USAGE_ANALYTICS_DATASET: dataset } = this.env;
    if (this.#configuration.usageAnalytics && dataset) writeAnalytics(dataset, fresh);
    if ((await this.#storage.getAlarm()) === null || hasUntold(sql)) await this.#arm();
  }

  async bars(question: UsageQuestion): Promise<readonly Bar[]> {
    return bars(this.#storage.sql, question);
  }

  async gatewayCounters(): Promise<GatewayCounters> {
    return readCounters(this.#storage.sql);
  }

  /** Tells the ledger, forgets what is old, and comes again: also when the ledger could not be reached. */
  override async alarm(): Promise<void> {
    const { sql } = this.#storage;
    try {
      await this.#tell();
    } catch (error) {
      console.log(JSON.stringify({ event: "usage_not_told", cell: this.#cell, name: error instanceof Error ? error.name : "unknown" }));
    }
    const isMore = this.#storage.transactionSync(() => sweep(sql, this.#configuration.usageRetentionDays, Date.now()));
    await this.#storage.deleteAlarm();
    if (isMore) await this.#storage.setAlarm(Date.now());
    else await this.#arm();
  }

  async #tell(): Promise<void> {
    const { sql } = this.#storage;
    const ledger = new Cells(this.env.LEDGER, this.#configuration.cells).ledger(this.#cell);
    for (let uses = nextUntold(sql); uses; uses = nextUntold(sql)) {
      const telling = uses;
      await withDeadline(ledger.noteUses(telling), LEDGER_MS);
      this.#storage.transactionSync(() => told(sql, telling));
    }
  }

  /** Sets the alarm for what is waiting, unless it rings before that. */
  async #arm(): Promise<void> {
    const { sql } = this.#storage;
    const nowMs = Date.now();
    const waiting = [hasUntold(sql) ? nowMs + TELL_MS : null, nextSweepAtMs(sql, this.#configuration.usageRetentionDays)].filter(
      (at) => at !== null,
    );
    if (waiting.length === 0) return;
    const atMs = Math.max(nowMs, Math.min(...waiting));
    const set = await this.#storage.getAlarm();
    if (set === null || atMs < set) await this.#storage.setAlarm(atMs);
  }
}
