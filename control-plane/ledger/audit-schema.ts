/** The migration that makes the ledger an audit log: digests and salts, whom an entry concerns, what was refused, what was dropped. */
import { firstHash, linkHash } from "../../core/audit/chain.ts";
import { canonicalJson } from "../../core/audit/canonical-json.ts";
import type { Actor } from "./command.ts";
import { concernedOrganizations, linkToOrganizations } from "./concerned-organizations.ts";
import { digestOf, type Entry, type EntryRow } from "./journal.ts";

/** Never changed and never deleted, but for content that is dropped whole. */
function appendOnly(journal: string): string {
  return `
  CREATE TRIGGER ${journal}_are_never_changed BEFORE UPDATE ON ${journal}
  WHEN NOT (NEW.seq = OLD.seq AND NEW.at_ms = OLD.at_ms AND NEW.digest = OLD.digest AND NEW.hash = OLD.hash AND NEW.salt IS NULL
    AND NEW.actor_type = '' AND NEW.actor_id = '' AND NEW.type = '' AND NEW.subject = '' AND NEW.organizations = '[]' AND NEW.payload = '{}')
  BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
  CREATE TRIGGER ${journal}_are_never_deleted BEFORE DELETE ON ${journal} BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
  `;
}

/** Every list is a walk over one index, whichever of actor, type and subject are asked for. */
function indexes(table: string, scope: string): string {
  return `
  CREATE INDEX ${table}_by_actor ON ${table} (${scope}actor_id, seq);
  CREATE INDEX ${table}_by_actor_and_type ON ${table} (${scope}actor_id, type, seq);
  CREATE INDEX ${table}_by_type ON ${table} (${scope}type, seq);
  CREATE INDEX ${table}_by_subject ON ${table} (${scope}subject, seq);
  `;
}

/** Adds the audit log to a cell, and chains anew what entries it has. */
export function migrateToAuditLog(sql: SqlStorage): void {
  sql.exec(`
  DROP TRIGGER entries_are_never_changed;
  DROP TRIGGER entries_are_never_deleted;
  ALTER TABLE entries ADD COLUMN organizations TEXT NOT NULL DEFAULT '[]';
  ALTER TABLE entries ADD COLUMN salt TEXT;
  ALTER TABLE entries ADD COLUMN digest TEXT NOT NULL DEFAULT '';
  CREATE INDEX entries_by_time ON entries (at_ms, seq);
  ${indexes("entries", "")}

  CREATE TABLE entry_organizations (
    organization_id TEXT NOT NULL, seq INTEGER NOT NULL, actor_id TEXT NOT NULL, type TEXT NOT NULL, subject TEXT NOT NULL, hash TEXT NOT NULL,
    PRIMARY KEY (organization_id, seq)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX entry_organizations_of_entry ON entry_organizations (seq);
  ${indexes("entry_organizations", "organization_id, ")}

  CREATE TABLE denials (
    seq INTEGER PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    actor_type TEXT NOT NULL,
    actor_id TEXT NOT NULL,
    type TEXT NOT NULL,
    subject TEXT NOT NULL,
    organizations TEXT NOT NULL,
    payload TEXT NOT NULL,
    salt TEXT,
    digest TEXT NOT NULL,
    hash TEXT NOT NULL
  ) STRICT;
  CREATE INDEX denials_by_time ON denials (at_ms, seq);
  ${indexes("denials", "")}
  CREATE TABLE denial_allowances (
    actor_id TEXT PRIMARY KEY, left_over REAL NOT NULL, at_ms INTEGER NOT NULL, unrecorded INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE audit_retention (journal TEXT PRIMARY KEY, dropped_through INTEGER NOT NULL) STRICT;
  `);
  chainAnew(sql);
  sql.exec(appendOnly("entries") + appendOnly("denials"));
}

/** Entries from before had hashes of another form and no salt. */
function chainAnew(sql: SqlStorage): void {
  let hash = firstHash("ledger");
  for (const old of sql.exec<EntryRow>("SELECT * FROM entries ORDER BY seq").toArray()) {
    const payload = JSON.parse(old.payload) as Record<string, unknown>;
    const organizations = concernedOrganizations(sql, old.subject, payload);
    const actor = { type: old.actor_type, id: old.actor_id } as Actor;
    const entry: Entry = { actor, type: old.type, subject: old.subject, organizations, payload };
    const salt = crypto.randomUUID().replaceAll("-", "");
    const row = { ...old, organizations: JSON.stringify(organizations), payload: canonicalJson(payload), salt };
    const digest = digestOf(row);
    hash = linkHash(hash, digest);
    sql.exec(
      "UPDATE entries SET organizations = ?, payload = ?, salt = ?, digest = ?, hash = ? WHERE seq = ?",
      row.organizations,
      row.payload,
      salt,
      digest,
      hash,
      old.seq,
    );
    linkToOrganizations(sql, entry, { seq: old.seq, digest });
  }
}
