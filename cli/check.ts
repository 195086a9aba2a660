/** `check`: is the file right, each route by itself, all of them together, and beside the catalogue of permissions? */
import { describeFault, tableFaults } from "../core/route-faults.ts";
import { comparePermissions } from "../core/route-permissions.ts";
import type { Route } from "../core/route.ts";

/** What was found. With errors a table is not published. */
export interface Findings {
  readonly errors: readonly string[];
  readonly warnings: readonly string[];
}

/** Looks at routes that are right one by one. Without a catalogue permissions are not looked at. */
export function findingsIn(routes: readonly Route[], catalogue: readonly string[] | undefined): Findings {
  const together = tableFaults(routes).map((fault) => `route '${routes[fault.route]?.name ?? ""}': ${describeFault(fault, routes)}`);
  if (!catalogue) return { errors: together, warnings: [] };
  const { unknown, unused } = comparePermissions(routes, catalogue);
  return {
    errors: [
      ...together,
      ...unknown.map(({ route, list, permission }) =>
        list === "not"
          ? `route '${route}': excludes '${permission}', of which the catalogue has nothing: it excludes nobody`
          : `route '${route}': asks for '${permission}', which no key can hold: the catalogue does not have it`,
      ),
    ],
    warnings: unused.map((slug) => `no route asks for '${slug}', which the catalogue has`),
  };
}
