/** What the HTTP side needs of webhooks: where they may go, and the dispatchers. */
import type { WebhookConfiguration } from "../configuration.ts";
import type { DispatcherContract } from "./contract.ts";
import { Destinations } from "./destinations.ts";
import type { WebhookDispatcher } from "./dispatcher.ts";

/** Webhooks as endpoints of the API work with them. */
export interface WebhookAccess {
  readonly destinations: Destinations;
  /** The dispatcher of an endpoint. */
  readonly dispatcher: (endpointId: string) => DispatcherContract;
}

/** Access to an installation's webhooks. */
export function webhookAccess(dispatchers: DurableObjectNamespace<WebhookDispatcher>, configuration: WebhookConfiguration): WebhookAccess {
  return {
    destinations: new Destinations({ ...configuration, fetch: (url, init) => fetch(url, init) }),
    dispatcher: (endpointId) => dispatchers.getByName(endpointId),
  };
}
