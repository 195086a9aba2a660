/** The gateway's ports on Cloudflare Workers. */
import type { LedgerReader } from "../core/ledger-reader.ts";
import type { LimiterAccess } from "../core/limits/messages.ts";
import { KV_CACHE_TTL_S } from "../core/record.ts";
import type { UsageBatch, UsageCollector } from "../core/usage/batch.ts";
import { LogBatch } from "./log-batch.ts";
import type { GatewayPorts } from "./ports.ts";

/** Bindings of the gateway Worker besides its settings. */
export interface GatewayBindings {
  readonly KEYS: KVNamespace;
  /** The control plane's entrypoint of that name. */
  readonly LEDGER_READER: LedgerReader;
  /** The control plane's entrypoint of that name. */
  readonly LIMITER_ACCESS: LimiterAccess;
  /** Where counted events go, if anywhere. */
  readonly METRICS?: AnalyticsEngineDataset;
  /** The control plane's entrypoint of that name, with `USAGE_DELIVERY=direct`. */
  readonly USAGE_COLLECTOR?: UsageCollector;
  /** With `USAGE_DELIVERY=queue`. */
  readonly USAGE_QUEUE?: Queue<UsageBatch>;
}

/** Ports over the Worker's bindings. */
export function platformPorts(bindings: GatewayBindings): GatewayPorts {
  const lines = new LogBatch(
    (text) => console.log(text),
    () => Date.now(),
  );
  return {
    readKv: (name) => bindings.KEYS.get(name, { type: "text", cacheTtl: KV_CACHE_TTL_S }),
    ledger: bindings.LEDGER_READER,
    limiters: bindings.LIMITER_ACCESS,
    fetch: (url, init) => fetch(url, init),
    fetchService: (name) => {
      const service = Reflect.get(bindings, name) as Fetcher;
      return (url, init) => service.fetch(url, init);
    },
    now: () => Date.now(),
    randomBytes: (target) => crypto.getRandomValues(target),
    randomUuid: () => crypto.randomUUID(),
    log: (line, context) => lines.add(line, context),
    count: (event) => bindings.METRICS?.writeDataPoint({ indexes: [event], blobs: [event], doubles: [1] }),
    sendUsage: {
      direct: async (batches) => bindings.USAGE_COLLECTOR?.record(batches),
      // One message for each batch: a queue takes 128 KB in one.
      queue: async (batches) => void (await Promise.all(batches.map((batch) => bindings.USAGE_QUEUE?.send(batch)))),
    },
    wait: (ms) => scheduler.wait(ms),
  };
}
