/** Finding the route of a request. The most specific wins, segment by segment from the left: literal, then parameter, then wildcard. */
import { methodsOf, type Route, type RouteTable } from "./route.ts";

interface CompiledRoute {
  readonly route: Route;
  readonly methods: ReadonlySet<string>;
  readonly segments: readonly string[];
}

/** A table ready for matching. */
export interface CompiledRoutes {
  readonly stamp: number;
  readonly routes: readonly CompiledRoute[];
}

/** Prepares a table once, so that matching is a walk in order of precedence. */
export function compileRoutes(table: RouteTable): CompiledRoutes {
  const routes = table.routes.map((route) => ({ route, methods: new Set(methodsOf(route)), segments: route.path.slice(1).split("/") }));
  return { stamp: table.stamp, routes: routes.toSorted(bySpecificity) };
}

/** The route of a request, by its host name in lower case and its normalised path; undefined: refuse. */
export function matchRoute(
  compiled: CompiledRoutes,
  request: { readonly method: string; readonly host: string; readonly path: string },
): Route | undefined {
  const segments = request.path.slice(1).split("/");
  return compiled.routes.find(
    ({ route, methods, segments: pattern }) =>
      methods.has(request.method) && (route.host === undefined || route.host === request.host) && segmentsMatch(pattern, segments),
  )?.route;
}

function segmentsMatch(pattern: readonly string[], segments: readonly string[]): boolean {
  const wild = pattern.at(-1) === "*";
  if (wild ? segments.length < pattern.length : segments.length !== pattern.length) return false;
  return pattern.every((part, at) => part === "*" || (part.startsWith(":") ? segments[at] !== "" : part === segments[at]));
}

/** A route bound to a host comes before one for any host; within that, the more specific pattern. */
function bySpecificity(a: CompiledRoute, b: CompiledRoute): number {
  const hosts = Number(a.route.host === undefined) - Number(b.route.host === undefined);
  if (hosts !== 0) return hosts;
  for (let at = 0; at < Math.max(a.segments.length, b.segments.length); at++) {
    const ranks = rank(a.segments[at]) - rank(b.segments[at]);
    if (ranks !== 0) return ranks;
  }
  return a.route.name < b.route.name ? -1 : 1;
}

function rank(segment: string | undefined): number {
  if (segment === undefined) return 3;
  if (segment === "*") return 2;
  return segment.startsWith(":") ? 1 : 0;
}
