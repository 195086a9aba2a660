/** The control plane Worker: the HTTP API, the ledger it hosts, and the reads it offers the gateway. */
import { env } from "cloudflare:workers";
import { controlPlaneApp } from "./app.ts";
import { limitsOf } from "./http/rate-limit.ts";
import { Cells } from "./cells.ts";
import { controlPlaneConfiguration } from "./configuration.ts";
import type { LedgerEnv } from "./ledger/ledger.ts";
import { webhookAccess } from "./webhooks/access.ts";
import { IdentityProvider } from "./sign-in/identity-provider.ts";

export { Ledger } from "./ledger/ledger.ts";
export { LedgerReader } from "./ledger-reader.ts";
export { LedgerReplica } from "./ledger-replica.ts";
export { Limiter } from "./limiter.ts";
export { LimiterAccess } from "./limiter-access.ts";
export { WebhookDispatcher } from "./webhooks/dispatcher.ts";

const configuration = controlPlaneConfiguration(env);
const bindings = env as unknown as LedgerEnv;

const now = () => Date.now();
const keySetPorts = {
  now,
  fetch: (url: string, init: RequestInit) => globalThis.fetch(url, init),
  wait: (ms: number) => scheduler.wait(ms),
};

const fetch = controlPlaneApp({
  configuration,
  cells: new Cells(bindings.LEDGER, configuration.cells),
  identityProvider: configuration.identityProvider && new IdentityProvider(configuration.identityProvider, keySetPorts),
  now,
  randomBytes: (target) => crypto.getRandomValues(target),
  limits: limitsOf(configuration, Date.now),
  webhooks: webhookAccess(bindings.WEBHOOK_DISPATCHER, configuration.webhooks),
});

/** Every request goes to the HTTP API. */
export default { fetch };
