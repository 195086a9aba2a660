/**
 * Finding the route of a request. A route for its host comes before one for any host; among those the most specific
 * path wins, segment by segment from the left: literal, then `:parameter`, then `*`. The method is part of the match: a
 * route that does not answer the method is passed over.
 */
import { prepareRoute, type PreparedRoute } from "./prepared-route.ts";
import { methodsOf, type RouteTable } from "./route.ts";

/** The place reached by some pattern's first segments. A request visits each node at most once, so a table bounds the work. */
interface Node {
  readonly literals: Map<string, Node>;
  parameter: Node | undefined;
  /** Routes that end here, and routes that end here with `*`, by method. */
  readonly ends: Map<string, PreparedRoute>;
  readonly wild: Map<string, PreparedRoute>;
}

/** A table ready for matching. */
export interface CompiledRoutes {
  readonly byHost: ReadonlyMap<string, Node>;
  readonly anyHost: Node;
}

/** Prepares a table once, so that matching does not depend on how many routes there are. */
export function compileRoutes(table: Pick<RouteTable, "routes">): CompiledRoutes {
  const byHost = new Map<string, Node>();
  const anyHost = emptyNode();
  for (const route of table.routes) plant(route.host === undefined ? anyHost : childOf(byHost, route.host), prepareRoute(route));
  return { byHost, anyHost };
}

/**
 * The route of a request, by its host name in lower case and its normalised path; undefined: refuse. Literals are
 * compared with escapes decoded, or `/%40admin` would slip past the route of `/@admin` to an upstream that decodes it.
 */
export function matchRoute(
  compiled: CompiledRoutes,
  request: { readonly method: string; readonly host: string; readonly path: string },
): PreparedRoute | undefined {
  const segments = request.path.slice(1).split("/");
  if (request.path.includes("%")) for (const [at, segment] of segments.entries()) segments[at] = decodeURIComponent(segment);
  const ofHost = compiled.byHost.get(request.host);
  return (ofHost && find(ofHost, segments, 0, request.method)) ?? find(compiled.anyHost, segments, 0, request.method);
}

function find(node: Node, segments: readonly string[], at: number, method: string): PreparedRoute | undefined {
  const segment = segments[at];
  if (segment === undefined) return node.ends.get(method);
  const literal = node.literals.get(segment);
  const found = literal && find(literal, segments, at + 1, method);
  if (found) return found;
  const parameterised = segment === "" ? undefined : node.parameter && find(node.parameter, segments, at + 1, method);
  return parameterised ?? node.wild.get(method);
}

function plant(root: Node, route: PreparedRoute): void {
  let node = root;
  let ends = root.ends;
  for (const segment of route.path.slice(1).split("/")) {
    if (segment === "*") ends = node.wild;
    else {
      node = segment.startsWith(":") ? (node.parameter ??= emptyNode()) : childOf(node.literals, segment);
      ends = node.ends;
    }
  }
  for (const method of methodsOf(route)) ends.set(method, route);
}

function childOf(nodes: Map<string, Node>, name: string): Node {
  const child = nodes.get(name) ?? emptyNode();
  nodes.set(name, child);
  return child;
}

function emptyNode(): Node {
  return { literals: new Map(), parameter: undefined, ends: new Map(), wild: new Map() };
}
