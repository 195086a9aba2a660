/** Users and the keys they own. */
import { z } from "zod";
import { HOME_CELL, mintId } from "../../core/identifier.ts";
import { assemblePage, walkOf } from "../../core/page.ts";
import { apiKeySchema, userSchema, type UserView } from "../ledger/view.ts";
import { notFound } from "./api-error.ts";
import { createApiKey, createdApiKeySchema, newKeySchema } from "./create-api-key.ts";
import { endpoint, type Section, type Services } from "./endpoint.ts";
import { displayName, externalId, externalIdChange, given, languageTag, metadata, metadataChange, reason } from "./fields.ts";
import { pageQuery, unsupportedFilter } from "./query.ts";
import { created, ended, ENDED, ok, pageOf, settled } from "./reply.ts";
import { send } from "./send.ts";

const emailAddress = z.email("must be an e-mail address").max(254);
const name = displayName.nullable().optional();
/** Nobody signs in here, so whoever sends a password thinks that it is kept. */
const notKept = z.never({ error: "is not kept: users do not sign in here" }).optional();
const profile = {
  email_verified: z.boolean().optional(),
  first_name: name,
  last_name: name,
  name: name.describe("Null or absent: first and last name make it."),
  locale: languageTag.nullable().optional(),
  password: notKept,
  password_hash: notKept,
  password_hash_type: notKept,
} as const;
const newUser = z.object({ email: emailAddress, ...profile, external_id: externalId, metadata: metadata.default({}) });
const userChange = z.object({ email: emailAddress.optional(), ...profile, external_id: externalIdChange, metadata: metadataChange });

/** Endpoints on users. */
export const users: Section = {
  title: "Users",
  endpoints: [
    endpoint({
      method: "POST",
      path: "/user_management/users",
      operationId: "createUser",
      summary: "Makes a user",
      access: "portcullis:users:write",
      body: newUser,
      replies: { 201: userSchema },
      errors: ["user_already_exists", "external_id_already_used"],
      handler: async ({ services, body, terms }) => {
        const { email, external_id, metadata: notes, ...said } = body;
        const id = mintId("user", services.now(), services.randomBytes);
        const command = { type: "create_user", id, email, external_id, metadata: notes, ...given(said) } as const;
        return created(await send(services, command, { cell: HOME_CELL, terms, codes: { already_exists: "user_already_exists" } }));
      },
    }),

    endpoint({
      method: "GET",
      path: "/user_management/users",
      operationId: "listUsers",
      summary: "Lists users, all or the one with an e-mail address",
      access: "portcullis:users:read",
      query: pageQuery("user").safeExtend({ email: z.string().optional(), organization_id: unsupportedFilter }),
      replies: { 200: pageOf(userSchema) },
      handler: async ({ services, query: { email, ...page } }) =>
        ok(assemblePage(page, [await services.cells.home().listUsers(email === undefined ? {} : { email }, walkOf(page))])),
    }),

    endpoint({
      method: "GET",
      path: "/user_management/users/:user_id",
      operationId: "getUser",
      summary: "Reads a user",
      access: "portcullis:users:read",
      replies: { 200: userSchema },
      handler: async ({ services, params }) => ok(await user(services, params.user_id)),
    }),

    endpoint({
      method: "GET",
      path: "/user_management/users/external_id/:external_id",
      operationId: "getUserByExternalId",
      summary: "Reads the user with an external id",
      access: "portcullis:users:read",
      replies: { 200: userSchema },
      handler: async ({ services, params: { external_id } }) => {
        const found = await services.cells.home().userByExternalId(external_id);
        if (!found) throw notFound("User with the external id", external_id);
        return ok(found);
      },
    }),

    endpoint({
      method: "PUT",
      path: "/user_management/users/:user_id",
      operationId: "updateUser",
      summary: "Changes what a user is called and known by",
      description:
        "What is absent stays, but another e-mail address is not verified unless that is said. `metadata` is merged into what is there; null takes a name away.",
      access: "portcullis:users:write",
      body: userChange,
      replies: { 200: userSchema },
      errors: ["user_already_exists", "external_id_already_used", "too_much_metadata"],
      handler: async ({ services, params, body, terms }) => {
        const command = { type: "update_user", id: params.user_id, ...given(body) } as const;
        return settled(await send(services, command, { cell: HOME_CELL, terms, codes: { already_exists: "user_already_exists" } }));
      },
    }),

    endpoint({
      method: "DELETE",
      path: "/user_management/users/:user_id",
      operationId: "deleteUser",
      summary: "Ends a user with every membership and every key the user owns, in all organizations",
      description: "The organizations' own keys live on, also those that the user made.",
      access: "portcullis:users:write",
      body: z.object({ reason }),
      replies: ENDED,
      errors: ["not_yet_effective"],
      handler: async ({ services, params, body, terms }) =>
        ended(await send(services, { type: "end_user", id: params.user_id }, { cell: HOME_CELL, terms, reason: body.reason })),
    }),

    endpoint({
      method: "GET",
      path: "/user_management/users/:user_id/api_keys",
      operationId: "listUserApiKeys",
      summary: "Lists a user's keys, of one organization or of all",
      access: "portcullis:api_keys:read",
      query: pageQuery("api_key").safeExtend({ organization_id: z.string().optional() }),
      replies: { 200: pageOf(apiKeySchema) },
      handler: async ({ services, params, query }) => {
        const { cells } = services;
        const { organization_id, ...page } = query;
        const owner = { type: "user", id: (await user(services, params.user_id)).id } as const;
        const slices =
          organization_id === undefined
            ? await cells.everywhere((ledger) => ledger.listApiKeys(owner, walkOf(page)))
            : [await cells.ledger(cells.cellOf(organization_id)).listApiKeys({ ...owner, organization_id }, walkOf(page))];
        return ok(assemblePage(page, slices));
      },
    }),

    endpoint({
      method: "POST",
      path: "/user_management/users/:user_id/api_keys",
      operationId: "createUserApiKey",
      summary: "Makes a key that acts for a member of an organization",
      access: "portcullis:api_keys:write",
      body: newKeySchema.extend({ organization_id: z.string().max(64) }),
      replies: { 201: createdApiKeySchema },
      errors: [
        "permission_not_assignable",
        "membership_not_active",
        "invalid_expiry",
        "organization_suspended",
        "reply_unavailable",
        "api_key_policy_violated",
      ],
      handler: async ({ services, params: { user_id: id }, body, terms }) =>
        createApiKey(services, { type: "user", id, organization_id: body.organization_id }, body, terms, () => user(services, id)),
    }),
  ],
};

async function user({ cells }: Services, id: string): Promise<UserView> {
  const found = await cells.home().user(id);
  if (!found) throw notFound("User", id);
  return found;
}
