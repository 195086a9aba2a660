/** Ending many keys at once: a preview first, then exactly what it showed. Ours. */
import { z } from "zod";
import { permissionSlug } from "../../core/permission-slug.ts";
import type { KeyFilter, KeySetDigest } from "../ledger/command.ts";
import { apiKeySchema, receiptSchema, type RevocationPreview } from "../ledger/view.ts";
import { invalid, notFound } from "./api-error.ts";
import { endpoint, type Section, type Services } from "./endpoint.ts";
import { actorId, isoInstant } from "./fields.ts";
import { reason, tag } from "./key-fields.ts";
import type { Located } from "./path-parameters.ts";
import { ok, type Committed } from "./reply.ts";
import { prepareAndSend, type Terms } from "./send.ts";

/** Keys that a preview shows over all cells. */
const SHOWN_MAX = 10;

const anyId = z.string().min(1).max(64);
const conditions = {
  owner_id: anyId.optional().describe("A user, or an organization for the keys that it owns itself."),
  created_by: actorId.optional().describe("Id of the actor that made the key, as in its `created_by`."),
  permission: permissionSlug.optional().describe("Keys that were granted it, something it covers, or something that covers it."),
  tag: tag.optional(),
  last_used_before: isoInstant.optional().describe("A key that was never used counts as used when it was made."),
  created_before: isoInstant.optional(),
} as const;
/** Cell, number of keys and digest of the set, of each cell that has any. */
const CONFIRMATION = /^(?:(?:^|,)\d{1,2}\.\d{1,9}\.[0-9a-f]{64})*$/;
const confirmed = {
  ...conditions,
  confirmation: z.string().max(4_000).regex(CONFIRMATION, "must be the confirmation of a preview"),
  reason,
} as const;

const previewSchema = z.object({
  object: z.literal("api_key_revocation_preview"),
  count: z.number().int(),
  used_in_last_hour: z.number().int(),
  first: z.array(apiKeySchema).describe("The oldest few."),
  confirmation: z.string().describe("Ends exactly these keys when it is sent with the same conditions."),
});
const revocationSchema = z.object({
  object: z.literal("api_key_revocation"),
  revoked: z.number().int(),
  receipts: z.array(receiptSchema).describe("One for each cell that had any of the keys."),
});
const UNBOUNDED = { error: "name at least one condition: this would end every key there is" };

function isBounded(asked: object): boolean {
  return Object.keys(conditions).some((name) => name in asked);
}

type Conditions = z.output<z.ZodObject<typeof conditions>>;

const REPLIES = { 200: revocationSchema, 202: revocationSchema } as const;

/** Endpoints that end many keys. */
export const keyRevocations: Section = {
  title: "Ending many keys",
  endpoints: [
    endpoint({
      method: "POST",
      path: "/organizations/:organization_id/api_keys/revocations/preview",
      operationId: "previewOrganizationApiKeyRevocation",
      summary: "Shows which keys of an organization meet all the conditions",
      description: "Those of its members, too. Without a condition all of them. Keys of `org_platform` never do.",
      access: "portcullis:api_keys:read",
      body: z.strictObject(conditions),
      replies: { 200: previewSchema },
      handler: async ({ services, params: { organization_id }, body }) => {
        await requireOrganization(services, organization_id);
        return ok(await previewIn(services, [organization_id.cell], filterOf(body, organization_id.id)));
      },
    }),

    endpoint({
      method: "POST",
      path: "/organizations/:organization_id/api_keys/revocations",
      operationId: "revokeOrganizationApiKeys",
      summary: "Revokes the keys of an organization that a preview showed",
      description: "In one entry. When this answers, no gateway accepts any of them.",
      access: "portcullis:api_keys:write",
      body: z.strictObject(confirmed),
      replies: REPLIES,
      errors: ["preview_outdated"],
      handler: async ({ services, params: { organization_id }, body, terms }) => {
        const { id, cell } = organization_id;
        const check = () => requireOrganization(services, organization_id);
        return revokeIn(services, [cell], { filter: filterOf(body, id), terms, check, ...body });
      },
    }),

    endpoint({
      method: "POST",
      path: "/api_keys/revocations/preview",
      operationId: "previewApiKeyRevocation",
      summary: "Shows which keys of all organizations meet all the conditions",
      description: "At least one condition. Keys of `org_platform` never do.",
      access: "portcullis:api_keys:read",
      body: z.strictObject(conditions).refine(isBounded, UNBOUNDED),
      replies: { 200: previewSchema },
      handler: async ({ services, body }) => ok(await previewIn(services, everyCell(services), filterOf(body))),
    }),

    endpoint({
      method: "POST",
      path: "/api_keys/revocations",
      operationId: "revokeApiKeys",
      summary: "Revokes the keys of all organizations that a preview showed",
      description:
        "In one entry for each cell, which does its part or refuses it by itself. When this answers, no gateway accepts any of them.",
      access: "portcullis:api_keys:revoke_everywhere",
      body: z.strictObject(confirmed).refine(isBounded, UNBOUNDED),
      replies: REPLIES,
      errors: ["preview_outdated"],
      handler: async ({ services, body, terms }) => revokeIn(services, everyCell(services), { filter: filterOf(body), terms, ...body }),
    }),
  ],
};

