/**
 * Keys from elsewhere do not carry the cell they live in. So the cell that a foreign key's id hashes to keeps a note of where it
 * lives; what it says of an id once, it says for ever.
 */
import type { Command } from "./command.ts";
import { refuse, type Transaction } from "./transaction.ts";

/** Notes where an imported key lives; said again it changes nothing. */
export function placeImportedToken(
  transaction: Transaction,
  { token_id, cell }: Extract<Command, { type: "place_imported_token" }>,
): Record<string, unknown> {
  const placed = cellOfImportedToken(transaction.sql, token_id);
  if (placed !== undefined && placed !== cell) refuse("already_exists", "A key with this hash was imported already.", "sha256");
  if (placed === undefined) {
    transaction.append("api_key.placed", token_id, { token_id, cell });
    transaction.sql.exec("INSERT INTO imported_tokens VALUES (?, ?)", token_id, cell);
  }
  return { token_id, cell };
}

/** The cell an imported key lives in; undefined for one that was never imported. */
export function cellOfImportedToken(sql: SqlStorage, tokenId: string): number | undefined {
  return sql.exec<{ cell: number }>("SELECT cell FROM imported_tokens WHERE token_id = ?", tokenId).toArray()[0]?.cell;
}
