/** The control plane Worker: the HTTP API, the ledger it hosts, and the reads it offers the gateway. */
import { env, waitUntil } from "cloudflare:workers";
import { controlPlaneApp } from "./app.ts";
import { PlatformKeyUses } from "./http/platform-key-uses.ts";
import { limitsOf } from "./http/rate-limit.ts";
import { Cells } from "./cells.ts";
import { controlPlaneConfiguration, requireBindings } from "./configuration.ts";
import type { LedgerEnv } from "./ledger/ledger.ts";
import { webhookAccess } from "./webhooks/access.ts";
import { UsageStores } from "./usage/access.ts";
import { recordMessages, type CollectorEnv } from "./usage/collector.ts";
import { IdentityProvider } from "./sign-in/identity-provider.ts";

export { Ledger } from "./ledger/ledger.ts";
export { LedgerReader } from "./ledger-reader.ts";
export { LedgerReplica } from "./ledger-replica.ts";
export { Limiter } from "./limiter.ts";
export { LimiterAccess } from "./limiter-access.ts";
export { UsageCollector } from "./usage/collector.ts";
export { UsageStore } from "./usage/store.ts";
export { WebhookDispatcher } from "./webhooks/dispatcher.ts";

const configuration = controlPlaneConfiguration(env);
requireBindings(configuration, env);
const bindings = env as unknown as LedgerEnv & CollectorEnv;

const cells = new Cells(bindings.LEDGER, configuration.cells);
const now = () => Date.now();
const keySetPorts = {
  now,
  fetch: (url: string, init: RequestInit) => globalThis.fetch(url, init),
  wait: (ms: number) => scheduler.wait(ms),
};

const fetch = controlPlaneApp({
  configuration,
  cells,
  identityProvider: configuration.identityProvider && new IdentityProvider(configuration.identityProvider, keySetPorts),
  now,
  randomBytes: (target) => crypto.getRandomValues(target),
  limits: limitsOf(configuration, Date.now),
  webhooks: webhookAccess(bindings.WEBHOOK_DISPATCHER, configuration.webhooks),
  platformKeyUses: new PlatformKeyUses({ cells, now, waitUntil }),
  usage: new UsageStores(bindings.USAGE_STORE),
});

/** Every request goes to the HTTP API, every message of a queue to usage. */
export default {
  fetch,
  queue: (batch: MessageBatch) => recordMessages(batch.messages, bindings),
};
