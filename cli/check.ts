/** `check`: is the file right, each route by itself, all of them together, and beside the catalogue of permissions? */
import { describeFault, tableFaults } from "../core/route-faults.ts";
import { comparePermissions } from "../core/route-permissions.ts";
import type { Route } from "../core/route.ts";
import { unboundServices } from "../core/upstream.ts";

/** What was found. With errors a table is not published. */
export interface Findings {
  readonly errors: readonly string[];
  readonly warnings: readonly string[];
}

/** What a control plane knows that the file does not say. */
export interface Known {
  /** Permissions, by slug. */
  readonly catalogue: readonly string[];
  /** Service bindings that routes may name; null: it has not been told. */
  readonly services: readonly string[] | null;
}

/** Looks at routes that are right one by one. Without a control plane neither permissions nor services are looked at. */
export function findingsIn(routes: readonly Route[], known: Known | undefined): Findings {
  const together = tableFaults(routes).map((fault) => `${named(routes, fault.route)}: ${describeFault(fault, routes)}`);
  if (!known) return { errors: together, warnings: [] };
  const { unknown, unused } = comparePermissions(routes, known.catalogue);
  const services = serviceFindings(routes, known.services);
  return {
    errors: [
      ...together,
      ...unknown.map(({ route, list, permission }) =>
        list === "not"
          ? `route '${route}': excludes '${permission}', of which the catalogue has nothing: it excludes nobody`
          : `route '${route}': asks for '${permission}', which no key can hold: the catalogue does not have it`,
      ),
      ...services.errors,
    ],
    warnings: [...unused.map((slug) => `no route asks for '${slug}', which the catalogue has`), ...services.warnings],
  };
}

/** Where nobody knows what the gateway is bound to, that is a warning: its answer would be 500. */
function serviceFindings(routes: readonly Route[], bound: readonly string[] | null): Findings {
  const unbound = unboundServices(routes, new Set(bound));
  if (bound)
    return {
      errors: unbound.map(
        ({ route, service }) => `${named(routes, route)}: leads to the service '${service}', which the gateway is not bound to`,
      ),
      warnings: [],
    };
  const warnings = unbound.map(
    ({ route, service }) =>
      `${named(routes, route)}: whether the gateway is bound to '${service}' is not known: set UPSTREAM_SERVICES at the control plane as well`,
  );
  return { errors: [], warnings };
}

function named(routes: readonly Route[], at: number): string {
  return `route '${routes[at]?.name ?? ""}'`;
}
