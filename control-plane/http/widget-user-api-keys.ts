/** The widget on the keys of the member who uses it, in one organization. */
import { z } from "zod";
import { SERVED_SCOPES } from "../../core/widget.ts";
import type { SelfServe } from "../ledger/command.ts";
import { ApiError } from "./api-error.ts";
import { endpoint, type Section, type Services } from "./endpoint.ts";
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

const access = SERVED_SCOPES.user;

const widgetOwnerSchema = z.object({
  type: z.literal("user"),
  id: z.string(),
  email: z.string(),
  firstName: z.string().nullable(),
  lastName: z.string().nullable(),
  displayName: z.string(),
});
const userKeySchema = widgetKeySchema.extend({ owner: widgetOwnerSchema }).meta({ id: "WidgetUserApiKey" });

/** Endpoints that the WorkOS `ApiKeys` widget calls for `scope="user"`. */
export const widgetUserApiKeys: Section = {
  title: "Widget: one's own keys",
  endpoints: [
    endpoint({
      method: "GET",
      path: "/_widgets/UserApiKeys/api-keys",
      operationId: "listWidgetUserApiKeys",
      summary: "Lists one's own keys in the organization, newest first",
      access,
      query: widgetPageQuery,
      replies: { 200: widgetPageOf(userKeySchema) },
      handler: async ({ services, caller, query }) => {
        const own = ownOf(caller);
        const [owner, { data, list_metadata }] = await Promise.all([ownerShown(services, own), listOwn(services, own, query)]);
        return ok({ data: data.map((key) => ({ ...key, owner })), list_metadata });
      },
    }),

    endpoint({
      method: "POST",
      path: "/_widgets/UserApiKeys/api-keys",
      operationId: "createWidgetUserApiKey",
      summary: "Makes a key for oneself",
      access,
      body: newWidgetKeySchema,
      replies: { 201: createdWidgetKeySchema },
      errors: ["entity_not_found", "membership_not_active", "permission_not_assignable", "invalid_expiry", "api_key_policy_violated"],
      handler: async ({ services, caller, body, terms }) => createOwn(services, ownOf(caller), body, terms),
    }),

    endpoint({
      method: "GET",
      path: "/_widgets/UserApiKeys/permissions",
      operationId: "listWidgetUserPermissions",
      summary: "Lists what one's own keys can be given",
      access,
      query: offeredQuery,
      replies: { 200: offeredSchema },
      handler: async ({ services, caller, query }) => offerPermissions(services, ownOf(caller), query),
    }),

    endpoint({
      method: "POST",
      path: "/_widgets/UserApiKeys/:api_key_id/expire",
      operationId: "expireWidgetUserApiKey",
      summary: "Ends one's own key now, at a time, or never",
      description: "Answers when it is in force everywhere.",
      access,
      body: expirySchema,
      replies: { 200: userKeySchema },
      errors: ["api_key_already_expired", "permission_not_assignable", "api_key_policy_violated"],
      handler: async ({ services, caller, params, body, terms }) => {
        const own = ownOf(caller);
        const key = await expireOwn(services, own, params.api_key_id, body, terms);
        return ok({ ...key, owner: await ownerShown(services, own) });
      },
    }),

    endpoint({
      method: "DELETE",
      path: "/_widgets/UserApiKeys/:api_key_id",
      operationId: "deleteWidgetUserApiKey",
      summary: "Revokes one's own key",
      description: "When this answers, no gateway accepts the key any more.",
      access,
      replies: { 200: successSchema },
      handler: async ({ services, caller, params, terms }) => revokeOwn(services, ownOf(caller), params.api_key_id, terms),
    }),
  ],
};

/** The member, as the widget shows them. Who has gone since the request came in has no token that is good. */
async function ownerShown({ cells }: Services, { user_id }: SelfServe): Promise<z.output<typeof widgetOwnerSchema>> {
  const user = user_id === null ? null : await cells.home().user(user_id);
  if (!user) throw new ApiError("widget_token_refused", "The user of the widget is not there any more.");
  const { id, email, first_name, last_name, name } = user;
  return { type: "user", id, email, firstName: first_name, lastName: last_name, displayName: name ?? email };
}
