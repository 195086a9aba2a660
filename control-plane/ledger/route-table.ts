/** The route table of the installation and its latest versions, kept in the home cell. */
import type { Route, RouteTable } from "../../core/route.ts";
import type { Actor } from "./command.ts";
import { isoTime } from "./iso-time.ts";
import { latestSeq } from "./journal.ts";
import type { Transaction } from "./transaction.ts";
import type { RouteTableVersionView } from "./view.ts";

/** Versions that are kept, the one in force among them. */
export const VERSIONS_KEPT = 50;

/** The table in force, stamped with the latest entry; empty before the first. */
export function routeTable(sql: SqlStorage): RouteTable {
  const stamp = latestSeq(sql);
  const [row] = sql.exec<{ version: number; routes: string }>("SELECT version, routes FROM route_table").toArray();
  return row ? { stamp, version: row.version, routes: JSON.parse(row.routes) as Route[] } : { stamp, version: 0, routes: [] };
}

/** Keeps a version that is put in force, and forgets the oldest. */
export function keepVersion(
  { sql, nowMs, actor }: Transaction,
  { version, routes, restoredFrom }: { readonly version: number; readonly routes: string; readonly restoredFrom: number | null },
): void {
  const { type, id } = actor;
  sql.exec("INSERT INTO route_table_versions VALUES (?, ?, ?, ?, ?)", version, routes, restoredFrom, nowMs, JSON.stringify({ type, id }));
  sql.exec(
    "DELETE FROM route_table_versions WHERE version <= (SELECT version FROM route_table_versions ORDER BY version DESC LIMIT 1 OFFSET ?)",
    VERSIONS_KEPT,
  );
}

interface VersionRow extends Record<string, SqlStorageValue> {
  version: number;
  routes: string;
  restored_from: number | null;
  published_at_ms: number | null;
  published_by: string | null;
}

/** A version that is kept. */
export function routeTableVersion(
  sql: SqlStorage,
  version: number,
): (RouteTableVersionView & { readonly routes: readonly Route[] }) | undefined {
  const [row] = sql.exec<VersionRow>("SELECT * FROM route_table_versions WHERE version = ?", version).toArray();
  return row && { ...viewOf(row), routes: JSON.parse(row.routes) as Route[] };
}

/** The versions that are kept, newest first. */
export function routeTableVersions(sql: SqlStorage): RouteTableVersionView[] {
  return sql.exec<VersionRow>("SELECT * FROM route_table_versions ORDER BY version DESC").toArray().map(viewOf);
}

function viewOf({ version, routes, restored_from, published_at_ms, published_by }: VersionRow): RouteTableVersionView {
  return {
    object: "route_table_version",
    version,
    route_count: (JSON.parse(routes) as unknown[]).length,
    restored_from,
    published_at: published_at_ms === null ? null : isoTime(published_at_ms),
    published_by: published_by === null ? null : (JSON.parse(published_by) as Pick<Actor, "type" | "id">),
  };
}
