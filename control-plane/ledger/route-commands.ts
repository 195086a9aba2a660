/** The commands that change the route table; they run in the home cell. */
import type { Route } from "../../core/route.ts";
import type { Command } from "./command.ts";
import { requestPublication } from "./publications.ts";
import { keepVersion, routeTable, routeTableVersion } from "./route-table.ts";
import { refuse, type Transaction } from "./transaction.ts";

type Asked<Type extends Command["type"]> = Extract<Command, { type: Type }>;

/** Puts a table in force whole. Every copy from before is void from this entry on. */
export function replaceRoutes(transaction: Transaction, command: Asked<"replace_routes">): Record<string, unknown> {
  return putInForce(transaction, command.routes, command.expected_version, null);
}

/** Puts a table that was in force before in force again, as a version of its own. */
export function restoreRoutes(transaction: Transaction, command: Asked<"restore_routes">): Record<string, unknown> {
  const former = routeTableVersion(transaction.sql, command.version);
  if (!former) refuse("entity_not_found", `There is no version ${command.version} of the route table, or it is kept no longer.`, "version");
  return putInForce(transaction, former.routes, command.expected_version, command.version);
}

function putInForce(
  transaction: Transaction,
  routes: readonly Route[],
  expectedVersion: number | null,
  restoredFrom: number | null,
): Record<string, unknown> {
  const { sql } = transaction;
  const current = routeTable(sql).version;
  if (expectedVersion !== null && expectedVersion !== current)
    refuse(
      "version_conflict",
      `The route table is at version ${current}, not ${expectedVersion}: read it again and repeat your change.`,
      "version",
    );
  const text = JSON.stringify(routes);
  const restored = restoredFrom === null ? {} : { restored_from: restoredFrom };
  const seq = transaction.append("routes.replaced", "routes", { routes, previous_version: current, ...restored });
  sql.exec(
    "INSERT INTO route_table VALUES (1, ?, ?) ON CONFLICT (only) DO UPDATE SET version = excluded.version, routes = excluded.routes",
    seq,
    text,
  );
  keepVersion(transaction, { version: seq, routes: text, restoredFrom });
  transaction.raise("routes", "superseded", seq);
  requestPublication(sql, "routes", seq, transaction.nowMs);
  return { object: "route_table", version: seq, routes };
}
