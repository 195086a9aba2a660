/**
 * Whom an entry concerns. Each organization has the entries that concern it as a chain of its own, found by index, which whoever has
 * only these entries can check. What concerns no organization (users, permissions, roles, routes) concerns the installation.
 */
import { firstHash, linkHash } from "../../core/audit/chain.ts";
import { isId, PLATFORM_ORGANIZATION_ID } from "../../core/identifier.ts";
import type { Entry, Link } from "./journal.ts";

/** Stands for an organization where an entry concerns none. */
export const INSTALLATION = "installation";

/** The organizations that an entry concerns as its subject and payload tell, before the change is made. */
export function concernedOrganizations(sql: SqlStorage, subject: string, payload: Readonly<Record<string, unknown>>): string[] {
  const named = payload["organization_id"];
  if (typeof named === "string") return [named];
  if (isId("org", subject) || subject === PLATFORM_ORGANIZATION_ID) return [subject];
  return sql
    .exec<{ id: string }>("SELECT organization_id AS id FROM api_keys WHERE id = ?", subject)
    .toArray()
    .map(({ id }) => id);
}

/** Makes an entry a link of the chain of everyone it concerns. Only inside the entry's transaction. */
export function linkToOrganizations(sql: SqlStorage, entry: Entry, { seq, digest }: Link): void {
  for (const organization of entry.organizations.length === 0 ? [INSTALLATION] : entry.organizations)
    sql.exec(
      "INSERT INTO entry_organizations (organization_id, seq, actor_id, type, subject, hash) VALUES (?, ?, ?, ?, ?, ?)",
      organization,
      seq,
      entry.actor.id,
      entry.type,
      entry.subject,
      linkHash(latestHash(sql, organization), digest),
    );
}

function latestHash(sql: SqlStorage, organization: string): string {
  const [row] = sql
    .exec<{ hash: string }>("SELECT hash FROM entry_organizations WHERE organization_id = ? ORDER BY seq DESC LIMIT 1", organization)
    .toArray();
  return row?.hash ?? firstHash(`organization ${organization}`);
}
