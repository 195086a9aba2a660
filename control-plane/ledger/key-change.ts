/** What the commands that change one key share. */
import { quoteId } from "../../core/identifier.ts";
import { refuse, type Transaction } from "./transaction.ts";

/** Ends a command on a key that does not exist, or not any more. */
export function missing(id: string): never {
  return refuse("entity_not_found", `API key not found: ${quoteId(id)}.`);
}

/** Notes on a key when it was changed and by whom. */
export function noteChange({ sql, nowMs, actor }: Transaction, id: string): void {
  sql.exec("UPDATE api_keys SET updated_at_ms = ?, updated_by_type = ?, updated_by_id = ? WHERE id = ?", nowMs, actor.type, actor.id, id);
}
