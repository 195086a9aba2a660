/**
 * Roles that an organization has made for itself, beside those of the installation. Their slugs begin with `org-` and those of the
 * installation do not, so neither can take the other's place.
 */
import { roleView, roleViews, toRole, type RoleRow } from "./catalogue.ts";
import type { RoleName } from "./command.ts";
import type { RoleView } from "./view.ts";

/** A role of the organization's own, or null. */
function organizationRoleView(sql: SqlStorage, organizationId: string, slug: string): RoleView | null {
  const [row] = sql
    .exec<RoleRow>("SELECT * FROM organization_roles WHERE organization_id = ? AND slug = ?", organizationId, slug)
    .toArray();
  return row ? toRole(row, "OrganizationRole") : null;
}

/** A role of the organization's own as its events show it, or null. */
export function organizationRoleInEvents(sql: SqlStorage, organizationId: string, slug: string): Record<string, unknown> | null {
  const view = organizationRoleView(sql, organizationId, slug);
  return view && { ...view, object: "organization_role", organization_id: organizationId };
}

/** The role that a member of the organization has by this slug: the organization's own, or one of the installation; null for neither. */
export function applicableRole(sql: SqlStorage, organizationId: string, slug: string): RoleView | null {
  return organizationRoleView(sql, organizationId, slug) ?? roleView(sql, slug);
}

/** The roles an organization has made for itself, in the order they were made. */
export function ownRoles(sql: SqlStorage, organizationId: string): RoleView[] {
  return sql
    .exec<RoleRow>("SELECT * FROM organization_roles WHERE organization_id = ? ORDER BY id", organizationId)
    .toArray()
    .map((row) => toRole(row, "OrganizationRole"));
}

/** All roles that members of the organization can have: the installation's by slug, then its own. */
export function applicableRoles(sql: SqlStorage, organizationId: string): RoleView[] {
  return [...roleViews(sql), ...ownRoles(sql, organizationId)];
}

/** The very role that is named, or null. */
export function namedRole(sql: SqlStorage, { organization_id, slug }: RoleName): RoleView | null {
  return organization_id === undefined ? roleView(sql, slug) : organizationRoleView(sql, organization_id, slug);
}

/** How many members in this cell have the role. */
export function assignmentsOf(sql: SqlStorage, { organization_id, slug }: RoleName): number {
  const members = "SELECT count(*) AS members FROM memberships m JOIN organizations o ON o.id = m.organization_id WHERE m.role = ?";
  const counted =
    organization_id === undefined
      ? sql.exec<{ members: number }>(members, slug)
      : sql.exec<{ members: number }>(`${members} AND m.organization_id = ?`, slug, organization_id);
  return counted.one().members;
}
