/**
 * Ends of keys that bind who acts through a widget: nobody moves on, or takes away, an end that somebody above them has set. Above everybody
 * with a widget is whoever calls the API; above a member with their own keys, who manages everybody's. Whoever makes an end sooner can take that
 * back.
 */
import type { ApiKeyRow } from "./api-keys.ts";
import type { Actor, SelfServe } from "./command.ts";
import type { Transaction } from "./transaction.ts";

/** From where an end was set. */
type From = "api" | "everybodys_widget";

/** Notes the end that a key was given. An end that was set over the API stands in place of all others; null frees the key. */
export function noteImposedEnd({ sql, actor }: Transaction, key: Pick<ApiKeyRow, "id" | "user_id">, endsAtMs: number | null): void {
  const from = imposedFrom(actor, key.user_id);
  if (!from) return;
  if (from === "api") sql.exec("DELETE FROM imposed_ends WHERE key_id = ?", key.id);
  else sql.exec("DELETE FROM imposed_ends WHERE key_id = ? AND set_from = ?", key.id, from);
  if (endsAtMs !== null) sql.exec("INSERT INTO imposed_ends VALUES (?, ?, ?)", key.id, from, endsAtMs);
}

/** The end that who acts through a widget cannot move a key's end beyond; null: none. */
export function imposedEnd(sql: SqlStorage, keyId: string, { keys }: SelfServe): number | null {
  const [row] = sql
    .exec<{ ends_at_ms: number | null }>(
      "SELECT min(ends_at_ms) AS ends_at_ms FROM imposed_ends WHERE key_id = ? AND (set_from = 'api' OR ?)",
      keyId,
      keys === "user" ? 1 : 0,
    )
    .toArray();
  return row?.ends_at_ms ?? null;
}

/** Null: nobody is bound by what they have set for themselves. */
function imposedFrom({ self_serve }: Actor, ownerUserId: string | null): From | null {
  if (!self_serve) return "api";
  return self_serve.keys === "members" && self_serve.user_id !== ownerUserId ? "everybodys_widget" : null;
}
