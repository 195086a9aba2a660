/** Commands on permissions. They run in the home cell; the ledger then brings every other cell up to date before it answers. */
import { quoteId } from "../../core/identifier.ts";
import { covers } from "../../core/permission.ts";
import { catalogueOf, noteCatalogueChange, permissionSlugs, permissionView, takeBack } from "./catalogue.ts";
import type { Command, EnabledFor } from "./command.ts";
import { refuse, type Transaction } from "./transaction.ts";

type Of<Type extends Command["type"]> = Extract<Command, { type: Type }>;

/** Most permissions there are. All of them are looked through for every key that is resolved, and go to every cell with each change. */
const PERMISSIONS_MAX = 2_000;

/** Adds a permission that keys can be granted. */
export function createPermission(transaction: Transaction, command: Of<"create_permission">): Record<string, unknown> {
  const { sql, nowMs } = transaction;
  const { id, slug, name, description, enabled_for } = command;
  if (permissionView(sql, slug)) refuse("already_exists", `A permission with the slug '${slug}' exists already.`, "slug");
  if (permissionSlugs(sql).length >= PERMISSIONS_MAX)
    refuse("catalogue_limit", `There are ${PERMISSIONS_MAX} permissions. Delete one that is not needed, or use wildcards.`);
  requireAgreement(transaction, { slug, enabled_for });
  noteCatalogueChange(
    transaction,
    transaction.append("permission.created", slug, { id, slug, name, description, enabled_for }),
    "catalogue",
  );
  sql.exec(
    "INSERT INTO permissions VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    id,
    slug,
    name,
    description,
    Number(enabled_for.user_api_keys),
    Number(enabled_for.organization_api_keys),
    nowMs,
    nowMs,
  );
  return { ...permissionView(sql, slug) };
}

/** Renames a permission, or changes which kinds of key may hold it. */
export function updatePermission(transaction: Transaction, command: Of<"update_permission">): Record<string, unknown> {
  const { sql, nowMs } = transaction;
  const before = permissionView(sql, command.slug) ?? missingPermission(command.slug);
  const name = command.name ?? before.name;
  const description = command.description === undefined ? before.description : command.description;
  const enabled = { ...before.enabled_for, ...command.enabled_for };
  if (command.enabled_for) requireAgreement(transaction, { slug: command.slug, enabled_for: enabled });
  noteCatalogueChange(
    transaction,
    transaction.append("permission.updated", command.slug, { slug: command.slug, name, description, enabled_for: enabled }),
    "catalogue",
  );
  sql.exec(
    "UPDATE permissions SET name = ?, description = ?, user_api_keys = ?, organization_api_keys = ?, updated_at_ms = ? WHERE slug = ?",
    name,
    description,
    Number(enabled.user_api_keys),
    Number(enabled.organization_api_keys),
    nowMs,
    command.slug,
  );
  return { ...permissionView(sql, command.slug) };
}

/** Removes a permission; no key and no role holds it from this entry on. */
export function deletePermission(transaction: Transaction, command: Of<"delete_permission">): Record<string, unknown> {
  const { sql, nowMs } = transaction;
  if (!permissionView(sql, command.slug)) missingPermission(command.slug);
  noteCatalogueChange(transaction, transaction.append("permission.deleted", command.slug, { slug: command.slug }), "catalogue");
  sql.exec("DELETE FROM permissions WHERE slug = ?", command.slug);
  const change = { deleted: [command.slug], remaining: permissionSlugs(sql) };
  takeBack(sql, "roles", change, nowMs);
  takeBack(sql, "organization_roles", change, nowMs);
  takeBack(sql, "api_keys", change, nowMs);
  return { slug: command.slug };
}

/** A permission, and the kinds of key that may hold it. */
interface Enabled {
  readonly slug: string;
  readonly enabled_for: EnabledFor;
}

/**
 * Whoever holds a wildcard holds all that it covers. So it is enabled for no kind of key for which something that it covers is not: that
 * would be held all the same.
 */
function requireAgreement({ sql }: Transaction, changed: Enabled): void {
  const { permissions } = catalogueOf(sql);
  for (const other of permissions.filter(({ slug }) => slug !== changed.slug)) {
    if (covers(changed.slug, other.slug)) requireNoMore(changed, other);
    if (covers(other.slug, changed.slug)) requireNoMore(other, changed);
  }
}

function requireNoMore(wildcard: Enabled, covered: Enabled): void {
  for (const kind of ["user_api_keys", "organization_api_keys"] as const)
    if (wildcard.enabled_for[kind] && !covered.enabled_for[kind])
      refuse(
        "enabled_by_wildcard",
        `'${wildcard.slug}' covers '${covered.slug}', so it cannot be enabled for ${kind} while that is not.`,
        `enabled_for.${kind}`,
      );
}

function missingPermission(slug: string): never {
  return refuse("entity_not_found", `Permission not found: ${quoteId(slug)}.`);
}
