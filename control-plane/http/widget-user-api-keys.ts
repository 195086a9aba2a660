/** The widget on the keys of members: of the one who uses it, or, for who may manage everybody's, of all in the organization. */
import { z } from "zod";
import { SERVED_SCOPES } from "../../core/widget.ts";
import type { ApiKeyView, UserView } from "../ledger/view.ts";
import { ApiError } from "./api-error.ts";
import { endpoint, type Section, type Services } from "./endpoint.ts";
import { expireOwn, expirySchema, listOwn, widgetKey, widgetKeySchema, widgetPageOf, widgetPageQuery } from "./own-keys.ts";
import { ok } from "./reply.ts";
import { ownOf } from "./widget-caller.ts";
import { creationEndpoint, offerEndpoint, revocationEndpoint } from "./widget-endpoints.ts";

const access = SERVED_SCOPES.user;
const OR_EVERYBODYS = "With `widgets:user-api-keys:manage-all`, those of all members of the organization.";

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
  title: "Widget: members' keys",
  endpoints: [
    endpoint({
      method: "GET",
      path: "/_widgets/UserApiKeys/api-keys",
      operationId: "listWidgetUserApiKeys",
      summary: "Lists one's own keys in the organization, newest first",
      description: OR_EVERYBODYS,
      access,
      query: widgetPageQuery,
      replies: { 200: widgetPageOf(userKeySchema) },
      handler: async ({ services, caller, query }) => {
        const { data, list_metadata } = await listOwn(services, ownOf(caller), query);
        return ok({ data: await withOwners(services, data), list_metadata });
      },
    }),

    creationEndpoint(
      {
        path: "/_widgets/UserApiKeys/api-keys",
        operationId: "createWidgetUserApiKey",
        summary: "Makes a key for oneself",
        access,
      },
      ["membership_not_active"],
    ),

    offerEndpoint({
      path: "/_widgets/UserApiKeys/permissions",
      operationId: "listWidgetUserPermissions",
      summary: "Lists what one's own keys can be given",
      access,
    }),

    endpoint({
      method: "POST",
      path: "/_widgets/UserApiKeys/:api_key_id/expire",
      operationId: "expireWidgetUserApiKey",
      summary: "Ends one's own key now, at a time, or never",
      description: `Answers when it is in force everywhere. ${OR_EVERYBODYS}`,
      access,
      body: expirySchema,
      replies: { 200: userKeySchema },
      errors: ["api_key_already_expired", "permission_not_assignable", "api_key_policy_violated"],
      handler: async ({ services, caller, params, body, terms }) => {
        const [key] = await withOwners(services, [await expireOwn(services, ownOf(caller), params.api_key_id, body, terms)]);
        if (!key) throw new ApiError("widget_token_refused", "The key's owner is not there any more.");
        return ok(key);
      },
    }),

    revocationEndpoint({
      path: "/_widgets/UserApiKeys/:api_key_id",
      operationId: "deleteWidgetUserApiKey",
      summary: "Revokes one's own key",
      access,
    }),
  ],
};

/** Keys with their owners, as the widget shows them. Those of users who have just gone are about to end everywhere, and are left out. */
async function withOwners({ cells }: Services, keys: readonly ApiKeyView[]): Promise<z.output<typeof userKeySchema>[]> {
  if (keys.length === 0) return [];
  const users = await cells.home().users([...new Set(keys.map(({ owner }) => owner.id))]);
  const owners = new Map(users.map((user) => [user.id, ownerShown(user)]));
  return keys.flatMap((key) => {
    const owner = owners.get(key.owner.id);
    return owner ? [{ ...widgetKey(key), owner }] : [];
  });
}

function ownerShown({ id, email, first_name, last_name, name }: UserView): z.output<typeof widgetOwnerSchema> {
  return { type: "user", id, email, firstName: first_name, lastName: last_name, displayName: name ?? email };
}
