/** Webhook endpoints of a test's installation, and what their receivers got. */
import type { Installation, Json } from "./installation.ts";
import { accepting, webhookWorld, type Received, type Receiver } from "./webhook-world.ts";

const KEY_EVENTS = ["api_key.created", "api_key.updated", "api_key.revoked"];

/** An endpoint and its receiver. */
export interface Endpoint {
  readonly id: string;
  readonly host: string;
  readonly secret: string;
}

let made = 0;

/** A new endpoint with a receiver of its own, for events of keys unless others are named. */
export async function newEndpoint(
  installation: Installation,
  receiver: Receiver = accepting,
  events: readonly string[] = KEY_EVENTS,
): Promise<Endpoint> {
  const host = `receiver-${(made += 1)}.example.com`;
  webhookWorld.receivers.set(host, receiver);
  const { id, secret } = await installation.must("POST", "/webhook_endpoints", { endpoint_url: `https://${host}/hook`, events });
  return { id: String(id), host, secret: String(secret) };
}

/** The log of an endpoint's deliveries, oldest event first. */
export async function deliveriesOf(installation: Installation, { id }: Endpoint, limit = 10): Promise<Json[]> {
  return (await installation.must("GET", `/webhook_endpoints/${id}/deliveries?order=asc&limit=${limit}`))["data"] as Json[];
}

/** What an endpoint's receiver was sent, oldest first. */
export function received({ host }: Endpoint): Received[] {
  return webhookWorld.received.filter(({ url }) => new URL(url).hostname === host);
}

/** The event in a delivery. */
export function eventOf({ body }: Received): { readonly id: string; readonly event: string; readonly data: Json } {
  return JSON.parse(body) as { id: string; event: string; data: Json };
}

/** The name of what an event is about. */
export function nameOf(delivery: Received): string {
  return String(eventOf(delivery).data["name"]);
}
