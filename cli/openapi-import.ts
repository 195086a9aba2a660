/**
 * `import`: routes from an OpenAPI document (3.0 or 3.1, as JSON). What security requirements ask for becomes permissions. What a
 * route cannot say as exactly is left out and said: an import never opens more than the document does.
 */
import { z } from "zod";
import { permissionSlug } from "../core/permission-slug.ts";
import { routeSchema, type Route } from "../core/route.ts";

const requirement = z.record(z.string(), z.array(z.string()));
const operationSchema = z.looseObject({ operationId: z.string().optional(), security: z.array(requirement).optional() });
const documentSchema = z.looseObject({
  openapi: z.string().regex(/^3\.[01]\./, "3.0 or 3.1 is needed"),
  paths: z.record(z.string(), z.looseObject({})),
  security: z.array(requirement).optional(),
});

/** What cannot be told from the document. */
export interface ImportTerms {
  /** Where the API is. */
  readonly upstream: string;
  /** Asked for where the document wants a key and names no scope; absent: such operations are left out. */
  readonly permission: string | undefined;
}

/** The routes, and what was left out, a line each. */
export interface Imported {
  readonly routes: readonly Route[];
  readonly problems: readonly string[];
}

/** Who may pass: anybody, or whose permissions do. */
type Access = Pick<Route, "public"> | Pick<Route, "permissions">;

const METHODS = ["get", "head", "post", "put", "patch", "delete", "options"] as const;
/** Members of a path that are no operations. */
const OTHER_MEMBERS: ReadonlySet<string> = new Set(["summary", "description", "servers", "parameters"]);

/** Reads a document; undefined with the reason when it is none. */
export function importOpenApi(document: unknown, terms: ImportTerms): Imported | { readonly fault: string } {
  const parsed = documentSchema.safeParse(document);
  if (!parsed.success) return { fault: parsed.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`).join("; ") };
  const { paths, security } = parsed.data;
  const all = Object.entries(paths).flatMap(([path, operations]) => importPath(path, operations, { ...terms, security }));
  return {
    routes: all.flatMap((each) => (typeof each === "string" ? [] : [each])),
    problems: all.filter((each) => typeof each === "string"),
  };
}

type Context = ImportTerms & { readonly security: readonly Requirement[] | undefined };
type Requirement = Readonly<Record<string, readonly string[]>>;

function importPath(template: string, operations: Readonly<Record<string, unknown>>, context: Context): (Route | string)[] {
  const path = pathOf(template);
  if (path === undefined) return [`${template}: a parameter that is only a part of a segment cannot be matched; left out`];
  return Object.entries(operations).flatMap(([member, operation]) => {
    if (OTHER_MEMBERS.has(member) || member.startsWith("x-")) return [];
    const place = `${member.toUpperCase()} ${template}`;
    const method = METHODS.find((each) => each === member);
    if (!method) return [`${place}: routes do not have '${member}'; left out`];
    // GET brings HEAD along, with the same access: a HEAD of its own would have to be another route.
    if (method === "head" && "get" in operations) return [`${place}: GET brings HEAD along; its own access was not taken over`];
    const parsed = operationSchema.safeParse(operation);
    return parsed.success ? [importOperation({ place, path, method, ...parsed.data }, context)] : [`${place}: is no operation; left out`];
  });
}

function importOperation(
  {
    place,
    path,
    method,
    operationId,
    security,
  }: { place: string; path: string; method: (typeof METHODS)[number] } & z.infer<typeof operationSchema>,
  { upstream, permission, security: ofAll }: Context,
): Route | string {
  const requirements = security ?? ofAll;
  if (!requirements) return `${place}: says nothing of security; if anybody may call it, say "security": []; left out`;
  const access = accessOf(requirements, permission);
  if (typeof access === "string") return `${place}: ${access}; left out`;
  const name = nameOf(operationId ?? `${method}-${path}`);
  const route = routeSchema.safeParse({ name, methods: [method.toUpperCase()], path, upstream, ...access });
  return route.success ? route.data : `${place}: ${route.error.issues.map(({ message }) => message).join("; ")}; left out`;
}

/** What alternatives of scopes mean as permissions, or why that cannot be said. */
export function accessOf(requirements: readonly Requirement[], permission: string | undefined): Access | string {
  if (requirements.length === 0 || requirements.some((each) => Object.keys(each).length === 0)) return { public: true };
  const asked = requirements.map((each) => new Set(Object.values(each).flat()));
  if (asked.some((scopes) => scopes.size === 0)) {
    if (permission === undefined) return "wants a key but names no scope: give --permission, which is then asked for";
    for (const scopes of asked) if (scopes.size === 0) scopes.add(permission);
  }
  const wrong = asked.flatMap((scopes) => [...scopes]).find((scope) => !permissionSlug.safeParse(scope).success);
  if (wrong !== undefined) return `the scope '${wrong}' cannot be a permission`;
  // Who satisfies the narrower of two alternatives satisfies the wider one.
  const least = asked.filter(
    (scopes, at) => !asked.some((other, place) => other !== scopes && isWithin(other, scopes) && (other.size < scopes.size || place < at)),
  );
  const [first = new Set<string>()] = least;
  const common = [...first].filter((scope) => least.every((scopes) => scopes.has(scope)));
  if (least.length === 1) return { permissions: { all: common } };
  if (least.some((scopes) => scopes.size !== common.length + 1))
    return "alternatives of several scopes each are more than a route can ask for";
  const any = least.flatMap((scopes) => [...scopes].filter((scope) => !common.includes(scope)));
  return { permissions: { ...(common.length > 0 && { all: common }), any } };
}

function isWithin(inner: ReadonlySet<string>, outer: ReadonlySet<string>): boolean {
  return [...inner].every((scope) => outer.has(scope));
}

/** `/orders/{id}` as `/orders/:id`; undefined where a route's pattern cannot say it. */
function pathOf(template: string): string | undefined {
  const segments = template.split("/").map((segment) => {
    const [, parameter] = /^\{([^{}]+)\}$/.exec(segment) ?? [];
    if (parameter !== undefined) return `:${parameter.replace(/[^A-Za-z0-9_]/g, "_").replace(/^(?=\d)/, "_")}`;
    // A literal that a pattern would take for something else, or half a parameter.
    return /[{}]/.test(segment) || segment === "*" || segment.startsWith(":") ? undefined : segment;
  });
  return segments.includes(undefined) ? undefined : segments.join("/");
}

/** `getOrderById` as `get-order-by-id`. */
function nameOf(text: string): string {
  return text
    .replace(/([a-z0-9])([A-Z])/g, "$1-$2")
    .toLowerCase()
    .replace(/[^a-z0-9._]+/g, "-")
    .replace(/^[^a-z0-9]+|-+$/g, "")
    .slice(0, 64);
}
