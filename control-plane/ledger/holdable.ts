/** What an owner may hold at this moment: the upper bound of every key it owns. */
import type { ActiveRecord } from "../../core/record.ts";
import { PLATFORM_ORGANIZATION_ID } from "../../core/identifier.ts";
import { intersect, PLATFORM_PERMISSIONS } from "../../core/permission.ts";
import { applicableRole } from "./organization-roles.ts";

/**
 * A user: what the role in that organization allows, as far as enabled for user keys. An organization: the catalogue's
 * permissions enabled for organization keys. The platform organization: the permissions over Portcullis itself, which
 * nobody else can hold.
 */
export function holdablePermissions(sql: SqlStorage, owner: ActiveRecord["owner"]): readonly string[] {
  if (owner.type === "organization")
    return owner.id === PLATFORM_ORGANIZATION_ID ? PLATFORM_PERMISSIONS : enabledPermissions(sql, "organization_api_keys");
  const role = applicableRole(sql, owner.organization_id, owner.role);
  return role ? intersect(role.permissions, enabledPermissions(sql, "user_api_keys")) : [];
}

function enabledPermissions(sql: SqlStorage, kind: "user_api_keys" | "organization_api_keys"): string[] {
  return sql
    .exec<{ slug: string }>(`SELECT slug FROM permissions WHERE ${kind} = 1`)
    .toArray()
    .map((row) => row.slug);
}
