/** The route table of the installation, kept in the home cell. */
import type { Route, RouteTable } from "../../core/route.ts";
import { latestSeq } from "./journal.ts";

/** The table in force, stamped with the latest entry; empty before the first. */
export function routeTable(sql: SqlStorage): RouteTable {
  const stamp = latestSeq(sql);
  const [row] = sql.exec<{ version: number; routes: string }>("SELECT version, routes FROM route_table").toArray();
  return row ? { stamp, version: row.version, routes: JSON.parse(row.routes) as Route[] } : { stamp, version: 0, routes: [] };
}
