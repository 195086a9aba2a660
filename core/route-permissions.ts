/** How the permissions of a route table and those of the catalogue fit together. */
import { coversAny, overlaps } from "./permission.ts";
import type { Route } from "./route.ts";

/** A permission that a route names and that nothing in the catalogue gives a meaning. */
interface UnknownPermission {
  readonly route: string;
  readonly list: "all" | "any" | "not";
  readonly permission: string;
}

/**
 * `unknown`: no key can hold what `all` or `any` names, or nothing is excluded by what `not` names. `unused`: in the catalogue, but it
 * makes no difference to any route.
 */
export function comparePermissions(
  routes: readonly Route[],
  catalogue: readonly string[],
): { readonly unknown: readonly UnknownPermission[]; readonly unused: readonly string[] } {
  const named = routes.flatMap(({ name: route, permissions = {} }) =>
    (["all", "any", "not"] as const).flatMap((list) => (permissions[list] ?? []).map((permission) => ({ route, list, permission }))),
  );
  const texts = [...new Set(named.map(({ permission }) => permission))];
  return {
    unknown: named.filter(({ list, permission }) =>
      list === "not" ? !overlaps(catalogue, permission) : !coversAny(catalogue, permission),
    ),
    unused: catalogue.filter((slug) => !overlaps(texts, slug)),
  };
}
