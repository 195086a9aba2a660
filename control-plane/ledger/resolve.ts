/** The truth about a token, read from the state tables: the record a gateway may decide by. */
import type { ActiveRecord, KeyRecord } from "../../core/record.ts";
import { intersect } from "../../core/permission.ts";
import { holdablePermissions } from "./holdable.ts";
import { latestSeq } from "./journal.ts";

interface TokenRow extends Record<string, SqlStorageValue> {
  token_id: string;
  sha256: string;
  key_id: string;
  owner_type: string;
  organization_id: string;
  user_id: string | null;
  environment: string;
  permissions: string;
  expires_at_ms: number | null;
  revoked_seq: number | null;
  role: string | null;
  token_ends_at_ms: number | null;
  token_revoked_seq: number | null;
  disabled_at_ms: number | null;
  allowed_networks: string | null;
  organization: string | null;
  suspended_at_ms: number | null;
  membership_status: string | null;
}

const TOKEN_ROW = `
  SELECT t.token_id, t.sha256, t.key_id, k.owner_type, k.organization_id, k.user_id, k.environment, k.permissions, k.expires_at_ms, k.revoked_seq, m.role,
    t.ends_at_ms AS token_ends_at_ms, t.revoked_seq AS token_revoked_seq, k.disabled_at_ms, k.allowed_networks,
    o.id AS organization, o.suspended_at_ms, m.status AS membership_status
  FROM tokens t JOIN api_keys k ON k.id = t.key_id
  LEFT JOIN organizations o ON o.id = k.organization_id
  LEFT JOIN memberships m ON m.organization_id = k.organization_id AND m.user_id = k.user_id
  WHERE t.token_id = ?`;

/**
 * The record of a token stamped with the latest seq, or undefined for a token the cell never issued. An end that has come by the
 * ledger's clock is given as 0: no gateway whose clock is behind may think that the key still lives.
 */
export function resolveToken(sql: SqlStorage, tokenId: string, nowMs: number): KeyRecord | undefined {
  const [row] = sql.exec<TokenRow>(TOKEN_ROW, tokenId).toArray();
  if (!row) return undefined;
  const stamp = latestSeq(sql);
  const owner = row.revoked_seq === null && row.token_revoked_seq === null ? ownerOf(row) : undefined;
  if (!owner) return { v: 1, state: "revoked", stamp, token_id: tokenId };
  return {
    v: 1,
    state: "active",
    stamp,
    token_id: tokenId,
    sha256: row.sha256,
    key_id: row.key_id,
    owner,
    environment: row.environment === "test" ? "test" : "live",
    permissions: intersect(JSON.parse(row.permissions) as string[], holdablePermissions(sql, owner)),
    expires_at_ms: endOf(row.expires_at_ms, nowMs),
    secret_expires_at_ms: endOf(row.token_ends_at_ms, nowMs),
    blocked: blockOf(row),
    allowed_networks: row.allowed_networks === null ? null : (JSON.parse(row.allowed_networks) as string[]),
  };
}

function endOf(endsAtMs: number | null, nowMs: number): number | null {
  return endsAtMs !== null && endsAtMs <= nowMs ? 0 : endsAtMs;
}

/** What keeps the key from working though it has not ended. */
function blockOf(row: TokenRow): ActiveRecord["blocked"] {
  if (row.suspended_at_ms !== null) return "organization_suspended";
  if (row.user_id !== null && row.membership_status !== "active") return "membership_inactive";
  return row.disabled_at_ms === null ? null : "key_disabled";
}

/** The owner as it stands now; undefined in an organization that has ended, and for a user who is no member any more. */
function ownerOf(row: TokenRow): ActiveRecord["owner"] | undefined {
  if (row.organization === null) return undefined;
  if (row.user_id === null) return { type: "organization", id: row.organization_id };
  if (row.role === null) return undefined;
  return { type: "user", id: row.user_id, organization_id: row.organization_id, role: row.role };
}
