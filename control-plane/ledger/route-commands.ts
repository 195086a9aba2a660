/** The command that changes the route table; it runs in the home cell. */
import type { Command } from "./command.ts";
import { requestPublication } from "./publications.ts";
import { routeTable } from "./route-table.ts";
import { refuse, type Transaction } from "./transaction.ts";

/** Puts a table in force whole. Every copy from before is void from this entry on. */
export function replaceRoutes(transaction: Transaction, command: Extract<Command, { type: "replace_routes" }>): Record<string, unknown> {
  const { sql } = transaction;
  const current = routeTable(sql).version;
  if (command.expected_version !== null && command.expected_version !== current)
    refuse(
      "version_conflict",
      `The route table is at version ${current}, not ${command.expected_version}: read it again and repeat your change.`,
      "version",
    );
  const routes = JSON.stringify(command.routes);
  const seq = transaction.append("routes.replaced", "routes", { routes: command.routes, previous_version: current });
  sql.exec(
    "INSERT INTO route_table VALUES (1, ?, ?) ON CONFLICT (only) DO UPDATE SET version = excluded.version, routes = excluded.routes",
    seq,
    routes,
  );
  transaction.raise("routes", "superseded", seq);
  requestPublication(sql, "routes", seq, transaction.nowMs);
  return { object: "route_table", version: seq, routes: command.routes };
}
