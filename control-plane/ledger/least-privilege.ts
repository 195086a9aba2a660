/**
 * What keys may do and do not: compared with the uses that the cell was told of. A permission is excess when it was not used, in its own
 * words, within a window; a wildcard of which only a part was used is excess, too, and the part is proposed in its place.
 */
import { z } from "zod";
import { sha256Hex } from "../../core/digest.ts";
import { PLATFORM_ORGANIZATION_ID } from "../../core/identifier.ts";
import type { Slice, Walk } from "../../core/page.ts";
import { canonical, covers, coversAny } from "../../core/permission.ts";
import { apiKeyStored, apiKeyView } from "./api-keys.ts";
import { isoTime } from "./iso-time.ts";
import { PERMISSION_USE_GRAIN_MS } from "./key-uses.ts";
import { apiKeySchema, type ApiKeyView, type View } from "./view.ts";
import { walkTable } from "./walk-table.ts";

/** What can be said against a key. */
export const FINDINGS = ["excess_permissions", "idle", "never_expires", "creator_left"] as const;
export type Finding = (typeof FINDINGS)[number];

/** How keys are looked at. */
export interface ReviewTerms {
  /** A permission that was not used for so long is excess. */
  readonly windowDays: number;
  /** A key that was not used for so long is idle; one that was never used, since it was made. */
  readonly idleDays: number;
  /** Platform keys that still are; keys made by another have lost their creator. */
  readonly livePlatformKeys: readonly string[];
}

const time = z.iso.datetime();
const used = z.object({ permission: z.string(), last_used_at: time.nullable() });

/** A key's review. */
export const keyReviewSchema = z
  .object({
    object: z.literal("api_key_review"),
    id: apiKeySchema.shape.id.describe("The key's."),
    api_key: apiKeySchema,
    findings: z.array(z.enum(FINDINGS)),
    observed_since: time.describe("Since when its uses are known: since it was made, or since uses are noted at all."),
    permissions: z.array(used).describe("As granted, and when anything each covers was last used, to the hour."),
    used_permissions: z.array(used.extend({ last_used_at: time })).describe("What was used of them, in the words of the routes."),
    proposed_permissions: z.array(z.string()).describe("What of them was used within the window: all the key would keep."),
  })
  .meta({ id: "ApiKeyReview" });
export type KeyReviewView = View<typeof keyReviewSchema>;

const DAY_MS = 86_400_000;

/** Reviews of keys that have not been revoked, on a walk over their ids; of one organization or of all in this cell. */
export function keyReviewSlice(
  sql: SqlStorage,
  organizationId: string | undefined,
  terms: ReviewTerms,
  walk: Walk,
  nowMs: number,
): Slice<KeyReviewView> {
  const standing =
    "(SELECT k.id, k.organization_id FROM api_keys k JOIN organizations o ON o.id = k.organization_id WHERE k.revoked_seq IS NULL)";
  const found = walkTable<{ id: string }, string>(sql, standing, { organization_id: organizationId }, walk, ({ id }) => id);
  const keys = found.rows.map((id) => apiKeyStored(sql, id)).filter((key) => key !== null);
  return { rows: keys.map((key) => reviewOf(sql, key, terms, nowMs)), behind: found.behind };
}

/** The review of one key, or null when it is revoked or unknown. */
export function keyReview(sql: SqlStorage, id: string, terms: ReviewTerms, nowMs: number): KeyReviewView | null {
  const key = apiKeyView(sql, id);
  return key && reviewOf(sql, key, terms, nowMs);
}

/**
 * What a key would keep: what it was granted and has used in the last days, in the words of the routes. Never more than it has. What was
 * noted to be used may have been used once more within the grain: nothing that was used in these days is taken away.
 */
