/** Taking over keys that were issued elsewhere, one or many at a time. Ours. */
import { z } from "zod";
import { sha256Hex } from "../../core/digest.ts";
import { directoryOf, foreignTokenId } from "../../core/foreign-token.ts";
import { PLATFORM_ORGANIZATION_ID } from "../../core/identifier.ts";
import { apiKeySchema } from "../ledger/view.ts";
import { DeniedError, notFound } from "./api-error.ts";
import { environmentOf, newKeySchema, ownerIn, usualIfAbsent } from "./create-api-key.ts";
import { endpoint, type Section, type Services } from "./endpoint.ts";
import type { ErrorCode } from "./error-catalogue.ts";
import { shownText } from "./fields.ts";
import { attributesOf } from "./key-fields.ts";
import { mintKeyId } from "./mint.ts";
import type { Located } from "./path-parameters.ts";
import { created, ok, type Committed } from "./reply.ts";
import { prepareAndSend, rehearse, send, type Terms } from "./send.ts";

const importedKeySchema = newKeySchema.extend({
  sha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/, "must be 64 lower-case hexadecimal digits")
    .describe("SHA-256 of the key's text. The text itself is never sent."),
  user_id: z.string().max(64).optional().describe("A member the key acts for; absent: the organization owns it."),
  obfuscated_value: shownText(64).default("(imported)").describe("How the key is shown."),
});
type ImportedKey = z.output<typeof importedKeySchema>;

/** Keys in one call, and how many of them at once: each is three questions to cells. */
const BATCH_MAX = 100;
const AT_ONCE = 10;

const batch = z.object({
  api_keys: z
    .array(importedKeySchema)
    .min(1, "at least one")
    .max(BATCH_MAX, `at most ${BATCH_MAX}`)
    .refine((keys) => new Set(keys.map(({ sha256 }) => sha256)).size === keys.length, "each hash once"),
});

/** What became of one key of a batch. */
const outcomeSchema = z.union([
  z.object({ sha256: z.string(), api_key: apiKeySchema, error: z.null() }),
  z.object({ sha256: z.string(), api_key: z.null(), error: z.object({ code: z.string(), message: z.string() }) }),
]);

const REFUSALS: readonly ErrorCode[] = [
  "already_exists",
  "permission_not_assignable",
  "invalid_expiry",
  "membership_not_active",
  "organization_suspended",
  "api_key_policy_violated",
];

/** The endpoints that import keys. */
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
      errors: REFUSALS,
      handler: async ({ services, params: { organization_id }, body, terms }) => {
        return created(await importKey(services, organization_id, body, terms));
      },
    }),

    endpoint({
      method: "POST",
      path: "/organizations/:organization_id/api_keys/import_batch",
      operationId: "importApiKeys",
      summary: "Takes over up to 100 keys that were issued elsewhere",
      description:
        "Each is imported by itself: what became of it stands at its place in `data`, with `error` where it was refused. Whatever is malformed refuses the whole batch, and then nothing is imported. Sent again with its `Idempotency-Key`, what was imported is answered again, and the others are tried again.",
      access: "portcullis:api_keys:write",
      body: batch,
      replies: { 200: z.object({ object: z.literal("list"), data: z.array(outcomeSchema) }) },
      handler: async ({ services, params: { organization_id }, body: { api_keys }, terms }) => {
        for (const { environment } of api_keys) environmentOf(services, environment);
        const data: z.output<typeof outcomeSchema>[] = [];
        const denied: DeniedError[] = [];
        for (let at = 0; at < api_keys.length; at += AT_ONCE) {
          const some = api_keys.slice(at, at + AT_ONCE);
          data.push(
            ...(await Promise.all(
              some.map((key) => outcomeOf(key, importKey(services, organization_id, key, forOne(terms, key)), denied)),
            )),
          );
        }
        return { ...ok({ object: "list" as const, data }), denied };
      },
    }),
  ],
};

async function requireImportable({ cells }: Services, { id, cell }: Located): Promise<void> {
  if (id === PLATFORM_ORGANIZATION_ID || !(await cells.ledger(cell).organization(id)))
    throw notFound("Organization that can have imported keys", id);
}

async function importKey(services: Services, organization: Located, key: ImportedKey, terms: Terms): Promise<Committed> {
  const { cell } = organization;
  const sending = { cell, terms, reason: key.reason } as const;
  return prepareAndSend(services, "create_api_key", sending, async () => {
    await requireImportable(services, organization);
    const command = importing(services, organization, key);
    await rehearse(services, command, sending);
    await place(services, command.minted.token_id, cell, terms);
    return { command };
  });
}

function importing(services: Services, { id, cell }: Located, asked: ImportedKey) {
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

/** What the ledger refused is the key's own matter, and is noted in `denied`; that it could not be asked is everybody's. */
async function outcomeOf(
  { sha256 }: ImportedKey,
  imported: Promise<Committed>,
  denied: DeniedError[],
): Promise<z.output<typeof outcomeSchema>> {
  try {
    const { reply } = await imported;
    return { sha256, api_key: apiKeySchema.parse(reply), error: null };
  } catch (error) {
    if (!(error instanceof DeniedError)) throw error;
    denied.push(error);
    return { sha256, api_key: null, error: { code: error.code, message: error.message } };
  }
}

/** Each key of a batch is a command of its own, recognised when it comes again. */
function forOne(terms: Terms, { sha256 }: ImportedKey): Terms {
  const { repetition } = terms;
  return { ...terms, repetition: { ...repetition, commandId: sha256Hex(`import ${sha256} ${repetition.commandId}`) } };
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
