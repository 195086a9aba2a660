/**
 * Ending many keys in one entry. It costs floors in proportion to what it ends only while that is little; see {@link raiseFloors}.
 * What is ended must be what was looked at before: the sender gives the digest of the set from the preview.
 */
import { sha256Hex } from "../../core/digest.ts";
import { apiKeyViews } from "./api-keys.ts";
import type { Command, KeyFilter, KeySetDigest } from "./command.ts";
import { conditionOf, LAST_USED } from "./key-filter.ts";
import { requestPublicationOfRevoked } from "./publications.ts";
import { refuse, type Transaction } from "./transaction.ts";
import type { RevocationPreview } from "./view.ts";

/** Keys that a preview shows. */
const SHOWN_MAX = 10;
/** Ids that an entry names; of more it has the number and the digest, and the keys themselves keep its number. */
const IDS_IN_ENTRY_MAX = 1_000;
/** Floors that one entry raises; an edge keeps 1,024 per cell, and others need room, too. */
const FLOORS_MAX = 256;
const HOUR_MS = 3_600_000;

/** What a bulk revocation would end in this cell. */
export function previewRevocation(sql: SqlStorage, filter: KeyFilter, nowMs: number): RevocationPreview {
  const { sql: where, values } = conditionOf(filter);
  const { used } = sql
    .exec<{ used: number }>(`SELECT count(*) AS used FROM api_keys WHERE ${where} AND ${LAST_USED} >= ?`, ...values, nowMs - HOUR_MS)
    .one();
  const ids = matchingIds(sql, filter);
  const first = apiKeyViews(sql, ids.slice(0, SHOWN_MAX));
  return { ...digestOf(ids), used_in_last_hour: used, first };
}

/** Ends every key that matches, in one entry; refused when these are not the keys that were looked at. */
export function bulkRevokeApiKeys(
  transaction: Transaction,
  command: Extract<Command, { type: "bulk_revoke_api_keys" }>,
): { count: number } {
  const { sql, nowMs, actor } = transaction;
  const { filter, expected } = command;
  const ids = matchingIds(sql, filter);
  const digest = digestOf(ids);
  if (digest.sha256 !== expected.sha256)
    refuse("preview_outdated", "The keys that match are not those of the preview any more. Look at a new one, and repeat.", "confirmation");
  if (ids.length === 0) return { count: 0 };
  const { sql: where, values } = conditionOf(filter);
  const { organization_id } = filter;
  const said = {
    ...(organization_id !== undefined && { organization_id }),
    filter,
    ...digest,
    ...(ids.length <= IDS_IN_ENTRY_MAX && { ids }),
  };
  // One over all organizations is the installation's business: no organization may read of another's keys.
  const concerned = organization_id === undefined ? [] : [organization_id];
  const seq = transaction.append("api_key.bulk_revoked", "api_keys", said, concerned);
  sql.exec(
    `UPDATE api_keys SET revoked_seq = ?, updated_at_ms = ?, updated_by_type = ?, updated_by_id = ? WHERE ${where}`,
    seq,
    nowMs,
    actor.type,
    actor.id,
    ...values,
  );
  raiseFloors(transaction, ids, seq);
  requestPublicationOfRevoked(sql, seq, nowMs);
  return { count: ids.length };
}

/**
 * One floor for each key while they are few: nothing else is disturbed. Of more, one for each organization, and of more
 * of those one for the whole cell, on subjects that every record names: whatever is stamped below is fetched afresh, and what was
 * revoked is found dead. So an edge is told of 256 floors at most, and keys that stay pay with one question each.
 */
function raiseFloors(transaction: Transaction, ids: readonly string[], seq: number): void {
  if (ids.length <= FLOORS_MAX) {
    for (const id of ids) transaction.raise(`key:${id}`, "revoked", seq);
    return;
  }
  const organizations = transaction.sql
    .exec<{ id: string }>("SELECT DISTINCT organization_id AS id FROM api_keys WHERE revoked_seq = ? LIMIT ?", seq, FLOORS_MAX + 1)
    .toArray();
  if (organizations.length > FLOORS_MAX) transaction.raise("catalogue", "superseded", seq);
  else for (const { id } of organizations) transaction.raise(`org:${id}`, "superseded", seq);
}

function matchingIds(sql: SqlStorage, filter: KeyFilter): string[] {
  const { sql: where, values } = conditionOf(filter);
  return sql
    .exec<{ id: string }>(`SELECT id FROM api_keys WHERE ${where} ORDER BY id`, ...values)
    .toArray()
    .map((row) => row.id);
}

function digestOf(ids: readonly string[]): KeySetDigest {
  return { count: ids.length, sha256: sha256Hex(ids.join("\n")) };
}
