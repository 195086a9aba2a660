/** The widget on an organization's keys. */
import { SERVED_SCOPES } from "../../core/widget.ts";
import { endpoint, type Section } from "./endpoint.ts";
import {
  createdWidgetKeySchema,
  createOwn,
  expireOwn,
  expirySchema,
  listOwn,
  newWidgetKeySchema,
  offeredQuery,
  offeredSchema,
  offerPermissions,
  revokeOwn,
  successSchema,
  widgetKeySchema,
  widgetPageOf,
  widgetPageQuery,
} from "./own-keys.ts";
import { ok } from "./reply.ts";
import { ownOf } from "./widget-caller.ts";

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
      handler: async ({ services, caller, query }) => ok(await listOwn(services, ownOf(caller), query)),
    }),

    endpoint({
      method: "POST",
      path: "/_widgets/ApiKeys/organization-api-keys",
      operationId: "createWidgetApiKey",
      summary: "Makes a key of the organization",
      access,
      body: newWidgetKeySchema,
      replies: { 201: createdWidgetKeySchema },
      errors: ["entity_not_found", "permission_not_assignable", "invalid_expiry", "api_key_policy_violated"],
      handler: async ({ services, caller, body, terms }) => createOwn(services, ownOf(caller), body, terms),
    }),

    endpoint({
      method: "GET",
      path: "/_widgets/ApiKeys/permissions",
      operationId: "listWidgetPermissions",
      summary: "Lists what the organization's keys can be given",
      description: "For a member, no more than the member's role allows.",
      access,
      query: offeredQuery,
      replies: { 200: offeredSchema },
      handler: async ({ services, caller, query }) => offerPermissions(services, ownOf(caller), query),
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
        ok(await expireOwn(services, ownOf(caller), params.api_key_id, body, terms)),
    }),

    endpoint({
      method: "DELETE",
      path: "/_widgets/ApiKeys/:api_key_id",
      operationId: "deleteWidgetApiKey",
      summary: "Revokes a key of the organization",
      description: "When this answers, no gateway accepts the key any more.",
      access,
      replies: { 200: successSchema },
      handler: async ({ services, caller, params, terms }) => revokeOwn(services, ownOf(caller), params.api_key_id, terms),
    }),
  ],
};
