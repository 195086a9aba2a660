/** The SQLite schema of a cell. */
import { migrateToAuditLog } from "./audit-schema.ts";
import { WALK_INDEXES } from "./index-schema.ts";
import { KEY_USES_SCHEMA } from "./key-uses.ts";

/** From each version of the schema to the next: applied in order, all in one transaction, never edited once released. */
export const MIGRATIONS: readonly (string | ((sql: SqlStorage) => void))[] = [
  `
  CREATE TABLE entries (
    seq INTEGER PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    actor_type TEXT NOT NULL,
    actor_id TEXT NOT NULL,
    type TEXT NOT NULL,
    subject TEXT NOT NULL,
    payload TEXT NOT NULL,
    hash TEXT NOT NULL
  ) STRICT;
  CREATE TRIGGER entries_are_never_changed BEFORE UPDATE ON entries BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
  CREATE TRIGGER entries_are_never_deleted BEFORE DELETE ON entries BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;

  CREATE TABLE commands (
    command_id TEXT PRIMARY KEY,
    fingerprint TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    reply TEXT NOT NULL,
    sealed_reply TEXT
  ) STRICT;
  CREATE INDEX commands_by_age ON commands (at_ms);

  CREATE TABLE floors (
    subject TEXT PRIMARY KEY,
    revoked_below INTEGER NOT NULL DEFAULT 0,
    superseded_below INTEGER NOT NULL DEFAULT 0
  ) STRICT;

  CREATE TABLE publications (
    name TEXT PRIMARY KEY,
    token_id TEXT,
    wanted_seq INTEGER NOT NULL,
    published_seq INTEGER NOT NULL DEFAULT 0,
    published_at_ms INTEGER NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0,
    due_at_ms INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX publications_pending ON publications (due_at_ms) WHERE wanted_seq > published_seq;

  CREATE TABLE organizations (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, external_id TEXT,
    created_at_ms INTEGER NOT NULL, updated_at_ms INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE memberships (
    id TEXT PRIMARY KEY, organization_id TEXT NOT NULL, user_id TEXT NOT NULL, user_email TEXT NOT NULL, role TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL, updated_at_ms INTEGER NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX memberships_once ON memberships (organization_id, user_id);
  CREATE INDEX memberships_by_user ON memberships (user_id, id);
  CREATE INDEX memberships_by_organization ON memberships (organization_id, id);

  CREATE TABLE users (
    id TEXT PRIMARY KEY, email TEXT NOT NULL UNIQUE, first_name TEXT, last_name TEXT, external_id TEXT,
    created_at_ms INTEGER NOT NULL, updated_at_ms INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE permissions (
    id TEXT PRIMARY KEY, slug TEXT NOT NULL UNIQUE, name TEXT NOT NULL, description TEXT,
    user_api_keys INTEGER NOT NULL, organization_api_keys INTEGER NOT NULL,
    created_at_ms INTEGER NOT NULL, updated_at_ms INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE roles (
    id TEXT PRIMARY KEY, slug TEXT NOT NULL UNIQUE, name TEXT NOT NULL, description TEXT, permissions TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL, updated_at_ms INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE api_keys (
    id TEXT PRIMARY KEY, owner_type TEXT NOT NULL, organization_id TEXT NOT NULL, user_id TEXT,
    name TEXT NOT NULL, obfuscated_value TEXT NOT NULL, environment TEXT NOT NULL, permissions TEXT NOT NULL,
    expires_at_ms INTEGER, revoked_seq INTEGER,
    created_at_ms INTEGER NOT NULL, updated_at_ms INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX api_keys_of_organization ON api_keys (organization_id, id) WHERE owner_type = 'organization' AND revoked_seq IS NULL;
  CREATE INDEX api_keys_of_user ON api_keys (user_id, organization_id, id) WHERE owner_type = 'user' AND revoked_seq IS NULL;

  CREATE TABLE tokens (token_id TEXT PRIMARY KEY, key_id TEXT NOT NULL, sha256 TEXT NOT NULL) STRICT;
  CREATE INDEX tokens_of_key ON tokens (key_id);

  CREATE TABLE route_table (only INTEGER PRIMARY KEY CHECK (only = 1), stamp INTEGER NOT NULL, routes TEXT NOT NULL) STRICT;

  CREATE TABLE catalogue_state (only INTEGER PRIMARY KEY CHECK (only = 1), home_seq INTEGER NOT NULL) STRICT;
  INSERT INTO catalogue_state VALUES (1, 0);
  CREATE TABLE mirrors (cell INTEGER PRIMARY KEY, home_seq INTEGER NOT NULL) STRICT;
  `,
  // The lease protocol: which floors are recent, who may answer from memory, which entries are in force.
  `
  ALTER TABLE floors ADD COLUMN raised_seq INTEGER NOT NULL DEFAULT 0;
  UPDATE floors SET raised_seq = max(revoked_below, superseded_below);
  CREATE INDEX floors_by_entry ON floors (raised_seq);

  CREATE TABLE receipts (
    seq INTEGER PRIMARY KEY,
    committed_at_ms INTEGER NOT NULL,
    awaits_cells INTEGER NOT NULL,
    replicas TEXT,
    in_force_at_ms INTEGER
  ) STRICT;
  CREATE INDEX receipts_pending ON receipts (seq) WHERE in_force_at_ms IS NULL;
  CREATE INDEX receipts_by_age ON receipts (committed_at_ms);

  CREATE TABLE lease_holders (
    replica TEXT PRIMARY KEY, epoch INTEGER NOT NULL, lease_ms INTEGER NOT NULL, edge_lease_ms INTEGER NOT NULL
  ) STRICT;

  ALTER TABLE route_table RENAME COLUMN stamp TO version;
  `,
  // The life of a key: several secrets of one key, disabling, networks, tags, who did it, keys from elsewhere.
  `
  ALTER TABLE api_keys ADD COLUMN disabled_at_ms INTEGER;
  ALTER TABLE api_keys ADD COLUMN metadata TEXT NOT NULL DEFAULT '{}';
  ALTER TABLE api_keys ADD COLUMN allowed_networks TEXT;
  ALTER TABLE api_keys ADD COLUMN created_by_type TEXT NOT NULL DEFAULT 'system';
  ALTER TABLE api_keys ADD COLUMN created_by_id TEXT NOT NULL DEFAULT 'before_the_life_of_a_key';
  ALTER TABLE api_keys ADD COLUMN updated_by_type TEXT NOT NULL DEFAULT 'system';
  ALTER TABLE api_keys ADD COLUMN updated_by_id TEXT NOT NULL DEFAULT 'before_the_life_of_a_key';
  CREATE INDEX api_keys_in_organization ON api_keys (organization_id, id) WHERE revoked_seq IS NULL;
  CREATE INDEX api_keys_by_creator ON api_keys (created_by_id) WHERE revoked_seq IS NULL;
  CREATE INDEX api_keys_by_revocation ON api_keys (revoked_seq) WHERE revoked_seq IS NOT NULL;

  ALTER TABLE tokens ADD COLUMN obfuscated_value TEXT NOT NULL DEFAULT '';
  ALTER TABLE tokens ADD COLUMN ends_at_ms INTEGER;
  ALTER TABLE tokens ADD COLUMN revoked_seq INTEGER;
  ALTER TABLE tokens ADD COLUMN last_used_at_ms INTEGER;
  UPDATE tokens SET obfuscated_value = (SELECT obfuscated_value FROM api_keys WHERE id = key_id);

  CREATE TABLE api_key_tags (tag TEXT NOT NULL, key_id TEXT NOT NULL, PRIMARY KEY (tag, key_id)) STRICT, WITHOUT ROWID;
  CREATE INDEX api_key_tags_of_key ON api_key_tags (key_id, tag);

  CREATE TABLE imported_tokens (token_id TEXT PRIMARY KEY, cell INTEGER NOT NULL) STRICT;
    `,
  // Tenancy: organizations that are suspended, ended or known by an external id, members that are inactive, roles of organizations, users that are gone.
  `
  ALTER TABLE organizations ADD COLUMN metadata TEXT NOT NULL DEFAULT '{}';
  ALTER TABLE organizations ADD COLUMN suspended_at_ms INTEGER;
  ALTER TABLE users ADD COLUMN metadata TEXT NOT NULL DEFAULT '{}';
  CREATE INDEX users_by_external_id ON users (external_id) WHERE external_id IS NOT NULL;
  ALTER TABLE memberships ADD COLUMN status TEXT NOT NULL DEFAULT 'active';
  CREATE INDEX memberships_by_role ON memberships (role, organization_id);
  CREATE INDEX IF NOT EXISTS api_keys_in_organization ON api_keys (organization_id, id) WHERE revoked_seq IS NULL;

  CREATE TABLE organization_roles (
    id TEXT PRIMARY KEY, organization_id TEXT NOT NULL, slug TEXT NOT NULL, name TEXT NOT NULL, description TEXT, permissions TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL, updated_at_ms INTEGER NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX organization_roles_once ON organization_roles (organization_id, slug);

  CREATE TABLE organization_external_ids (external_id TEXT PRIMARY KEY, organization_id TEXT NOT NULL) STRICT;
  CREATE TABLE ended_organizations (id TEXT PRIMARY KEY, seq INTEGER NOT NULL) STRICT;

  CREATE TABLE ended_users (id TEXT PRIMARY KEY, home_seq INTEGER NOT NULL) STRICT;
  CREATE INDEX ended_users_in_order ON ended_users (home_seq);
  CREATE TABLE user_ending_deliveries (cell INTEGER PRIMARY KEY, home_seq INTEGER NOT NULL) STRICT;
    `,
  // Events and webhooks: what entries tell the outside, who wants to hear it (every cell), and the endpoints (the home cell).
  `
  CREATE TABLE events (
    seq INTEGER PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    type TEXT NOT NULL,
    subject TEXT NOT NULL,
    organization_id TEXT,
    ends_keys INTEGER NOT NULL DEFAULT 0,
    before TEXT,
    data TEXT
  ) STRICT;
  CREATE INDEX events_by_time ON events (at_ms, seq);
  CREATE INDEX events_by_type ON events (type, seq);
  CREATE INDEX events_of_organization ON events (organization_id, seq);
  CREATE INDEX events_of_organization_by_type ON events (organization_id, type, seq);
  CREATE INDEX events_that_end_keys ON events (seq) WHERE ends_keys = 1;
  CREATE INDEX events_unsealed ON events (seq) WHERE data IS NULL;

  CREATE TABLE event_horizon (only INTEGER PRIMARY KEY CHECK (only = 1), settled_ms INTEGER NOT NULL) STRICT;
  INSERT INTO event_horizon VALUES (1, 0);

  CREATE TABLE webhook_subscriptions (
    endpoint_id TEXT PRIMARY KEY, from_seq INTEGER NOT NULL, notified_seq INTEGER NOT NULL,
    failures INTEGER NOT NULL DEFAULT 0, due_at_ms INTEGER NOT NULL DEFAULT 0
  ) STRICT;

  CREATE TABLE webhook_endpoints (
    id TEXT PRIMARY KEY, endpoint_url TEXT NOT NULL, status TEXT NOT NULL, disabled_reason TEXT, events TEXT NOT NULL,
    sealed_secret TEXT NOT NULL, sealed_previous_secret TEXT, previous_secret_ends_at_ms INTEGER,
    version INTEGER NOT NULL, told_version INTEGER NOT NULL DEFAULT 0,
    created_at_ms INTEGER NOT NULL, updated_at_ms INTEGER NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX webhook_endpoints_once ON webhook_endpoints (endpoint_url) WHERE status != 'deleted';
  CREATE INDEX webhook_endpoints_untold ON webhook_endpoints (id) WHERE told_version < version;
  `,
  // The audit log.
  migrateToAuditLog,
  // Policies on keys, when each key is to be looked at by them, and requests for keys that a second admin decides. All keys there are are looked at once.
  `
  CREATE TABLE api_key_policies (organization_id TEXT PRIMARY KEY, settings TEXT NOT NULL, updated_at_ms INTEGER NOT NULL) STRICT;
  CREATE INDEX api_keys_by_owner_and_end ON api_keys (organization_id, owner_type, user_id, expires_at_ms) WHERE revoked_seq IS NULL;

  CREATE TABLE api_key_schedule (
    key_id TEXT PRIMARY KEY, due_at_ms INTEGER NOT NULL, told_until_ms INTEGER NOT NULL, idle_from_ms INTEGER NOT NULL, idle_end_told_ms INTEGER
  ) STRICT;
  CREATE INDEX api_key_schedule_by_due_time ON api_key_schedule (due_at_ms);
  CREATE TABLE api_key_reschedulings (scope TEXT PRIMARY KEY, after_key_id TEXT NOT NULL) STRICT;
  INSERT INTO api_key_reschedulings VALUES ('installation', '');

  CREATE TABLE api_key_requests (
    id TEXT PRIMARY KEY, organization_id TEXT NOT NULL, user_id TEXT, status TEXT NOT NULL, asked TEXT NOT NULL,
    requested_by_type TEXT NOT NULL, requested_by_id TEXT NOT NULL, reason TEXT,
    decided_by_type TEXT, decided_by_id TEXT, decided_at_ms INTEGER, api_key_id TEXT,
    expires_at_ms INTEGER NOT NULL, created_at_ms INTEGER NOT NULL, updated_at_ms INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX api_key_requests_of_organization ON api_key_requests (organization_id, id);
  CREATE INDEX api_key_requests_open ON api_key_requests (expires_at_ms) WHERE status IN ('pending', 'approved');
  `,
  // When keys' permissions were last used.
  KEY_USES_SCHEMA,
  // Who was given a secret of a platform key by rotating it; since when owners, organizations or memberships, are no longer kept from using their
  // keys; secrets whose end is still to come; ends that bind who acts through a widget. Who set the ends there are is not known: they bind.
  `
  CREATE TABLE secret_receivers (
    key_id TEXT NOT NULL, actor_type TEXT NOT NULL, actor_id TEXT NOT NULL, PRIMARY KEY (key_id, actor_type, actor_id)
  ) STRICT, WITHOUT ROWID;
  INSERT OR IGNORE INTO secret_receivers
    SELECT e.subject, e.actor_type, e.actor_id FROM entries e JOIN api_keys k ON k.id = e.subject
    WHERE e.type = 'api_key.rotated' AND k.organization_id = 'org_platform';

  CREATE TABLE owner_releases (id TEXT PRIMARY KEY, at_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;

  CREATE TABLE ending_secrets (token_id TEXT PRIMARY KEY, key_id TEXT NOT NULL, ends_at_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  CREATE INDEX ending_secrets_by_end ON ending_secrets (ends_at_ms);
  INSERT INTO ending_secrets
    SELECT token_id, key_id, ends_at_ms FROM tokens WHERE revoked_seq IS NULL AND ends_at_ms > unixepoch() * 1000;

  CREATE TABLE imposed_ends (
    key_id TEXT NOT NULL, set_from TEXT NOT NULL, ends_at_ms INTEGER NOT NULL, PRIMARY KEY (key_id, set_from)
  ) STRICT, WITHOUT ROWID;
  INSERT INTO imposed_ends
    SELECT id, 'api', expires_at_ms FROM api_keys WHERE revoked_seq IS NULL AND expires_at_ms IS NOT NULL;
  `,
  // Versions of the route table, to go back to. The one in force is the first that is kept.
  `
  CREATE TABLE route_table_versions (
    version INTEGER PRIMARY KEY, routes TEXT NOT NULL, restored_from INTEGER, published_at_ms INTEGER, published_by TEXT
  ) STRICT;
  INSERT INTO route_table_versions (version, routes) SELECT version, routes FROM route_table;
  `,
  // No list gets longer to make with what it does not show.
  WALK_INDEXES,
  // Which roles admins had when they got a key's secret, and which request a key was made for. Of keys from before the roles are not known.
  `
  ALTER TABLE api_keys ADD COLUMN created_by_roles TEXT;
  ALTER TABLE secret_receivers ADD COLUMN actor_roles TEXT;
  CREATE INDEX api_key_requests_by_key ON api_key_requests (api_key_id) WHERE api_key_id IS NOT NULL;
  `,
  // Customers' own audit events: schemas of their actions (the home cell), exports that were asked for, how long an organization keeps them.
  `
  CREATE TABLE audit_log_actions (
    name TEXT PRIMARY KEY, id TEXT NOT NULL UNIQUE, version INTEGER NOT NULL, created_at_ms INTEGER NOT NULL, updated_at_ms INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE audit_log_schemas (
    id TEXT PRIMARY KEY, action TEXT NOT NULL, version INTEGER NOT NULL, schema TEXT NOT NULL, created_at_ms INTEGER NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX audit_log_schemas_by_version ON audit_log_schemas (action, version);
  CREATE INDEX audit_log_schemas_of_action ON audit_log_schemas (action, id);

  CREATE TABLE audit_log_exports (
    id TEXT PRIMARY KEY, organization_id TEXT NOT NULL, filter TEXT NOT NULL, stretch TEXT NOT NULL,
    dropped_through INTEGER NOT NULL, expired_through INTEGER NOT NULL, created_at_ms INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE customer_event_retentions (
    organization_id TEXT PRIMARY KEY, days INTEGER, expired_through INTEGER NOT NULL DEFAULT 0, due_at_ms INTEGER
  ) STRICT;
  CREATE INDEX customer_event_retentions_by_due_time ON customer_event_retentions (due_at_ms) WHERE due_at_ms IS NOT NULL;
  `,
  // What else the WorkOS API says of users.
  `
  ALTER TABLE users ADD COLUMN email_verified INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE users ADD COLUMN name TEXT;
  ALTER TABLE users ADD COLUMN locale TEXT;
  `,
];

/** Brings the cell's schema up to date. Call before anything else touches storage. */
export function migrate(storage: DurableObjectStorage): void {
  storage.transactionSync(() => {
    const { sql } = storage;
    sql.exec("CREATE TABLE IF NOT EXISTS schema_version (only INTEGER PRIMARY KEY CHECK (only = 1), version INTEGER NOT NULL) STRICT");
    const [row] = sql.exec<{ version: number }>("SELECT version FROM schema_version").toArray();
    const version = row?.version ?? 0;
    if (version > MIGRATIONS.length)
      throw new Error(`the cell's schema is version ${version}, newer than this code knows (${MIGRATIONS.length}): deploy the newer code`);
    for (const migration of MIGRATIONS.slice(version)) {
      if (typeof migration === "string") sql.exec(migration);
      else migration(sql);
    }
    sql.exec("INSERT INTO schema_version VALUES (1, ?) ON CONFLICT (only) DO UPDATE SET version = excluded.version", MIGRATIONS.length);
  });
}
