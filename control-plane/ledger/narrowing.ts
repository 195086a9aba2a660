/** Taking from a key what it does not use. */
import { apiKeyView, unrevokedKey } from "./api-keys.ts";
import type { Command } from "./command.ts";
import { missing, noteChange } from "./key-change.ts";
import { narrowedPermissions, narrowingDigest } from "./least-privilege.ts";
import { requireHoldersLeft, requireMayGovern } from "./platform-keys.ts";
import { refuse, type Transaction } from "./transaction.ts";

/**
 * Leaves a key what it has used, if that is what was looked at. What is kept was granted before, so that nobody's consent is asked for it;
 * a change of permissions like any other, and in force everywhere like any other. A key that has used nothing keeps what it has: it is
 * for disabling or revoking, not for going on without a single permission.
 */
export function narrowApiKey(transaction: Transaction, command: Extract<Command, { type: "narrow_api_key" }>): Record<string, unknown> {
  const { sql, nowMs } = transaction;
  const { id, window_days, expected } = command;
  const key = unrevokedKey(sql, id) ?? missing(id);
  requireMayGovern(transaction, key);
  const previous = JSON.parse(key.permissions) as string[];
  const permissions = narrowedPermissions(sql, id, previous, window_days, nowMs);
  if (permissions.length === 0)
    refuse("api_key_unused", "The key has used none of its permissions within the window. Disable or revoke it.");
  if (narrowingDigest(id, previous, permissions) !== expected)
    refuse("preview_outdated", "The key has been used or changed since the review. Look at a new one, and repeat.", "confirmation");
  const previous_attributes = { permissions: previous };
  const seq = transaction.append("api_key.updated", id, { id, name: key.name, permissions, narrowed_to_use: true, previous_attributes });
  sql.exec("UPDATE api_keys SET permissions = ? WHERE id = ?", JSON.stringify(permissions), id);
  noteChange(transaction, id);
  requireHoldersLeft(transaction, key);
  transaction.raise(`key:${id}`, "superseded", seq);
  transaction.publishKey(id, seq);
  return { ...apiKeyView(sql, id) };
}
