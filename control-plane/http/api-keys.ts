/** API keys by id, and validation. Shapes as in the WorkOS API; reading one key and changing it are ours. */
import { z } from "zod";
import { hmacSha256, sha256Hex } from "../../core/digest.ts";
import { directoryOf, foreignTokenId } from "../../core/foreign-token.ts";
import { parseToken } from "../../core/token.ts";
import { apiKeySchema, type ApiKeyView } from "../ledger/view.ts";
import { notFound } from "./api-error.ts";
import { endpoint, type Section, type Services } from "./endpoint.ts";
import { displayName, isoInstant, permissionSlugs } from "./fields.ts";
import { attributeFields, attributesOf, reason } from "./key-fields.ts";
import { changed, ended, ENDED, inForce, inForceWithReceipt, ok } from "./reply.ts";
import { send } from "./send.ts";

/** Endpoints on keys, whoever owns them. */
export const apiKeys: Section = {
  title: "API keys",
  endpoints: [
    endpoint({
      method: "POST",
      path: "/api_keys/validations",
      operationId: "validateApiKey",
      summary: "Tells whose a key is",
      description:
        "`api_key` is null for whatever would not be accepted now, from `client_address` where the key is bound to networks. The permissions of the key are those in effect.",
      access: "portcullis:api_keys:validate",
      body: z.object({
        value: z.string(),
        client_address: z.string().max(64).optional().describe("Absent: keys that are bound to networks are not accepted."),
      }),
      replies: { 200: z.object({ api_key: apiKeySchema.nullable() }) },
      handler: async ({ services, body: { value, client_address = null } }) => {
        const { cells, configuration } = services;
        const token = parseToken(value, configuration.tokenPrefix, configuration.tagKeys, hmacSha256);
        if (token === "malformed_token") return ok({ api_key: await importedKey(services, value, client_address) });
        if (typeof token === "string" || token.cell >= cells.count || !configuration.acceptedEnvironments.has(token.environment))
          return ok({ api_key: null });
        return ok({ api_key: await cells.ledger(token.cell).validate(token.tokenId, sha256Hex(value), client_address) });
      },
    }),

    endpoint({
      method: "GET",
      path: "/api_keys/:api_key_id",
      operationId: "getApiKey",
      summary: "Reads a key",
      access: "portcullis:api_keys:read",
      replies: { 200: apiKeySchema },
      handler: async ({ services, params: { api_key_id } }) => {
        const { id, cell } = api_key_id;
        const key = await services.cells.ledger(cell).apiKey(id);
        if (!key) throw notFound("API key", id);
        return ok(key);
      },
    }),

    endpoint({
      method: "PATCH",
      path: "/api_keys/:api_key_id",
      operationId: "updateApiKey",
      summary: "Renames a key, narrows or widens what it may do, replaces what it carries",
      access: "portcullis:api_keys:write",
      body: z.object({ name: displayName.optional(), permissions: permissionSlugs.optional(), ...attributeFields, reason }),
      replies: inForceWithReceipt(apiKeySchema),
      errors: [
        "permission_not_assignable",
        "membership_not_active",
        "insufficient_permissions",
        "last_holder_of_permission",
        "api_key_policy_violated",
      ],
      handler: async ({ services, params: { api_key_id }, body, terms }) => {
        const { id, cell } = api_key_id;
        const command = {
          type: "update_api_key",
          id,
          ...(body.name !== undefined && { name: body.name }),
          ...(body.permissions && { permissions: body.permissions }),
          attributes: attributesOf(body),
        } as const;
        return changed(await send(services, command, { cell, terms, reason: body.reason }), { receiptInBody: true });
      },
    }),

    endpoint({
      method: "POST",
      path: "/api_keys/:api_key_id/expire",
      operationId: "expireApiKey",
      summary: "Ends a key now, at a time, or never",
      description: "`{}` ends it now, a time then (a past one: now), and null takes a scheduled end back.",
      access: "portcullis:api_keys:write",
      body: z.object({ expires_at: isoInstant.nullable().optional(), reason }),
      replies: inForce(apiKeySchema),
      errors: ["api_key_already_expired", "insufficient_permissions", "last_holder_of_permission", "api_key_policy_violated"],
      handler: async ({ services, params: { api_key_id }, body, terms }) => {
        const { id, cell } = api_key_id;
        const expires_at_ms = body.expires_at === undefined ? "now" : body.expires_at;
        return changed(await send(services, { type: "expire_api_key", id, expires_at_ms }, { cell, terms, reason: body.reason }));
      },
    }),

    endpoint({
      method: "DELETE",
      path: "/api_keys/:api_key_id",
      operationId: "deleteApiKey",
      summary: "Revokes a key",
      description: "When this answers, no gateway accepts the key any more.",
      access: "portcullis:api_keys:write",
      body: z.object({ reason }),
      replies: ENDED,
      errors: ["insufficient_permissions", "last_holder_of_permission"],
      handler: async ({ services, params: { api_key_id }, body, terms }) => {
        const { id, cell } = api_key_id;
        return ended(await send(services, { type: "revoke_api_key", id }, { cell, terms, reason: body.reason }));
      },
    }),
  ],
};

/** The key, if it was issued elsewhere and imported, and would be accepted now. */
async function importedKey({ cells, configuration }: Services, value: string, clientAddress: string | null): Promise<ApiKeyView | null> {
  const sha256 = sha256Hex(value);
  const tokenId = foreignTokenId(sha256);
  const cell = await cells.ledger(directoryOf(tokenId, cells.count)).locateImported(tokenId);
  const key = cell === null ? null : await cells.ledger(cell).validate(tokenId, sha256, clientAddress);
  return key && configuration.acceptedEnvironments.has(key.environment) ? key : null;
}
