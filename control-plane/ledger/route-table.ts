/** The route table of the installation, kept in the home cell. */
import type { Route, RouteTable } from "../../core/route.ts";

/** The table in force; empty and stamped 0 before the first. */
export function routeTable(sql: SqlStorage): RouteTable {
  const [row] = sql.exec<{ stamp: number; routes: string }>("SELECT stamp, routes FROM route_table").toArray();
  return row ? { stamp: row.stamp, routes: JSON.parse(row.routes) as Route[] } : { stamp: 0, routes: [] };
}
