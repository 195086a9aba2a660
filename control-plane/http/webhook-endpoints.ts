/** Webhook endpoints: where events are sent, and how that went. */
import { z } from "zod";
import { HOME_CELL, mintId } from "../../core/identifier.ts";
import { assemblePage, walkOf } from "../../core/page.ts";
import { coversAny } from "../../core/permission.ts";
import { eventType } from "../ledger/event-catalogue.ts";
import { deliverySchema, unsignedEndpointSchema } from "../ledger/view.ts";
import type { SealedWebhookEndpoint } from "../ledger/webhook-endpoints.ts";
import { mintWebhookSecret, openWebhookSecret, sealWebhookSecret } from "../webhooks/secret.ts";
import { ApiError, notFound } from "./api-error.ts";
import type { Caller } from "./caller.ts";
import { endpoint, type Section, type Services } from "./endpoint.ts";
import { given } from "./fields.ts";
import { pageQuery } from "./query.ts";
import { created, ok, pageOf } from "./reply.ts";
import { prepareAndSend, send } from "./send.ts";

const EVENTS_MAX = 100;
const URL_LENGTH_MAX = 2_048;
const SECRET_OVERLAP_S_DEFAULT = 24 * 60 * 60;
const SECRET_OVERLAP_S_MAX = 30 * 24 * 60 * 60;
/** The API's own word for a refusal of the ledger's. */
const CODES = { already_exists: "duplicate_endpoint" } as const;
/** What callers see who may look at endpoints, but not act for them. */
const HIDDEN_SECRET = "whsec_(hidden)";

const endpointUrl = z
  .string()
  .max(URL_LENGTH_MAX, `at most ${URL_LENGTH_MAX} characters`)
  .meta({ examples: ["https://example.com/webhooks"] });
const eventTypes = z
  .array(eventType)
  .min(1, "name at least one event")
  .max(EVENTS_MAX, `at most ${EVENTS_MAX} events`)
  .transform((types) => [...new Set(types)]);

const endpointSchema = unsignedEndpointSchema
  .extend({
    secret: z
      .string()
      .describe(
        "Signs deliveries. Hidden from callers without `portcullis:webhooks:write`; empty when `REPLY_SEAL_KEY` has changed since.",
      ),
  })
  .meta({ id: "WebhookEndpoint" });

