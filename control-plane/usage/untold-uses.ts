/** Uses on their way from the store to its cell's ledger: kept until the ledger has taken them. */
import type { KeyUses } from "../ledger/key-uses.ts";

/** Uses that the ledger takes in one event. */
const TOLD_AT_ONCE = 1_000;

/** The next uses the ledger has not been told of; undefined when there are none. */
export function nextUntold(sql: SqlStorage): KeyUses | undefined {
  const secrets = sql
    .exec<KeyUses["secrets"][number] & Record<string, SqlStorageValue>>(
      "SELECT token_id, at_ms FROM untold_secret_uses LIMIT ?",
      TOLD_AT_ONCE,
    )
    .toArray();
  const permissions = sql
    .exec<KeyUses["permissions"][number] & Record<string, SqlStorageValue>>(
      "SELECT key_id, permission, at_ms FROM untold_permission_uses LIMIT ?",
      TOLD_AT_ONCE,
    )
    .toArray();
  return secrets.length + permissions.length === 0 ? undefined : { secrets, permissions };
}

/** Whether the ledger has not been told of some use. */
export function hasUntold(sql: SqlStorage): boolean {
  const untold = "EXISTS (SELECT 1 FROM untold_secret_uses) OR EXISTS (SELECT 1 FROM untold_permission_uses)";
  return sql.exec<{ untold: number }>(`SELECT ${untold} AS untold`).one().untold === 1;
}

/** The ledger has taken these; where there was a later use meanwhile, that one is still to be told. */
export function told(sql: SqlStorage, { secrets, permissions }: KeyUses): void {
  for (const { token_id, at_ms } of secrets) sql.exec("DELETE FROM untold_secret_uses WHERE token_id = ? AND at_ms <= ?", token_id, at_ms);
  for (const { key_id, permission, at_ms } of permissions)
    sql.exec("DELETE FROM untold_permission_uses WHERE key_id = ? AND permission = ? AND at_ms <= ?", key_id, permission, at_ms);
}