export function narrowedPermissions(sql: SqlStorage, id: string, granted: readonly string[], windowDays: number, nowMs: number): string[] {
  const sinceMs = nowMs - windowDays * DAY_MS - PERMISSION_USE_GRAIN_MS;
  const recent = usesOf(sql, id, granted).filter(({ atMs }) => atMs >= sinceMs);
  return canonical(recent.map(({ permission }) => permission));
}

/** Tells whether a narrowing is still what was looked at: neither has the key used more, nor has it been changed. */
export function narrowingDigest(id: string, granted: readonly string[], proposed: readonly string[]): string {
  return sha256Hex(JSON.stringify([id, granted, proposed]));
}

/** The platform keys that have neither been revoked nor expired; the platform organization's cell has them. */
export function livePlatformKeys(sql: SqlStorage, nowMs: number): string[] {
  return sql
    .exec<{ id: string }>(
      "SELECT id FROM api_keys WHERE organization_id = ? AND revoked_seq IS NULL AND (expires_at_ms IS NULL OR expires_at_ms > ?)",
      PLATFORM_ORGANIZATION_ID,
      nowMs,
    )
    .toArray()
    .map(({ id }) => id);
}

interface Use {
  readonly permission: string;
  readonly atMs: number;
}

function reviewOf(sql: SqlStorage, key: ApiKeyView, terms: ReviewTerms, nowMs: number): KeyReviewView {
  const uses = usesOf(sql, key.id, key.permissions);
  const lastUseOf = (permission: string) => uses.filter((use) => covers(permission, use.permission)).map(({ atMs }) => atMs);
  const proposed = narrowedPermissions(sql, key.id, key.permissions, terms.windowDays, nowMs);
  const idleSince = Date.parse(key.last_used_at ?? key.created_at);
  const found: Readonly<Record<Finding, boolean>> = {
    excess_permissions: key.permissions.some((permission) => !proposed.includes(permission)),
    idle: idleSince < nowMs - terms.idleDays * DAY_MS,
    never_expires: key.expires_at === null,
    creator_left: hasCreatorLeft(sql, key, terms.livePlatformKeys),
  };
  return {
    object: "api_key_review",
    id: key.id,
    api_key: key,
    findings: FINDINGS.filter((finding) => found[finding]),
    observed_since: isoTime(Math.max(Date.parse(key.created_at), notedSinceMs(sql))),
    permissions: key.permissions.map((permission) => ({ permission, last_used_at: latest(lastUseOf(permission)) })),
    used_permissions: uses.map(({ permission, atMs }) => ({ permission, last_used_at: isoTime(atMs) })),
    proposed_permissions: proposed,
  };
}

/** A member who is none any more, or a platform key that has ended. Of admins who sign in elsewhere, and of the system itself, nothing is known. */
function hasCreatorLeft(sql: SqlStorage, { owner, created_by }: ApiKeyView, live: readonly string[]): boolean {
  if (created_by.type === "api_key") return !live.includes(created_by.id);
  if (created_by.type !== "user" || !created_by.id.startsWith("user_")) return false;
  const organizationId = owner.type === "user" ? owner.organization_id : owner.id;
  const memberships = sql.exec("SELECT 1 FROM memberships WHERE organization_id = ? AND user_id = ?", organizationId, created_by.id);
  return memberships.toArray().length === 0;
}

function usesOf(sql: SqlStorage, id: string, granted: readonly string[]): Use[] {
  return sql
    .exec<{ permission: string; last_used_at_ms: number }>(
      "SELECT permission, last_used_at_ms FROM permission_uses WHERE key_id = ? ORDER BY permission",
      id,
    )
    .toArray()
    .filter(({ permission }) => coversAny(granted, permission))
    .map(({ permission, last_used_at_ms }) => ({ permission, atMs: last_used_at_ms }));
}

function notedSinceMs(sql: SqlStorage): number {
  return sql.exec<{ since_ms: number }>("SELECT since_ms FROM uses_noted").one().since_ms;
}

function latest(timesMs: readonly number[]): string | null {
  return timesMs.length === 0 ? null : isoTime(Math.max(...timesMs));
}
