/** The widget on an organization's keys. */
import { SERVED_SCOPES } from "../../core/widget.ts";
import { endpoint, type Section } from "./endpoint.ts";
import { expireOwn, expirySchema, listOwn, widgetKey, widgetKeySchema, widgetPageOf, widgetPageQuery } from "./own-keys.ts";
import { ok } from "./reply.ts";
import { ownOf } from "./widget-caller.ts";
import { creationEndpoint, offerEndpoint, revocationEndpoint } from "./widget-endpoints.ts";

const access = SERVED_SCOPES.organization;

/** Endpoints that the WorkOS `ApiKeys` widget calls for `scope="organization"`. */
export const widgetApiKeys: Section = {
  title: "Widget: an organization's keys",
  endpoints: [
    endpoint({
      method: "GET",
      path: "/_widgets/ApiKeys/organization-api-keys",
      operationId: "listWidgetApiKeys",
      summary: "Lists the organization's keys, newest first",
      access,
      query: widgetPageQuery,
      replies: { 200: widgetPageOf(widgetKeySchema) },
      handler: async ({ services, caller, query }) => {
        const { data, list_metadata } = await listOwn(services, ownOf(caller), query);
        return ok({ data: data.map(widgetKey), list_metadata });
      },
    }),

    creationEndpoint({
      path: "/_widgets/ApiKeys/organization-api-keys",
      operationId: "createWidgetApiKey",
      summary: "Makes a key of the organization",
      access,
    }),

    offerEndpoint({
      path: "/_widgets/ApiKeys/permissions",
      operationId: "listWidgetPermissions",
      summary: "Lists what the organization's keys can be given",
      description: "For a member, no more than the member's role allows.",
      access,
    }),

    endpoint({
      method: "POST",
      path: "/_widgets/ApiKeys/:api_key_id/expire",
      operationId: "expireWidgetApiKey",
      summary: "Ends a key of the organization now, at a time, or never",
      description: "Answers when it is in force everywhere.",
      access,
      body: expirySchema,
      replies: { 200: widgetKeySchema },
      errors: ["api_key_already_expired", "permission_not_assignable", "api_key_policy_violated"],
      handler: async ({ services, caller, params, body, terms }) =>
        ok(widgetKey(await expireOwn(services, ownOf(caller), params.api_key_id, body, terms))),
    }),

    revocationEndpoint({
      path: "/_widgets/ApiKeys/:api_key_id",
      operationId: "deleteWidgetApiKey",
      summary: "Revokes a key of the organization",
      access,
    }),
  ],
};
