/** Taking over keys that were issued elsewhere. Ours. */
import { z } from "zod";
import { sha256Hex } from "../../core/digest.ts";
import { directoryOf, foreignTokenId } from "../../core/foreign-token.ts";
import { PLATFORM_ORGANIZATION_ID } from "../../core/identifier.ts";
import { apiKeySchema } from "../ledger/view.ts";
import { notFound } from "./api-error.ts";
import { environmentOf, newKeySchema, ownerIn, usualIfAbsent } from "./create-api-key.ts";
import { endpoint, type Section, type Services } from "./endpoint.ts";
import { shownText } from "./fields.ts";
import { attributesOf } from "./key-fields.ts";
import { mintKeyId } from "./mint.ts";
import type { Located } from "./path-parameters.ts";
import { created } from "./reply.ts";
import { prepareAndSend, rehearse, send, type Terms } from "./send.ts";

const importedKeySchema = newKeySchema.extend({
  sha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/, "must be 64 lower-case hexadecimal digits")
    .describe("SHA-256 of the key's text. The text itself is never sent."),
  user_id: z.string().max(64).optional().describe("A member the key acts for; absent: the organization owns it."),
  obfuscated_value: shownText(64).default("(imported)").describe("How the key is shown."),
});

/** The endpoint that imports keys. */
export const keyImport: Section = {
  title: "Imported keys",
  endpoints: [
    endpoint({
      method: "POST",
      path: "/organizations/:organization_id/api_keys/import",
      operationId: "importApiKey",
      summary: "Takes over a key that was issued elsewhere",
      description:
        "Gateways accept it on routes with `foreign: true`, if it begins with one of `FOREIGN_KEY_PREFIXES`. A hash can be imported once, into one organization. Where the key was tried within the last 5 seconds, it is accepted that much later.",
      access: "portcullis:api_keys:write",
      body: importedKeySchema,
      replies: { 201: apiKeySchema },
      errors: [
        "already_exists",
        "permission_not_assignable",
        "invalid_expiry",
        "membership_not_active",
        "organization_suspended",
        "api_key_policy_violated",
      ],
      handler: async ({ services, params: { organization_id }, body, terms }) => {
        const { id: organizationId, cell } = organization_id;
        const sending = { cell, terms, reason: body.reason } as const;
        const done = await prepareAndSend(services, "create_api_key", sending, async () => {
          if (organizationId === PLATFORM_ORGANIZATION_ID || !(await services.cells.ledger(cell).organization(organizationId)))
            throw notFound("Organization that can have imported keys", organizationId);
          const command = importing(services, organization_id, body);
          await rehearse(services, command, sending);
          await place(services, command.minted.token_id, cell, terms);
          return { command };
        });
        return created(done);
      },
    }),
  ],
};

function importing(services: Services, { id, cell }: Located, asked: z.output<typeof importedKeySchema>) {
  const { sha256, user_id, obfuscated_value, name, permissions, expires_at } = asked;
  const environment = environmentOf(services, asked.environment);
  return {
    type: "create_api_key",
    id: mintKeyId(services, cell),
    owner: ownerIn(id, user_id),
    name,
    permissions,
    expires_at_ms: usualIfAbsent(expires_at),
    minted: { token_id: foreignTokenId(sha256), sha256, obfuscated_value, environment },
    attributes: attributesOf(asked),
    imported: true,
  } as const;
}

/**
 * Has the directory note where the key lives, before it lives there: a note of a key that was not made after all names nothing. But it
 * stays, and keeps the key out of other cells: so not before the import is known to go through.
 */
async function place(services: Services, token_id: string, cell: number, terms: Terms): Promise<void> {
  // A command of its own, also where both are sent to the same cell.
  const repetition = { ...terms.repetition, commandId: sha256Hex(`place ${terms.repetition.commandId}`) };
  const directory = directoryOf(token_id, services.cells.count);
  await send(services, { type: "place_imported_token", token_id, cell }, { cell: directory, terms: { ...terms, repetition } });
}
