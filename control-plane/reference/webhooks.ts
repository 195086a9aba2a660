/** What is sent to webhook endpoints, as the document says it: one webhook for each type of event. */
import { EVENT_TYPES, EVENTS, eventSchemaId } from "../ledger/event-catalogue.ts";

/** A request that a receiver gets. */
export interface Webhook {
  readonly post: {
    readonly summary: string;
    readonly parameters: readonly { readonly $ref: string }[];
    readonly requestBody: {
      readonly required: true;
      readonly content: Readonly<Record<string, { readonly schema: { readonly $ref: string } }>>;
    };
    readonly responses: Readonly<Record<string, { readonly description: string }>>;
  };
}

/** Headers of every delivery, by the names they are referred to. */
export const DELIVERY_HEADERS = {
  WebhookId: header("webhook-id", "The event's id; the same on every attempt."),
  WebhookTimestamp: header("webhook-timestamp", "When this attempt was signed, in seconds since 1970."),
  WebhookSignature: header(
    "webhook-signature",
    "Standard Webhooks: `v1,` and base64; two, apart by a space, while a secret is being replaced.",
  ),
  WorkOSSignature: header("WorkOS-Signature", "`t=<milliseconds>, v1=<hexadecimal>`."),
} as const;

const RESPONSES = {
  "2XX": { description: "Taken. The body is not read." },
  410: { description: "The endpoint is gone: it is disabled." },
  default: { description: "Not taken: tried again, ten times in about three days." },
} as const;

/** Every webhook, by the name of its event. */
export function webhooks(): Readonly<Record<string, Webhook>> {
  return Object.fromEntries(
    EVENT_TYPES.map((type) => [type, { post: { summary: EVENTS[type].means, ...REQUEST, requestBody: body(eventSchemaId(type)) } }]),
  );
}

const REQUEST = {
  parameters: Object.keys(DELIVERY_HEADERS).map((name) => ({ $ref: `#/components/parameters/${name}` })),
  responses: RESPONSES,
} as const;

function body(schema: string): Webhook["post"]["requestBody"] {
  return { required: true, content: { "application/json": { schema: { $ref: `#/components/schemas/${schema}` } } } };
}

function header(name: string, description: string) {
  return { name, in: "header", required: true, description, schema: { type: "string" } } as const;
}
