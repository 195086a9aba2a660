/**
 * Commands on roles: of the installation, which run in the home cell and then reach every other, and of an organization, which
 * concern its cell alone. Whoever has the role follows at once.
 */
import { PLATFORM_ORGANIZATION_ID, quoteId } from "../../core/identifier.ts";
import { canonical, notCovered } from "../../core/permission.ts";
import { noteCatalogueChange, permissionSlugs, roleViews } from "./catalogue.ts";
import type { Command, RoleName } from "./command.ts";
import { assignmentsOf, namedRole, ownRoles } from "./organization-roles.ts";
import { organizationView } from "./tenancy.ts";
import { refuse, type Transaction } from "./transaction.ts";
import type { RoleView } from "./view.ts";

type Of<Type extends Command["type"]> = Extract<Command, { type: Type }>;

/** Most roles of the installation, and of one organization: all of them are listed at once, and the installation's go to every cell. */
const ROLES_MAX = 500;

/** Adds a role without permissions. */
export function createRole(transaction: Transaction, command: Of<"create_role">): Record<string, unknown> {
  const { sql, nowMs } = transaction;
  const { id, slug, name, description, organization_id } = command;
  requireOrganization(transaction, command);
  if (namedRole(sql, command)) refuse("already_exists", `A role with the slug '${slug}' exists already.`, "slug");
  if (rolesBeside(transaction, command) >= ROLES_MAX)
    refuse("catalogue_limit", `There are ${ROLES_MAX} such roles. Delete one that is not needed.`);
  note(transaction, command, "created", { id, name, description }, { voidsRecords: false });
  if (organization_id === undefined)
    sql.exec("INSERT INTO roles VALUES (?, ?, ?, ?, '[]', ?, ?)", id, slug, name, description, nowMs, nowMs);
  else
    sql.exec(
      "INSERT INTO organization_roles VALUES (?, ?, ?, ?, ?, '[]', ?, ?)",
      id,
      organization_id,
      slug,
      name,
      description,
      nowMs,
      nowMs,
    );
  return reply(transaction, command);
}

/** Renames or describes a role. */
export function updateRole(transaction: Transaction, command: Of<"update_role">): Record<string, unknown> {
  const before = standingRole(transaction, command);
  const { name = before.name, description = before.description } = command;
  const previous_attributes = { name: before.name, description: before.description };
  note(transaction, command, "updated", { id: before.id, name, description, previous_attributes }, { voidsRecords: false });
  const table = tableOf(command);
  transaction.sql.exec(
    `UPDATE ${table} SET name = ?, description = ?, updated_at_ms = ? WHERE id = ?`,
    name,
    description,
    transaction.nowMs,
    before.id,
  );
  return reply(transaction, command);
}

/** Sets what a role allows. */
export function setRolePermissions(transaction: Transaction, command: Of<"set_role_permissions">): Record<string, unknown> {
  return allow(transaction, command, standingRole(transaction, command), command.permissions);
}

/** Lets a role allow one permission more; what it allows already it goes on allowing. */
export function addRolePermission(transaction: Transaction, command: Of<"add_role_permission">): Record<string, unknown> {
  const role = standingRole(transaction, command);
  return allow(transaction, command, role, [...role.permissions, command.permission]);
}

/** Takes one permission from a role. Refused for one that it does not hold by that very name: a wildcard cannot be reduced. */
export function removeRolePermission(transaction: Transaction, command: Of<"remove_role_permission">): Record<string, unknown> {
  const role = standingRole(transaction, command);
  const { permission } = command;
  if (!role.permissions.includes(permission))
    refuse("entity_not_found", `The role does not hold ${quoteId(permission)} by that name. It holds: ${role.permissions.join(", ")}.`);
  const left = role.permissions.filter((held) => held !== permission);
  return allow(transaction, command, role, left);
}

/** Removes a role that nobody has. */
export function deleteRole(transaction: Transaction, command: Of<"delete_role">): Record<string, unknown> {
  const { id } = standingRole(transaction, command);
  const members = assignmentsOf(transaction.sql, command);
  if (members > 0) refuseAssigned(members);
  note(transaction, command, "deleted", { id }, { voidsRecords: true });
  transaction.sql.exec(`DELETE FROM ${tableOf(command)} WHERE id = ?`, id);
  return { slug: command.slug };
}

/** Refuses to delete a role that so many members have. */
export function refuseAssigned(members: number): never {
  return refuse("role_has_assignments", `The role is still assigned: ${members} in one cell alone. Give these members another role first.`);
}

function allow(transaction: Transaction, role: RoleName, before: RoleView, asked: readonly string[]): Record<string, unknown> {
  const { sql, nowMs } = transaction;
  const unknown = notCovered(asked, permissionSlugs(sql));
  if (unknown.length > 0) refuse("permission_not_assignable", `Not in the permission catalogue: ${unknown.join(", ")}.`, "permissions");
  const permissions = canonical(asked);
  const change = { id: before.id, permissions, previous_permissions: before.permissions };
  note(transaction, role, "updated", change, { voidsRecords: true });
  sql.exec(`UPDATE ${tableOf(role)} SET permissions = ?, updated_at_ms = ? WHERE id = ?`, JSON.stringify(permissions), nowMs, before.id);
  return reply(transaction, role);
}

/** Writes the entry and what follows from it. The floor is on the slug: records of another organization's role are fetched again in vain. */
function note(
  transaction: Transaction,
  { organization_id, slug }: RoleName,
  what: "created" | "updated" | "deleted",
  payload: Readonly<Record<string, unknown>>,
  { voidsRecords }: { readonly voidsRecords: boolean },
): void {
  const subject = voidsRecords ? (`role:${slug}` as const) : null;
  if (organization_id === undefined) {
    noteCatalogueChange(transaction, transaction.append(`role.${what}`, slug, { slug, ...payload }), subject);
    return;
  }
  const seq = transaction.append(`organization_role.${what}`, slug, { organization_id, slug, ...payload });
  if (subject !== null) transaction.raise(subject, "superseded", seq);
}

function standingRole(transaction: Transaction, role: RoleName): RoleView {
  requireOrganization(transaction, role);
  return namedRole(transaction.sql, role) ?? refuse("entity_not_found", `Role not found: ${quoteId(role.slug)}.`);
}

function requireOrganization({ sql }: Transaction, { organization_id }: RoleName): void {
  if (organization_id === undefined) return;
  if (organization_id === PLATFORM_ORGANIZATION_ID || !organizationView(sql, organization_id))
    refuse("entity_not_found", `Organization not found: ${quoteId(organization_id)}.`);
}

function reply(transaction: Transaction, role: RoleName): Record<string, unknown> {
  return { ...namedRole(transaction.sql, role) };
}

/** How many roles the installation, or the organization, has made for itself. */
function rolesBeside({ sql }: Transaction, { organization_id }: RoleName): number {
  const roles = organization_id === undefined ? roleViews(sql) : ownRoles(sql, organization_id);
  return roles.length;
}

function tableOf({ organization_id }: RoleName): "roles" | "organization_roles" {
  return organization_id === undefined ? "roles" : "organization_roles";
}