/** Endpoints on webhook endpoints. */
export const webhookEndpoints: Section = {
  title: "Webhooks",
  endpoints: [
    endpoint({
      method: "GET",
      path: "/webhook_endpoints",
      operationId: "listWebhookEndpoints",
      summary: "Lists webhook endpoints",
      access: "portcullis:webhooks:read",
      query: pageQuery("we"),
      replies: { 200: pageOf(endpointSchema) },
      handler: async ({ services, caller, query }) => {
        const { rows, behind } = await services.cells.home().listWebhookEndpoints(walkOf(query));
        const opened = await Promise.all(rows.map((row) => withSecret(services, caller, row)));
        return ok(assemblePage(query, [{ rows: opened, behind }]));
      },
    }),

    endpoint({
      method: "POST",
      path: "/webhook_endpoints",
      operationId: "createWebhookEndpoint",
      summary: "Adds a webhook endpoint",
      description: "It is sent what happens after this has answered.",
      access: "portcullis:webhooks:write",
      body: z.object({ endpoint_url: endpointUrl, events: eventTypes }),
      replies: { 201: endpointSchema },
      errors: ["duplicate_endpoint", "webhook_endpoint_limit", "invalid_url", "not_yet_effective", "reply_unavailable"],
      handler: async ({ services, body, terms }) => {
        const done = await prepareAndSend(services, "create_webhook_endpoint", { cell: HOME_CELL, terms, codes: CODES }, async () => {
          const endpoint_url = await allowedUrl(services, body.endpoint_url);
          const id = mintId("we", services.now(), services.randomBytes);
          const { secret, sealed_secret } = await newSecret(services, id);
          return { command: { type: "create_webhook_endpoint", id, endpoint_url, events: body.events, sealed_secret }, secret };
        });
        return created(done, { secret: done.secret });
      },
    }),

    endpoint({
      method: "GET",
      path: "/webhook_endpoints/:webhook_endpoint_id",
      operationId: "getWebhookEndpoint",
      summary: "Reads a webhook endpoint",
      access: "portcullis:webhooks:read",
      replies: { 200: endpointSchema },
      handler: async ({ services, caller, params: { webhook_endpoint_id } }) =>
        ok(await withSecret(services, caller, await standing(services, webhook_endpoint_id))),
    }),

    endpoint({
      method: "PATCH",
      path: "/webhook_endpoints/:webhook_endpoint_id",
      operationId: "updateWebhookEndpoint",
      summary: "Changes where events are sent, which, or whether at all",
      description:
        "While an endpoint is disabled nothing is lost: its deliveries wait, and begin anew when it is enabled. To begin without them, " +
        "delete it and add another.",
      access: "portcullis:webhooks:write",
      body: z.object({
        endpoint_url: endpointUrl.optional(),
        status: z.enum(["enabled", "disabled"]).optional(),
        events: eventTypes.optional(),
      }),
      replies: { 200: endpointSchema },
      errors: ["duplicate_endpoint", "invalid_url", "not_yet_effective", "reply_unavailable"],
      handler: async ({ services, caller, params: { webhook_endpoint_id: id }, body, terms }) => {
        const { endpoint_url, status, events } = body;
        const done = await prepareAndSend(services, "update_webhook_endpoint", { cell: HOME_CELL, terms, codes: CODES }, async () => {
          const url = endpoint_url === undefined ? {} : { endpoint_url: await allowedUrl(services, endpoint_url) };
          const { secret } = await withSecret(services, caller, await standing(services, id));
          return { command: { type: "update_webhook_endpoint", id, ...url, ...given({ status, events }) }, secret };
        });
        return ok({ ...done.reply, secret: done.secret });
      },
    }),

    endpoint({
      method: "DELETE",
      path: "/webhook_endpoints/:webhook_endpoint_id",
      operationId: "deleteWebhookEndpoint",
      summary: "Ends a webhook endpoint, its pending deliveries and its log",
      access: "portcullis:webhooks:write",
      replies: { 204: null },
      errors: ["not_yet_effective"],
      handler: async ({ services, params: { webhook_endpoint_id }, terms }) => {
        await send(services, { type: "delete_webhook_endpoint", id: webhook_endpoint_id }, { cell: HOME_CELL, terms });
        return { status: 204, body: null };
      },
    }),

    endpoint({
      method: "POST",
      path: "/webhook_endpoints/:webhook_endpoint_id/rotate_secret",
      operationId: "rotateWebhookSecret",
      summary: "Gives a webhook endpoint a new secret",
      description:
        "For `overlap_seconds` the one before signs, too: `webhook-signature` lists both; `WorkOS-Signature` stays with the old one and " +
        "`WorkOS-Signature-Next` is by the new one.",
      access: "portcullis:webhooks:write",
      body: z.object({ overlap_seconds: z.number().int().min(0).max(SECRET_OVERLAP_S_MAX).default(SECRET_OVERLAP_S_DEFAULT) }),
      replies: { 200: endpointSchema },
      errors: ["not_yet_effective", "reply_unavailable"],
      handler: async ({ services, params: { webhook_endpoint_id: id }, body, terms }) => {
        const { secret, sealed_secret } = await newSecret(services, id);
        const command = { type: "rotate_webhook_secret", id, sealed_secret, overlap_ms: body.overlap_seconds * 1_000 } as const;
        const done = await send(services, command, { cell: HOME_CELL, terms, secret });
        return ok({ ...done.reply, secret: done.secret });
      },
    }),

    endpoint({
      method: "GET",
      path: "/webhook_endpoints/:webhook_endpoint_id/deliveries",
      operationId: "listWebhookDeliveries",
      summary: "Lists what was sent to a webhook endpoint, what is to be, and how every attempt went",
      description: "What has ended is kept for 30 days.",
      access: "portcullis:webhooks:read",
      query: pageQuery("event"),
      replies: { 200: pageOf(deliverySchema) },
      handler: async ({ services, params: { webhook_endpoint_id }, query }) => {
        await standing(services, webhook_endpoint_id);
        return ok(assemblePage(query, [await services.webhooks.dispatcher(webhook_endpoint_id).deliveries(walkOf(query))]));
      },
    }),

    endpoint({
      method: "POST",
      path: "/webhook_endpoints/:webhook_endpoint_id/deliveries/:event_id/redeliver",
      operationId: "redeliverEvent",
      summary: "Sends an event to a webhook endpoint once more",
      description: "At once and out of order, whatever its type, also if it never was sent there. Answers before it has been sent.",
      access: "portcullis:webhooks:write",
      replies: { 200: deliverySchema },
      errors: ["webhook_endpoint_disabled"],
      handler: async ({ services, params: { webhook_endpoint_id, event_id } }) => {
        await standing(services, webhook_endpoint_id);
        const redelivery = await services.webhooks.dispatcher(webhook_endpoint_id).redeliver(event_id);
        if (redelivery.ok) return ok(redelivery.delivery);
        if (redelivery.reason === "no_such_event") throw notFound("Event", event_id);
        throw new ApiError("webhook_endpoint_disabled", "The webhook endpoint is disabled. Enable it to send it events.");
      },
    }),
  ],
};

async function allowedUrl({ webhooks }: Services, text: string): Promise<string> {
  const fault = await webhooks.destinations.faultOf(text);
  if (fault === undefined) return new URL(text).href;
  throw new ApiError("invalid_url", `endpoint_url ${fault}.`, { errors: [{ code: "invalid_url", field: "endpoint_url", message: fault }] });
}

async function standing({ cells }: Services, id: string): Promise<SealedWebhookEndpoint> {
  const found = await cells.home().webhookEndpoint(id);
  if (!found) throw notFound("Webhook endpoint", id);
  return found;
}

async function newSecret({ configuration, randomBytes }: Services, id: string) {
  const secret = mintWebhookSecret(randomBytes);
  return { secret, sealed_secret: await sealWebhookSecret(configuration.replySealKey, id, secret) };
}

async function withSecret({ configuration }: Services, caller: Caller, { endpoint: shown, sealedSecret }: SealedWebhookEndpoint) {
  if (!coversAny(caller.permissions, "portcullis:webhooks:write")) return { ...shown, secret: HIDDEN_SECRET };
  return { ...shown, secret: (await openWebhookSecret(configuration.replySealKey, shown.id, sealedSecret)) ?? "" };
}
