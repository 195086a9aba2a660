/** API keys as a cell keeps them, and their public shape. */
import { equalInConstantTime } from "../../core/constant-time.ts";
import type { Slice, Walk } from "../../core/page.ts";
import { isoTime } from "./iso-time.ts";
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
}

/** A key that has not been revoked (it may have expired), or undefined. */
export function unrevokedKey(sql: SqlStorage, id: string): ApiKeyRow | undefined {
  return sql.exec<ApiKeyRow>("SELECT * FROM api_keys WHERE id = ? AND revoked_seq IS NULL", id).toArray()[0];
}

/** A key's public shape, or null when it is revoked or unknown. */
export function apiKeyView(sql: SqlStorage, id: string): ApiKeyView | null {
  const row = unrevokedKey(sql, id);
  return row ? toApiKey(row) : null;
}

/**
 * Keys of an owner that have not been revoked, on a walk. A user's keys of one organization or of all in this cell. `search`: only those
 * with this in their name.
 */
export function apiKeySlice(
  sql: SqlStorage,
  owner:
    | { readonly type: "organization"; readonly id: string }
    | { readonly type: "user"; readonly id: string; readonly organization_id?: string },
  walk: Walk,
  search?: string,
): Slice<ApiKeyView> {
  const of = owner.type === "organization" ? { organization_id: owner.id } : { user_id: owner.id, organization_id: owner.organization_id };
  const named = search === undefined ? {} : { name: { containing: search } };
  return walkTable<ApiKeyRow, ApiKeyView>(sql, "api_keys", { ...of, ...named, owner_type: owner.type, revoked_seq: null }, walk, toApiKey);
}

/** The key a presented token names, if it would be accepted now. Its permissions are those in effect. */
export function validateToken(sql: SqlStorage, tokenId: string, sha256: string, nowMs: number): ApiKeyView | null {
  const record = resolveToken(sql, tokenId, nowMs);
  if (record?.state !== "active" || !equalInConstantTime(sha256, record.sha256)) return null;
  if (record.expires_at_ms !== null && record.expires_at_ms <= nowMs) return null;
  const key = apiKeyView(sql, record.key_id);
  return key && { ...key, permissions: record.permissions };
}

function toApiKey(row: ApiKeyRow): ApiKeyView {
  return {
    object: "api_key",
    id: row.id,
    owner:
      row.user_id === null
        ? { type: "organization", id: row.organization_id }
        : { type: "user", id: row.user_id, organization_id: row.organization_id },
    name: row.name,
    obfuscated_value: row.obfuscated_value,
    last_used_at: null,
    expires_at: row.expires_at_ms === null ? null : isoTime(row.expires_at_ms),
    permissions: JSON.parse(row.permissions) as string[],
    environment: row.environment === "test" ? "test" : "live",
    created_at: isoTime(row.created_at_ms),
    updated_at: isoTime(row.updated_at_ms),
  };
}
