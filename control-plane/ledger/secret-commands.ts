/** Commands on the secrets of a key that stays the same: its id, its rights, its history. */
import { apiKeyView, unrevokedKey, type ApiKeyRow } from "./api-keys.ts";
import type { Command } from "./command.ts";
import { missing, noteChange } from "./key-change.ts";
import { noteReceiver, requireBoundsWithinOwn, requireMayGovern } from "./platform-keys.ts";
import { requireMayGoOn, requireMayHoldSecret } from "./policy-enforcement.ts";
import { addSecret, endSecret, endSecretAt, secretsOf } from "./secrets.ts";
import { refuse, type Transaction } from "./transaction.ts";

type Of<Type extends Command["type"]> = Extract<Command, { type: Type }>;

/**
 * Gives a key a new secret. The newest before it works for the overlap, by the ledger's clock, and no longer; any older one is over.
 * While an older one still works, only a rotation without overlap goes through: it ends them all.
 */
export function rotateApiKey(transaction: Transaction, command: Of<"rotate_api_key">): Record<string, unknown> {
  const { sql, nowMs } = transaction;
  const { id, overlap_ms, minted } = command;
  const key = governed(transaction, id);
  requireBoundsWithinOwn(transaction, key);
  if (key.expires_at_ms !== null && key.expires_at_ms <= nowMs) refuse("api_key_already_expired", "The API key has expired already.");
  requireMayHoldSecret(transaction, key);
  // A secret that has leaked is replaced whatever the policy says of the key.
  if (overlap_ms > 0) requireMayGoOn(transaction, key);
  const secrets = secretsOf(sql, id);
  if (overlap_ms > 0 && secrets.some(({ ends_at_ms }) => ends_at_ms !== null && ends_at_ms > nowMs))
    refuse(
      "previous_secret_in_use",
      "The secret before the present one still works, and a key has two at most. End it first (DELETE /api_keys/:id/previous_secret), or rotate with an overlap of 0.",
    );
  const overlapEndsAtMs = overlap_ms === 0 ? null : nowMs + overlap_ms;
  const { token_id, obfuscated_value } = minted;
  const seq = transaction.append("api_key.rotated", id, {
    ...named(key),
    token_id,
    obfuscated_value,
    previous_secret_expires_at_ms: overlapEndsAtMs ?? nowMs,
    previous_attributes: { obfuscated_value: key.obfuscated_value },
  });
  for (const secret of secrets) {
    if (secret.ends_at_ms === null && overlapEndsAtMs !== null) endSecretAt(transaction, secret.token_id, overlapEndsAtMs, seq);
    else endSecret(transaction, secret.token_id, seq);
  }
  addSecret(transaction, id, minted, seq);
  noteReceiver(transaction, key);
  sql.exec("UPDATE api_keys SET obfuscated_value = ? WHERE id = ?", obfuscated_value, id);
  noteChange(transaction, id);
  return { ...apiKeyView(sql, id) };
}

/** Ends every secret of a key but the newest, before its time. */
export function revokePreviousSecret(transaction: Transaction, { id }: Of<"revoke_previous_secret">): Record<string, unknown> {
  const { sql } = transaction;
  const key = governed(transaction, id);
  const previous = secretsOf(sql, id).filter(({ ends_at_ms }) => ends_at_ms !== null);
  if (previous.length === 0) refuse("entity_not_found", "The API key has no previous secret.");
  const seq = transaction.append("api_key.previous_secret_revoked", id, {
    ...named(key),
    token_ids: previous.map(({ token_id }) => token_id),
  });
  for (const { token_id } of previous) endSecret(transaction, token_id, seq);
  noteChange(transaction, id);
  return { ...apiKeyView(sql, id) };
}

function governed(transaction: Transaction, id: string): ApiKeyRow {
  const key = unrevokedKey(transaction.sql, id) ?? missing(id);
  requireMayGovern(transaction, key);
  return key;
}

function named({ id, organization_id, user_id, name }: ApiKeyRow) {
  return { id, organization_id, user_id, name };
}
