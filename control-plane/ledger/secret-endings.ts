/**
 * The ends of rotations' overlaps, told by the cell's alarm. A secret whose end is set has a row until the end was told of, or something else
 * has ended it, so each is told once, however late. Gateways know the end beforehand: nothing waits for the telling.
 */
import { unrevokedKey } from "./api-keys.ts";
import type { Transaction } from "./transaction.ts";

interface EndingRow extends Record<string, SqlStorageValue> {
  token_id: string;
  key_id: string;
  ends_at_ms: number;
}

/** A secret works until then. */
export function noteSecretEnding(sql: SqlStorage, tokenId: string, endsAtMs: number): void {
  sql.exec("INSERT OR REPLACE INTO ending_secrets SELECT token_id, key_id, ? FROM tokens WHERE token_id = ?", endsAtMs, tokenId);
}

/** A secret was ended before. */
export function forgetSecretEnding(sql: SqlStorage, tokenId: string): void {
  sql.exec("DELETE FROM ending_secrets WHERE token_id = ?", tokenId);
}

/** Tells of the overlaps that have ended, a few at a time. Of a secret that had ended with its key already there is nothing to tell. */
export function tellSecretEndings(transaction: Transaction, limit: number): void {
  const { sql, nowMs } = transaction;
  const due = sql.exec<EndingRow>("SELECT * FROM ending_secrets WHERE ends_at_ms <= ? ORDER BY ends_at_ms LIMIT ?", nowMs, limit).toArray();
  for (const { token_id, key_id, ends_at_ms } of due) {
    const key = unrevokedKey(sql, key_id);
    if (key && (key.expires_at_ms === null || key.expires_at_ms > ends_at_ms)) {
      const { id, organization_id, user_id, name } = key;
      transaction.append("api_key.previous_secret_expired", id, { id, organization_id, user_id, name, token_ids: [token_id], ends_at_ms });
    }
    forgetSecretEnding(sql, token_id);
  }
}

/** When the next overlap ends, or null. */
export function nextSecretEndingAtMs(sql: SqlStorage): number | null {
  return sql.exec<{ due: number | null }>("SELECT min(ends_at_ms) AS due FROM ending_secrets").one().due;
}
