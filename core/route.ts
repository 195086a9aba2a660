/**
 * The route table: which requests may pass, to which upstream, with which permissions. What matches no route is
 * refused. Validated whole, so that a table in force is never half right.
 */
import { z } from "zod";
import { corsSchema } from "./cors.ts";
import { CREDENTIAL_PLACES, type CredentialPlace } from "./credential.ts";
import { headerRulesSchema } from "./header-rule.ts";
import { limitsSchema, restatedLimit } from "./limits/limit.ts";
import { networks } from "./network.ts";
import { permissionSlug } from "./permission-slug.ts";
import { bodyLimitsSchema, retriesSchema, timeoutsSchema, upstreamSchema } from "./upstream.ts";

const PATH_SEGMENT = /^(?::[A-Za-z_][A-Za-z0-9_]*|\*|[A-Za-z0-9\-._~!$&'()+,=@]+)$/;

/** A pattern of literal segments, `:parameter` (one segment) and a last `*` (the rest, any depth). */
const pathPattern = z
  .string()
  .max(512)
  .refine((path) => path.startsWith("/"), "starts with '/'")
  .refine((path) => {
    const segments = path.slice(1).split("/");
    return (
      path === "/" ||
      segments.every((segment, at) =>
        PATH_SEGMENT.test(segment) && segment !== "." && segment !== ".."
          ? segment !== "*" || at === segments.length - 1
          : segment === "" && at === segments.length - 1,
      )
    );
  }, "segments are literals, ':name', or a last '*'; no '//', no dot segments, no encodings");

const permissionList = z.array(permissionSlug).min(1).max(32);

/** One route as written by an administrator. */
export const routeSchema = z
  .strictObject({
    name: z
      .string()
      .regex(/^[a-z0-9][a-z0-9._-]{0,63}$/, "lower-case letters, digits, '.', '_', '-'; at most 64")
      .meta({ description: "Names the route in logs; unique in the table." }),
    host: z
      .string()
      .max(253)
      .regex(/^[a-z0-9.-]+$/, "a lower-case host name without port")
      .optional()
      .meta({ description: "Host name that requests are for, in lower case, without a port. Absent: any." }),
    methods: z
      .array(z.enum(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]))
      .min(1)
      .max(7)
      .meta({ description: "Methods that the route answers; GET brings HEAD along." }),
    path: pathPattern.meta({ description: "Literal segments, :name for any one segment, and a last * for the rest, as in /orders/:id/*." }),
    upstream: upstreamSchema,
    permissions: z
      .strictObject({
        all: permissionList.optional().meta({ description: "The key needs each of these." }),
        any: permissionList.optional().meta({ description: "The key needs one of these." }),
        not: permissionList
          .optional()
          .meta({ description: "A key that may do any of these is refused; wildcards are all that they cover." }),
      })
      .optional()
      .meta({ description: "What a key must be able to do. A route that is not public has all or any." }),
    public: z.boolean().optional().meta({ description: "Passes without a key. A key that is sent must be good all the same." }),
    basic: z
      .boolean()
      .optional()
      .meta({ description: "Also takes the key as the user name of HTTP Basic (RFC 7617): short for credentials with all three." }),
    credentials: z
      .array(z.enum(CREDENTIAL_PLACES))
      .min(1)
      .max(CREDENTIAL_PLACES.length)
      .optional()
      .meta({ description: "Where the key may be carried. Usually bearer and x-api-key." }),
    networks: networks
      .pipe(z.array(z.string()))
      .optional()
      .meta({ description: "Networks that requests may come from, with a key or without, like 192.0.2.0/24." }),
    cors: corsSchema
      .optional()
      .meta({ description: "Web pages that may call the route. Absent: CORS is the upstream's business, preflights included." }),
    headers: headerRulesSchema.optional().meta({ description: "Headers that are put in or taken out on the way." }),
    /** Also accept keys that were issued elsewhere and imported. A made-up one costs a question to the ledger. */
    foreign: z.boolean().optional().meta({ description: "Also takes keys that were issued elsewhere and imported." }),
    /**
     * How old, in milliseconds, the knowledge may be that a request is decided by. 0: each request is covered by a question
     * to the region's replica that began after it arrived, and so by everything that was in force by then. Absent, or longer than the edge lease: the edge lease.
     */
    freshness: z
      .number()
      .int()
      .min(0)
      .max(60_000)
      .optional()
      .meta({ description: "Milliseconds that the knowledge may be old by which a request is decided; 0: asked for after it came." }),
    outage: z
      .union([
        z.literal("deny"),
        z.strictObject({
          allowStale: z
            .number()
            .int()
            .min(1)
            .max(86_400)
            .meta({ description: "Seconds of age that knowledge may have, and for which a silent limiter is done without." }),
        }),
      ])
      .optional()
      .meta({ description: "When the ledger or a limiter cannot be asked. Usually deny: the answer is 503." }),
    cost: z.number().int().min(0).max(1_000_000).optional().meta({ description: "Units that a request takes of budgets. Usually 1." }),
    limits: limitsSchema
      .optional()
      .meta({ description: "How often, how much and how many at a time, 8 at most. Routes that name the same limit share it." }),
    timeouts: timeoutsSchema.optional().meta({ description: "How long the upstream may keep requests waiting." }),
    bodyLimits: bodyLimitsSchema
      .optional()
      .meta({ description: "How large bodies may be, as they are on the way. Usually as large as the platform lets them." }),
    retries: retriesSchema.optional().meta({
      description: "How often a request is sent again that got no answer, if its method may be repeated and it has no body. Usually once.",
    }),
  })
  .refine((route) => (route.public === true) !== (route.permissions?.all !== undefined || route.permissions?.any !== undefined), {
    error: "either public: true, or permissions with 'all' or 'any'",
    path: ["permissions"],
  })
  .refine((route) => route.public !== true || (route.limits ?? []).every(({ per }) => per === "route"), {
    error: "requests of a public route may come without a key: limit them per route",
    path: ["limits"],
  })
  .refine((route) => route.public !== true || route.permissions?.not === undefined, {
    error: "a public route cannot exclude keys: they would pass without being shown",
    path: ["permissions", "not"],
  })
  .refine((route) => route.basic === undefined || route.credentials === undefined, {
    error: "either basic, or credentials",
    path: ["credentials"],
  });

/** A whole table; names and matches are unique. */
export const routesSchema = z
  .array(routeSchema)
  .max(1000)
  .superRefine((routes, context) => {
    const seen = new Map<string, number>();
    for (const [at, route] of routes.entries()) {
      const keys = [`name ${route.name}`, ...methodsOf(route).map((method) => `${method} ${route.host ?? "*"} ${shapeOf(route.path)}`)];
      for (const key of keys) {
        const first = seen.get(key);
        if (first !== undefined && first !== at)
          context.addIssue({
            code: "custom",
            path: [at, key.startsWith("name") ? "name" : "path"],
            message: `the same as route ${first}: ${key}`,
          });
        seen.set(key, at);
      }
    }
    const restated = restatedLimit(routes);
    if (restated) {
      const [route, limit] = restated;
      context.addIssue({
        code: "custom",
        path: [route, "limits", limit],
        message: "stated otherwise in another route: one name is one limit",
      });
    }
  });

/** One validated route. */
export type Route = z.infer<typeof routeSchema>;

/** The table in force. */
export interface RouteTable {
  /** Entry of the home cell at which it was in force. */
  readonly stamp: number;
  /** Entry that put it in force; 0 before the first. */
  readonly version: number;
  readonly routes: readonly Route[];
}

const entryNumber = z.number().int().nonnegative();
const routeTableSchema = z.object({ stamp: entryNumber, version: entryNumber, routes: routesSchema });

/** KV name of the published table. */
export const ROUTES_RECORD_NAME = "routes";

/** Reads a published table; anything malformed is as good as a miss. */
export function parseRouteTable(value: unknown): RouteTable | undefined {
  const parsed = routeTableSchema.safeParse(value);
  return parsed.success ? parsed.data : undefined;
}

/** The methods a route answers: GET brings HEAD along (RFC 9110 section 9.1). */
export function methodsOf(route: Route): string[] {
  const methods: string[] = [...new Set<string>(route.methods)];
  return methods.includes("GET") && !methods.includes("HEAD") ? [...methods, "HEAD"] : methods;
}

/** Where a route takes the key from. */
export function placesOf(route: Route): readonly CredentialPlace[] {
  return route.credentials ?? (route.basic === true ? CREDENTIAL_PLACES : PLACES_USUALLY);
}

const PLACES_USUALLY: readonly CredentialPlace[] = ["bearer", "x-api-key"];

/** The route's freshness in milliseconds; without a route, or where it names none, as long as a lease. */
export function freshnessMs(route: Route | undefined): number {
  return route?.freshness ?? Number.POSITIVE_INFINITY;
}

/** How old, in milliseconds, knowledge may be on this route while the ledger cannot be asked; 0: it must be asked. */
export function allowedStaleMs(route: Route | undefined): number {
  return typeof route?.outage === "object" ? route.outage.allowStale * 1_000 : 0;
}

function shapeOf(path: string): string {
  return path.replace(/:[A-Za-z_][A-Za-z0-9_]*/g, ":");
}
