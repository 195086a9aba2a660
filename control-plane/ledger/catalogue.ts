/** Permissions and roles of the installation. The home cell owns them; every other cell keeps a copy, so that it can check grants in its own transactions. */
import type { Subject } from "../../core/floor.ts";
import type { Slice, Walk } from "../../core/page.ts";
import { covers, coversAny } from "../../core/permission.ts";
import { INSTALLATION } from "./concerned-organizations.ts";
import type { Catalogue } from "./contract.ts";
import { isoTime } from "./iso-time.ts";
import { policyLayer } from "./key-policies.ts";
import type { Transaction } from "./transaction.ts";
import type { PermissionView, RoleView } from "./view.ts";
import { walkTable } from "./walk-table.ts";

interface PermissionRow extends Record<string, SqlStorageValue> {
  id: string;
  slug: string;
  name: string;
  description: string | null;
  user_api_keys: number;
  organization_api_keys: number;
  created_at_ms: number;
  updated_at_ms: number;
}

/** A role as stored. */
export interface RoleRow extends Record<string, SqlStorageValue> {
  id: string;
  slug: string;
  name: string;
  description: string | null;
  permissions: string;
  created_at_ms: number;
  updated_at_ms: number;
}

/** A permission, or null. */
export function permissionView(sql: SqlStorage, slug: string): PermissionView | null {
  const [row] = sql.exec<PermissionRow>("SELECT * FROM permissions WHERE slug = ?", slug).toArray();
  return row ? toPermission(row) : null;
}

/** Permissions on a walk. */
export function permissionSlice(sql: SqlStorage, walk: Walk): Slice<PermissionView> {
  return walkTable<PermissionRow, PermissionView>(sql, "permissions", {}, walk, toPermission);
}

/** The slugs of all permissions. */
export function permissionSlugs(sql: SqlStorage): string[] {
  return sql
    .exec<{ slug: string }>("SELECT slug FROM permissions")
    .toArray()
    .map((row) => row.slug);
}

/** A role, or null. */
export function roleView(sql: SqlStorage, slug: string): RoleView | null {
  const [row] = sql.exec<RoleRow>("SELECT * FROM roles WHERE slug = ?", slug).toArray();
  return row ? toRole(row) : null;
}

/** All roles by slug; there are few. */
export function roleViews(sql: SqlStorage): RoleView[] {
  return sql
    .exec<RoleRow>("SELECT * FROM roles ORDER BY slug")
    .toArray()
    .map((row) => toRole(row));
}

/** The whole catalogue as this cell has it. */
export function catalogueOf(sql: SqlStorage): Catalogue {
  const permissions = sql.exec<PermissionRow>("SELECT * FROM permissions ORDER BY slug").toArray().map(toPermission);
  return { homeSeq: catalogueSeq(sql), permissions, roles: roleViews(sql), policyDefaults: policyLayer(sql, INSTALLATION) ?? null };
}

/** Seq of the home cell at which the catalogue last changed, as far as this cell knows. */
export function catalogueSeq(sql: SqlStorage): number {
  return sql.exec<{ home_seq: number }>("SELECT home_seq FROM catalogue_state").one().home_seq;
}

/** Notes a change made by this entry; records that may hold something of it must be fetched again. What is new is in no record yet. */
export function noteCatalogueChange(transaction: Transaction, seq: number, subject: Subject | null): void {
  setCatalogueSeq(transaction.sql, seq);
  if (subject !== null) transaction.raise(subject, "superseded", seq, "catalogue");
}

/** Notes a newer catalogue. */
export function setCatalogueSeq(sql: SqlStorage, homeSeq: number): void {
  sql.exec("UPDATE catalogue_state SET home_seq = ?", homeSeq);
}

/** Which slugs have left the catalogue, and which were in it all the time. */
export interface CatalogueChange {
  readonly deleted: readonly string[];
  readonly remaining: readonly string[];
}

/**
 * Removes from roles or keys what was granted by a deleted permission and by none that remains, so that a permission which is made
 * again under an old slug is held by nobody.
 */
export function takeBack(
  sql: SqlStorage,
  table: "roles" | "organization_roles" | "api_keys",
  { deleted, remaining }: CatalogueChange,
  nowMs: number,
): void {
  for (const slug of deleted) {
    let after = "";
    for (;;) {
      const holders = holdersAfter(sql, table, slug, after);
      for (const { id, permissions } of holders) {
        const held = JSON.parse(permissions) as string[];
        const left = leftWithout(slug, held, remaining);
        if (left.length === held.length) continue;
        sql.exec(`UPDATE ${table} SET permissions = ?, updated_at_ms = ? WHERE id = ?`, JSON.stringify(left), nowMs, id);
      }
      const last = holders.at(-1);
      if (!last || holders.length < HOLDERS_AT_ONCE) break;
      after = last.id;
    }
  }
}

/** Rows held in memory at once, of however many. */
const HOLDERS_AT_ONCE = 500;

/** The next rows, by id, that may hold something a slug covers. A revoked key stays as it was when it was revoked: that is what its event shows. */
function holdersAfter(sql: SqlStorage, table: "roles" | "organization_roles" | "api_keys", slug: string, after: string) {
  const isLive = table === "api_keys" ? "revoked_seq IS NULL" : "TRUE";
  return sql
    .exec<{ id: string; permissions: string }>(
      `SELECT id, permissions FROM ${table} WHERE ${isLive} AND instr(permissions, ?) > 0 AND id > ? ORDER BY id LIMIT ?`,
      mentionOf(slug),
      after,
      HOLDERS_AT_ONCE,
    )
    .toArray();
}

/** What stands in a stored list of permissions, in JSON, that holds something a slug covers. */
export function mentionOf(slug: string): string {
  return slug.endsWith("*") ? `"${slug.slice(0, -1)}` : `"${slug}"`;
}

/** What is left of what is held when a permission leaves the catalogue: all that it does not cover, or one that remains does. */
export function leftWithout(slug: string, held: readonly string[], remaining: readonly string[]): string[] {
  return held.filter((permission) => !covers(slug, permission) || coversAny(remaining, permission));
}

function toPermission(row: PermissionRow): PermissionView {
  return {
    object: "permission",
    id: row.id,
    slug: row.slug,
    name: row.name,
    description: row.description,
    system: false,
    resource_type_slug: "organization",
    enabled_for: { user_api_keys: row.user_api_keys === 1, organization_api_keys: row.organization_api_keys === 1 },
    created_at: isoTime(row.created_at_ms),
    updated_at: isoTime(row.updated_at_ms),
  };
}

/** A role's public shape. */
export function toRole(row: RoleRow, type: RoleView["type"] = "EnvironmentRole"): RoleView {
  return {
    object: "role",
    id: row.id,
    slug: row.slug,
    name: row.name,
    description: row.description,
    type,
    resource_type_slug: "organization",
    permissions: JSON.parse(row.permissions) as string[],
    created_at: isoTime(row.created_at_ms),
    updated_at: isoTime(row.updated_at_ms),
  };
}
