/**
 * The secrets of a key, each known by its token. The newest works as long as the key; the one before it works until its overlap
 * ends. Older ones have been ended, so a key has two working secrets at most.
 */
import type { MintedToken } from "./command.ts";
import { forgetSecretEnding, noteSecretEnding } from "./secret-endings.ts";
import type { Transaction } from "./transaction.ts";

/** A secret that has not been ended by hand. */
interface SecretRow extends Record<string, SqlStorageValue> {
  token_id: string;
  /** When it stops working; null for the newest. */
  ends_at_ms: number | null;
}

/** A key's secrets that have not been ended by hand, also when their overlap is over. */
export function secretsOf(sql: SqlStorage, keyId: string): SecretRow[] {
  return sql.exec<SecretRow>("SELECT token_id, ends_at_ms FROM tokens WHERE key_id = ? AND revoked_seq IS NULL", keyId).toArray();
}

/** Gives a key one more secret, as of an entry. */
export function addSecret(transaction: Transaction, keyId: string, minted: MintedToken, seq: number): void {
  transaction.sql.exec(
    "INSERT INTO tokens (token_id, key_id, sha256, obfuscated_value) VALUES (?, ?, ?, ?)",
    minted.token_id,
    keyId,
    minted.sha256,
    minted.obfuscated_value,
  );
  transaction.publishToken(minted.token_id, seq);
}

/** Lets a secret work until a time and no longer. */
export function endSecretAt(transaction: Transaction, tokenId: string, endsAtMs: number, seq: number): void {
  transaction.sql.exec("UPDATE tokens SET ends_at_ms = ? WHERE token_id = ?", endsAtMs, tokenId);
  noteSecretEnding(transaction.sql, tokenId, endsAtMs);
  transaction.raise(`token:${tokenId}`, "superseded", seq);
  transaction.publishToken(tokenId, seq);
}

/** Ends a secret for good. */
export function endSecret(transaction: Transaction, tokenId: string, seq: number): void {
  transaction.sql.exec("UPDATE tokens SET revoked_seq = ? WHERE token_id = ?", seq, tokenId);
  forgetSecretEnding(transaction.sql, tokenId);
  transaction.raise(`token:${tokenId}`, "revoked", seq);
  transaction.publishToken(tokenId, seq);
}
