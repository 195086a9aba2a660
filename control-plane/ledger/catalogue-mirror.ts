/**
 * How the home cell's catalogue reaches the other cells. A copy is taken whole and only if newer, so mirrored messages
 * may be lost, repeated or overtake each other.
 *
 * Invariant: when a catalogue command has answered, every cell has raised the floors of that change in its own ledger.
 * What could not be delivered stays noted here, and the alarm tries again.
 */
import type { Subject } from "../../core/floor.ts";
import { catalogueOf, catalogueSeq, setCatalogueSeq, takeBack, type CatalogueChange } from "./catalogue.ts";
import type { Catalogue } from "./contract.ts";
import { takePolicyDefaults } from "./key-policies.ts";
import type { Transaction } from "./transaction.ts";

/** Takes a newer catalogue as one entry of this cell, raising floors on what it changes. */
export function takeCatalogue(transaction: Transaction, catalogue: Catalogue): void {
  const { sql } = transaction;
  if (catalogue.homeSeq <= catalogueSeq(sql)) return;
  const before = catalogueOf(sql);
  const subjects = changedSubjects(before, catalogue);
  const deactivated = deactivateMembersOfDeletedRoles(transaction, before, catalogue);
  const seq = transaction.append("catalogue.mirrored", "catalogue", {
    home_seq: catalogue.homeSeq,
    changed: subjects,
    ...(deactivated.length > 0 && { deactivated_memberships: deactivated }),
  });
  for (const subject of subjects) transaction.raise(subject, "superseded", seq);
  sql.exec("DELETE FROM permissions");
  sql.exec("DELETE FROM roles");
  for (const p of catalogue.permissions)
    sql.exec(
      "INSERT INTO permissions VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
      p.id,
      p.slug,
      p.name,
      p.description,
      Number(p.enabled_for.user_api_keys),
      Number(p.enabled_for.organization_api_keys),
      Date.parse(p.created_at),
      Date.parse(p.updated_at),
    );
  for (const r of catalogue.roles)
    sql.exec(
      "INSERT INTO roles VALUES (?, ?, ?, ?, ?, ?, ?)",
      r.id,
      r.slug,
      r.name,
      r.description,
      JSON.stringify(r.permissions),
      Date.parse(r.created_at),
      Date.parse(r.updated_at),
    );
  takePolicyDefaults(sql, catalogue.policyDefaults);
  setCatalogueSeq(sql, catalogue.homeSeq);
  const change = permissionsChange(before, catalogue);
  takeBack(sql, "organization_roles", change, transaction.nowMs);
  takeBack(sql, "api_keys", change, transaction.nowMs);
}

/** The cells that have not confirmed the present catalogue. Only the home cell asks. */
export function cellsBehind(sql: SqlStorage, cells: number, home: number): number[] {
  const confirmed = new Map(
    sql
      .exec<{ cell: number; home_seq: number }>("SELECT cell, home_seq FROM mirrors")
      .toArray()
      .map((row) => [row.cell, row.home_seq]),
  );
  const wanted = catalogueSeq(sql);
  return Array.from({ length: cells }, (_, cell) => cell).filter((cell) => cell !== home && (confirmed.get(cell) ?? 0) < wanted);
}

/** Notes that a cell has the catalogue of `homeSeq`. */
export function confirmMirror(sql: SqlStorage, cell: number, homeSeq: number): void {
  sql.exec("INSERT INTO mirrors VALUES (?, ?) ON CONFLICT (cell) DO UPDATE SET home_seq = max(home_seq, excluded.home_seq)", cell, homeSeq);
}

/** By id: a slug that was deleted and made again meanwhile is another permission. */
function permissionsChange(before: Catalogue, after: Catalogue): CatalogueChange {
  const ids = new Set(after.permissions.map(({ id }) => id));
  const slugsOf = (isThere: boolean) => before.permissions.filter(({ id }) => ids.has(id) === isThere).map(({ slug }) => slug);
  return { deleted: slugsOf(false), remaining: slugsOf(true) };
}

/** By id too: what was deleted and made again under its slug is another thing, which nobody has been granted. */
function changedSubjects(before: Catalogue, after: Catalogue): Subject[] {
  const permissionsOf = (catalogue: Catalogue) => JSON.stringify(catalogue.permissions.map((p) => [p.id, p.slug, p.enabled_for]));
  const subjects: Subject[] = permissionsOf(before) === permissionsOf(after) ? [] : ["catalogue"];
  const rolesOf = (catalogue: Catalogue) =>
    new Map(catalogue.roles.map((role) => [role.slug, JSON.stringify([role.id, role.permissions])]));
  const [held, now] = [rolesOf(before), rolesOf(after)];
  for (const slug of new Set([...held.keys(), ...now.keys()])) if (held.get(slug) !== now.get(slug)) subjects.push(`role:${slug}`);
  return subjects;
}

/**
 * A role is deleted when nobody has it; whoever was given it here in the meantime has nothing by it. Such a member is inactive, so that
 * a role which is made again under the old slug is theirs only when somebody says so.
 */
function deactivateMembersOfDeletedRoles({ sql, nowMs }: Transaction, before: Catalogue, after: Catalogue): string[] {
  const ids = new Set(after.roles.map(({ id }) => id));
  const deleted = before.roles.filter(({ id }) => !ids.has(id)).map(({ slug }) => slug);
  return deleted.flatMap((slug) =>
    sql
      .exec<{ id: string }>(
        "UPDATE memberships SET status = 'inactive', updated_at_ms = ? WHERE role = ? AND status = 'active' RETURNING id",
        nowMs,
        slug,
      )
      .toArray()
      .map(({ id }) => id),
  );
}
