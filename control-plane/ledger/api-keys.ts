/** API keys as a cell keeps them, and their public shape. */
import { accept, type Presentation } from "../../core/authorize.ts";
import type { Slice, Walk } from "../../core/page.ts";
import { isoTime, isoTimeOrNull } from "./iso-time.ts";
import { resolveToken } from "./resolve.ts";
import type { ApiKeyView } from "./view.ts";
import { walkTable } from "./walk-table.ts";

/** A key as stored. `permissions` is JSON, as granted. */
export interface ApiKeyRow extends Record<string, SqlStorageValue> {
  id: string;
  owner_type: string;
  organization_id: string;
  user_id: string | null;
  name: string;
  obfuscated_value: string;
  environment: string;
  permissions: string;
  expires_at_ms: number | null;
  revoked_seq: number | null;
  created_at_ms: number;
  updated_at_ms: number;
  disabled_at_ms: number | null;
  metadata: string;
  allowed_networks: string | null;
  created_by_type: string;
  created_by_id: string;
  /** Of an admin who signed in: the roles they had then, as JSON. */
  created_by_roles: string | null;
  updated_by_type: string;
  updated_by_id: string;
}

/** A key with what other tables say of it. JSON where it is not one value. */
interface ShownKeyRow extends ApiKeyRow {
  tags: string;
  last_used_at_ms: number | null;
  previous_secret: string | null;
}

/** Of the secrets before the newest one only the last can still be working. */
const SHOWN_KEYS = `(SELECT k.*,
  (SELECT json_group_array(tag ORDER BY tag) FROM api_key_tags WHERE key_id = k.id) AS tags,
  (SELECT max(last_used_at_ms) FROM tokens WHERE key_id = k.id) AS last_used_at_ms,
  (SELECT json_object('obfuscated_value', obfuscated_value, 'ends_at_ms', ends_at_ms, 'last_used_at_ms', last_used_at_ms)
    FROM tokens WHERE key_id = k.id AND ends_at_ms IS NOT NULL AND revoked_seq IS NULL) AS previous_secret
  FROM api_keys k)`;

/** A key that has not been revoked (it may have expired) in an organization that has not ended, or undefined. */
export function unrevokedKey(sql: SqlStorage, id: string): ApiKeyRow | undefined {
  return sql
    .exec<ApiKeyRow>(
      "SELECT k.* FROM api_keys k JOIN organizations o ON o.id = k.organization_id WHERE k.id = ? AND k.revoked_seq IS NULL",
      id,
    )
    .toArray()[0];
}

/** A key's public shape, or null when it is revoked, unknown, or its organization has ended. */
export function apiKeyView(sql: SqlStorage, id: string): ApiKeyView | null {
  return unrevokedKey(sql, id) ? apiKeyStored(sql, id) : null;
}

/** A key's public shape, also after its end: then as it was when it ended; null when it is unknown. */
export function apiKeyStored(sql: SqlStorage, id: string): ApiKeyView | null {
  const [row] = sql.exec<ShownKeyRow>(`SELECT * FROM ${SHOWN_KEYS} WHERE id = ?`, id).toArray();
  return row ? toApiKey(row) : null;
}

/** Whose keys are listed. */
export type ListedOwner =
  | { readonly type: "organization"; readonly id: string }
  /** Of one organization, or of all in this cell. */
  | { readonly type: "user"; readonly id: string; readonly organization_id?: string }
  /** All members of an organization. */
  | { readonly type: "members"; readonly organization_id: string };

/** Keys that have not been revoked, on a walk. `search`: only those with this in their name. */
export function apiKeySlice(sql: SqlStorage, owner: ListedOwner, walk: Walk, search?: string): Slice<ApiKeyView> {
  const named = search === undefined ? {} : { name: { containing: search } };
  return walkTable<ShownKeyRow, ApiKeyView>(sql, SHOWN_KEYS, { ...ownedBy(owner), ...named, revoked_seq: null }, walk, toApiKey);
}

function ownedBy(owner: ListedOwner) {
  switch (owner.type) {
    case "organization":
      return { owner_type: "organization", organization_id: owner.id };
    case "user":
      return { owner_type: "user", user_id: owner.id, organization_id: owner.organization_id };
    case "members":
      return { owner_type: "user", organization_id: owner.organization_id };
  }
}

/** The key a presented token names, if it would be accepted now. Its permissions are those in effect. */
export function validateToken(sql: SqlStorage, tokenId: string, presented: Presentation, nowMs: number): ApiKeyView | null {
  const record = resolveToken(sql, tokenId, nowMs);
  const acceptance = record && accept(record, presented, nowMs);
  if (!acceptance?.accepted) return null;
  const key = apiKeyView(sql, acceptance.record.key_id);
  return key && { ...key, permissions: acceptance.record.permissions };
}

/** A few keys by id, in order of id; those that have been revoked are left out. */
export function apiKeyViews(sql: SqlStorage, ids: readonly string[]): ApiKeyView[] {
  const places = ids.map(() => "?").join(", ");
  return sql
    .exec<ShownKeyRow>(`SELECT * FROM ${SHOWN_KEYS} WHERE id IN (${places}) AND revoked_seq IS NULL ORDER BY id`, ...ids)
    .toArray()
    .map(toApiKey);
}

function toApiKey(row: ShownKeyRow): ApiKeyView {
  return {
    object: "api_key",
    id: row.id,
    owner:
      row.user_id === null
        ? { type: "organization", id: row.organization_id }
        : { type: "user", id: row.user_id, organization_id: row.organization_id },
    name: row.name,
    obfuscated_value: row.obfuscated_value,
    last_used_at: isoTimeOrNull(row.last_used_at_ms),
    expires_at: isoTimeOrNull(row.expires_at_ms),
    permissions: JSON.parse(row.permissions) as string[],
    environment: row.environment === "test" ? "test" : "live",
    created_at: isoTime(row.created_at_ms),
    updated_at: isoTime(row.updated_at_ms),
    metadata: JSON.parse(row.metadata) as Record<string, string>,
    tags: JSON.parse(row.tags) as string[],
    allowed_networks: row.allowed_networks === null ? null : (JSON.parse(row.allowed_networks) as string[]),
    disabled_at: isoTimeOrNull(row.disabled_at_ms),
    created_by: { type: row.created_by_type, id: row.created_by_id },
    updated_by: { type: row.updated_by_type, id: row.updated_by_id },
    previous_secret: row.previous_secret === null ? null : toPreviousSecret(row.previous_secret),
  };
}

function toPreviousSecret(json: string): ApiKeyView["previous_secret"] {
  const secret = JSON.parse(json) as { obfuscated_value: string; ends_at_ms: number; last_used_at_ms: number | null };
  return {
    obfuscated_value: secret.obfuscated_value,
    expires_at: isoTime(secret.ends_at_ms),
    last_used_at: isoTimeOrNull(secret.last_used_at_ms),
  };
}
