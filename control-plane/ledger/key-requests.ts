/** Requests for keys as an organization's cell keeps them, and their public shape. What was asked for is never changed. */
import type { Slice, Walk } from "../../core/page.ts";
import type { Actor, AskedKey } from "./command.ts";
import { isoTime, isoTimeOrNull } from "./iso-time.ts";
import type { ApiKeyRequestView } from "./view.ts";
import { walkTable } from "./walk-table.ts";

/** A request as stored. `asked` is JSON. */
export interface KeyRequestRow extends Record<string, SqlStorageValue> {
  id: string;
  organization_id: string;
  user_id: string | null;
  status: ApiKeyRequestView["status"];
  asked: string;
  requested_by_type: Actor["type"];
  requested_by_id: string;
  reason: string | null;
  decided_by_type: Actor["type"] | null;
  decided_by_id: string | null;
  decided_at_ms: number | null;
  api_key_id: string | null;
  expires_at_ms: number;
  created_at_ms: number;
  updated_at_ms: number;
}

/** Only of organizations that have not ended. */
const REQUESTS = "(SELECT r.* FROM api_key_requests r JOIN organizations o ON o.id = r.organization_id)";

/** A request, or undefined. */
export function keyRequestRow(sql: SqlStorage, id: string): KeyRequestRow | undefined {
  return sql.exec<KeyRequestRow>(`SELECT * FROM ${REQUESTS} WHERE id = ?`, id).toArray()[0];
}

/** A request's public shape, or null. */
export function keyRequestView(sql: SqlStorage, id: string): ApiKeyRequestView | null {
  const row = keyRequestRow(sql, id);
  return row ? toKeyRequest(row) : null;
}

/** An organization's requests on a walk. */
export function keyRequestSlice(sql: SqlStorage, organizationId: string, status: string | undefined, walk: Walk): Slice<ApiKeyRequestView> {
  return walkTable<KeyRequestRow, ApiKeyRequestView>(sql, REQUESTS, { organization_id: organizationId, status }, walk, toKeyRequest);
}

/** The permissions of the request that a key was made for, which a second admin approved; none where there was none. */
export function approvedPermissions(sql: SqlStorage, keyId: string): readonly string[] {
  const [request] = sql.exec<KeyRequestRow>("SELECT * FROM api_key_requests WHERE api_key_id = ?", keyId).toArray();
  return request ? askedOf(request).permissions : [];
}

/** What was asked for. */
export function askedOf({ asked }: KeyRequestRow): AskedKey {
  return JSON.parse(asked) as AskedKey;
}

function toKeyRequest(row: KeyRequestRow): ApiKeyRequestView {
  const { owner, name, permissions, expires_at_ms, environment, attributes } = askedOf(row);
  const { metadata = {}, tags = [], allowed_networks = null } = attributes;
  const decidedBy =
    row.decided_by_type === null || row.decided_by_id === null ? null : { type: row.decided_by_type, id: row.decided_by_id };
  return {
    object: "api_key_request",
    id: row.id,
    organization_id: row.organization_id,
    status: row.status,
    asked: {
      owner,
      name,
      permissions,
      expires_at: expires_at_ms === "usual" ? "usual" : isoTimeOrNull(expires_at_ms),
      environment,
      metadata,
      tags,
      allowed_networks,
    },
    reason: row.reason,
    requested_by: { type: row.requested_by_type, id: row.requested_by_id },
    decided_by: decidedBy,
    decided_at: isoTimeOrNull(row.decided_at_ms),
    api_key_id: row.api_key_id,
    expires_at: isoTime(row.expires_at_ms),
    created_at: isoTime(row.created_at_ms),
    updated_at: isoTime(row.updated_at_ms),
  };
}
