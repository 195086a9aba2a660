/**
 * What is left of an organization that has ended: rows of keys, memberships and roles, as many as there were. All of them are void
 * without the organization's own row, so nothing depends on them; they follow in parts, so that the cell goes on answering.
 */
import type { Transaction } from "./transaction.ts";

/** Rows of each kind that are done at once. */
const ROWS_AT_ONCE = 500;

/** Notes that an organization ended by an entry, and does the first part. */
export function noteEndedOrganization(transaction: Transaction, id: string, seq: number): void {
  transaction.sql.exec("INSERT INTO ended_organizations VALUES (?, ?)", id, seq);
  transaction.sql.exec("DELETE FROM api_key_policies WHERE organization_id = ?", id);
  sweepEndedOrganization(transaction);
}

/** Does one more part, of one organization: its keys are revoked by the entry that ended it, the rest goes. */
export function sweepEndedOrganization(transaction: Transaction): void {
  const { sql, nowMs } = transaction;
  const [ended] = sql.exec<{ id: string; seq: number }>("SELECT id, seq FROM ended_organizations LIMIT 1").toArray();
  if (!ended) return;
  const keys = sql
    .exec<{ id: string }>("SELECT id FROM api_keys WHERE organization_id = ? AND revoked_seq IS NULL LIMIT ?", ended.id, ROWS_AT_ONCE)
    .toArray();
  for (const { id } of keys) {
    sql.exec("UPDATE api_keys SET revoked_seq = ?, updated_at_ms = ? WHERE id = ?", ended.seq, nowMs, id);
    transaction.publishKey(id, ended.seq);
  }
  const rest = (["memberships", "organization_roles"] as const).map(
    (table) =>
      sql
        .exec(
          `DELETE FROM ${table} WHERE id IN (SELECT id FROM ${table} WHERE organization_id = ? LIMIT ?) RETURNING 1`,
          ended.id,
          ROWS_AT_ONCE,
        )
        .toArray().length,
  );
  if (Math.max(keys.length, ...rest) < ROWS_AT_ONCE) sql.exec("DELETE FROM ended_organizations WHERE id = ?", ended.id);
}

/** Whether there is a part left to do. */
export function hasEndedOrganization(sql: SqlStorage): boolean {
  return sql.exec("SELECT 1 FROM ended_organizations LIMIT 1").toArray().length > 0;
}
