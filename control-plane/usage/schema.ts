/** The SQLite schema of a usage store. */
import { GATEWAY_COUNTERS_SCHEMA } from "../metrics/counter-row.ts";

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS batches (id TEXT PRIMARY KEY, at_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS batches_by_age ON batches (at_ms);

  CREATE TABLE IF NOT EXISTS usage (
    organization_id TEXT NOT NULL, hour_ms INTEGER NOT NULL, key_id TEXT NOT NULL, route TEXT NOT NULL,
    permissions TEXT NOT NULL, refusal TEXT NOT NULL, status INTEGER NOT NULL, requests INTEGER NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX IF NOT EXISTS usage_once ON usage (organization_id, hour_ms, key_id, route, permissions, refusal, status);
  CREATE INDEX IF NOT EXISTS usage_of_key ON usage (key_id, hour_ms);
  CREATE INDEX IF NOT EXISTS usage_by_age ON usage (hour_ms);

  CREATE TABLE IF NOT EXISTS untold_secret_uses (token_id TEXT PRIMARY KEY, at_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS untold_permission_uses (
    key_id TEXT NOT NULL, permission TEXT NOT NULL, at_ms INTEGER NOT NULL, PRIMARY KEY (key_id, permission)
  ) STRICT, WITHOUT ROWID;
`;

/** Makes the tables. Call before anything else touches storage. */
export function migrateUsage(sql: SqlStorage): void {
  sql.exec(SCHEMA);
  sql.exec(GATEWAY_COUNTERS_SCHEMA);
}
