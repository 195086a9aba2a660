/**
 * When keys were last used, as usage tells it: of each secret and of each permission. Not part of the ledger's history: no entry speaks
 * of it, nothing is decided by it, and a use only ever moves forward.
 */
import { coversAny } from "../../core/permission.ts";

/** Uses of keys of one cell, times in ms since the epoch. */
export interface KeyUses {
  readonly secrets: readonly { readonly token_id: string; readonly at_ms: number }[];
  /** In the words of what was asked for, never the key's wildcards. */
  readonly permissions: readonly { readonly key_id: string; readonly permission: string; readonly at_ms: number }[];
}

/** For so long, in ms, a permission that is used again and again is not written again. */
export const PERMISSION_USE_GRAIN_MS = 3_600_000;

/** Permissions of one key whose use is noted. A wildcard covers any number, and a gateway that makes them up must not fill the cell. */
const PERMISSIONS_MAX = 1_000;

/** The tables. The cell remembers since when uses are noted: what was used before is not known. */
export const KEY_USES_SCHEMA = `
  CREATE TABLE permission_uses (
    key_id TEXT NOT NULL, permission TEXT NOT NULL, last_used_at_ms INTEGER NOT NULL, PRIMARY KEY (key_id, permission)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE uses_noted (only INTEGER PRIMARY KEY CHECK (only = 1), since_ms INTEGER NOT NULL) STRICT;
  INSERT INTO uses_noted VALUES (1, unixepoch() * 1000);
  `;

/**
 * Notes uses; what is older than what is known changes nothing, and neither does what the cell has no key for, or the key does not have. Nothing
 * was used later than now.
 */
export function noteUses(sql: SqlStorage, uses: KeyUses, nowMs: number): void {
  for (const { token_id, at_ms } of uses.secrets) {
    const usedAtMs = Math.min(at_ms, nowMs);
    sql.exec("UPDATE tokens SET last_used_at_ms = ? WHERE token_id = ? AND coalesce(last_used_at_ms, 0) < ?", usedAtMs, token_id, usedAtMs);
  }
  for (const [keyId, ofKey] of Map.groupBy(uses.permissions, ({ key_id }) => key_id)) {
    const granted = grantedTo(sql, keyId);
    for (const { permission, at_ms } of ofKey)
      if (coversAny(granted, permission)) notePermissionUse(sql, keyId, permission, Math.min(at_ms, nowMs));
  }
}

function notePermissionUse(sql: SqlStorage, keyId: string, permission: string, atMs: number): void {
  sql.exec(
    `INSERT INTO permission_uses SELECT ?1, ?2, ?3
     WHERE EXISTS (SELECT 1 FROM permission_uses WHERE key_id = ?1 AND permission = ?2)
       OR (SELECT count(*) FROM permission_uses WHERE key_id = ?1) < ?5
     ON CONFLICT DO UPDATE SET last_used_at_ms = excluded.last_used_at_ms WHERE last_used_at_ms <= excluded.last_used_at_ms - ?4`,
    keyId,
    permission,
    atMs,
    PERMISSION_USE_GRAIN_MS,
    PERMISSIONS_MAX,
  );
}

function grantedTo(sql: SqlStorage, keyId: string): readonly string[] {
  const [key] = sql.exec<{ permissions: string }>("SELECT permissions FROM api_keys WHERE id = ?", keyId).toArray();
  return key ? (JSON.parse(key.permissions) as string[]) : [];
}

/** Milliseconds for which a secret that is validated again and again is not written again. */
const VALIDATION_GRAIN_MS = 20_000;

/** A secret was accepted where somebody else asked for it. */
export function noteValidation(sql: SqlStorage, tokenId: string, nowMs: number): void {
  sql.exec(
    "UPDATE tokens SET last_used_at_ms = ? WHERE token_id = ? AND coalesce(last_used_at_ms, 0) < ?",
    nowMs,
    tokenId,
    nowMs - VALIDATION_GRAIN_MS,
  );
}