async function requireOrganization({ cells }: Services, { id, cell }: Located): Promise<void> {
  if (!(await cells.ledger(cell).organization(id))) throw notFound("Organization", id);
}

async function previewIn({ cells }: Services, places: readonly number[], filter: KeyFilter) {
  return previewView(
    await Promise.all(places.map(async (cell) => ({ cell, preview: await cells.ledger(cell).previewRevocation(filter) }))),
  );
}

interface Revocation {
  readonly filter: KeyFilter;
  readonly terms: Terms;
  /** Throws what a first request is refused for. */
  readonly check?: () => Promise<void>;
  readonly confirmation: string;
  readonly reason?: string | undefined;
}

/** Also where the preview showed none: there may be some now. */
async function revokeIn(services: Services, places: readonly number[], revocation: Revocation) {
  const { filter, terms, check, confirmation, reason: why } = revocation;
  const digests = digestsOf(confirmation);
  if ([...digests.keys()].some((cell) => !places.includes(cell)))
    throw invalid([{ code: "invalid", field: "confirmation", message: "is that of a preview of something else" }]);
  const parts = await Promise.allSettled(
    places.map((cell) =>
      prepareAndSend(services, "bulk_revoke_api_keys", { cell, terms, reason: why }, async () => {
        await check?.();
        return { command: { type: "bulk_revoke_api_keys", filter, expected: digests.get(cell) ?? NO_KEYS } };
      }),
    ),
  );
  return revokedReply(parts.map(valueOf));
}

/** SHA-256 of nothing: the digest of a set without keys. */
const NO_KEYS: KeySetDigest = { count: 0, sha256: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" };

function everyCell({ cells }: Services): number[] {
  return Array.from({ length: cells.count }, (_, cell) => cell);
}

function filterOf(asked: Conditions, organization_id?: string): KeyFilter {
  const { owner_id, created_by, permission, tag: ofTag, last_used_before, created_before } = asked;
  return {
    ...(organization_id !== undefined && { organization_id }),
    ...(owner_id !== undefined && { owner_id }),
    ...(created_by !== undefined && { created_by }),
    ...(permission !== undefined && { permission }),
    ...(ofTag !== undefined && { tag: ofTag }),
    ...(last_used_before !== undefined && { last_used_before_ms: last_used_before }),
    ...(created_before !== undefined && { created_before_ms: created_before }),
  };
}

function previewView(found: readonly { readonly cell: number; readonly preview: RevocationPreview }[]) {
  const some = found.filter(({ preview: { count } }) => count > 0);
  const first = some.flatMap(({ preview }) => preview.first).toSorted((one, other) => (one.id < other.id ? -1 : 1));
  return {
    object: "api_key_revocation_preview" as const,
    count: sumOf(some.map(({ preview }) => preview.count)),
    used_in_last_hour: sumOf(some.map(({ preview }) => preview.used_in_last_hour)),
    first: first.slice(0, SHOWN_MAX),
    confirmation: some.map(({ cell, preview: { count, sha256 } }) => `${cell}.${count}.${sha256}`).join(","),
  };
}

function digestsOf(confirmation: string): Map<number, KeySetDigest> {
  const parts = confirmation === "" ? [] : confirmation.split(",").map((part) => part.split("."));
  return new Map(parts.map(([cell, count, sha256 = ""]) => [Number(cell), { count: Number(count), sha256 }]));
}

/** Each cell has done its part or refused it; who is told of a refusal is told when the other parts are in force, too. */
function revokedReply(parts: readonly Committed[]) {
  const revoking = parts.filter(({ reply }) => Number(reply["count"]) > 0);
  const receipts = revoking.flatMap(({ receipt }) => receipt ?? []);
  const revoked = sumOf(revoking.map(({ reply }) => Number(reply["count"])));
  const isInForce = receipts.every(({ effective_at }) => effective_at !== null);
  const body = { object: "api_key_revocation", revoked, receipts } as const;
  return { status: isInForce ? 200 : 202, body } as const;
}

function valueOf<Value>(settled: PromiseSettledResult<Value>): Value {
  if (settled.status === "fulfilled") return settled.value;
  throw settled.reason;
}

function sumOf(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0);
}
