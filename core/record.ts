/**
 * The key record: what a gateway needs to decide for one token, as the ledger published it. Lives in KV under
 * {@link recordName} and in isolate memory. Never holds the token, only its SHA-256. KV contents are not trusted:
 * {@link parseRecord} is the door.
 */
import { z } from "zod";
import type { Subject } from "./floor.ts";
import { networks } from "./network.ts";

const ownerSchema = z.discriminatedUnion("type", [
  z.object({ type: z.literal("organization"), id: z.string() }),
  z.object({ type: z.literal("user"), id: z.string(), organization_id: z.string(), role: z.string() }),
]);

const stamp = z.number().int().nonnegative();

const activeRecord = z.object({
  v: z.literal(1),
  state: z.literal("active"),
  stamp,
  token_id: z.string(),
  /** Lower-case hexadecimal SHA-256 of the whole token. */
  sha256: z.string().length(64),
  key_id: z.string(),
  owner: ownerSchema,
  environment: z.enum(["live", "test"]),
  /** Effective permissions at the stamp: granted ∩ what the owner may hold. */
  permissions: z.array(z.string()),
  /** Milliseconds since the epoch at which the key stops working, or null. */
  expires_at_ms: z.number().int().nullable(),
  /** When this secret stops working though the key goes on: it was replaced, and the overlap ends then. Null for the newest one. */
  secret_expires_at_ms: z.number().int().nullable(),
  /** Why the key is kept from working for the time being, or null. */
  blocked: z.enum(["key_disabled", "organization_suspended", "membership_inactive"]).nullable(),
  /** Networks it may be used from, or null for any. */
  allowed_networks: networks.nullable(),
});

const tombstone = z.object({
  v: z.literal(1),
  state: z.literal("revoked"),
  stamp,
  token_id: z.string(),
});

const recordSchema = z.discriminatedUnion("state", [activeRecord, tombstone]);

/** A key that was live at `stamp`. */
export type ActiveRecord = z.infer<typeof activeRecord>;
/** A dead key. Tombstones replace records and are never removed, so that an old copy cannot come back as news. */
export type Tombstone = z.infer<typeof tombstone>;
/** What KV and isolate memory hold for a token. */
export type KeyRecord = z.infer<typeof recordSchema>;

/** Seconds for which a location may answer from its own copy of KV. Long, because floors judge every copy. */
export const KV_CACHE_TTL_S = 3_600;

/** KV name of a token's record. */
export function recordName(tokenId: string): string {
  return `key/${tokenId}`;
}

/** Reads a KV value; anything that is not the well-formed record of this very token is as good as a miss. */
export function parseRecord(value: unknown, tokenId: string): KeyRecord | undefined {
  const parsed = recordSchema.safeParse(value);
  return parsed.success && parsed.data.token_id === tokenId ? parsed.data : undefined;
}

/** The organization a key belongs to, its own or its user's. */
export function organizationOf({ owner }: ActiveRecord): string {
  return owner.type === "user" ? owner.organization_id : owner.id;
}

/** All subjects whose floors can void the record. */
export function subjectsOf(record: ActiveRecord): Subject[] {
  const { owner } = record;
  const common: Subject[] = [`key:${record.key_id}`, `token:${record.token_id}`, "catalogue"];
  if (owner.type === "organization") return [...common, `org:${owner.id}`];
  return [...common, `org:${owner.organization_id}`, `user:${owner.id}@${owner.organization_id}`, `role:${owner.role}`];
}
