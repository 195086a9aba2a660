/** Where a route leads: to one API, or to several that answer alike. */
import { z } from "zod";

const url = z
  .url({ protocol: /^https?$/ })
  .refine((text) => !/[?#@\\]|\/(?:\.|%2e){1,2}(?:\/|$)/i.test(text), "an http(s) URL without user name, query, fragment or dot segments")
  .overwrite((text) => text.replace(/\/$/, ""));

/** Name of a service binding, as Wrangler takes it. */
export const SERVICE_NAME_PATTERN = /^[A-Z][A-Z0-9_]{0,63}$/;

const serviceName = z.string().regex(SERVICE_NAME_PATTERN, "upper-case letters, digits and '_', a letter first");
const SERVICES_MAX = 100;

/** The setting that lists service bindings which routes may name, separated by `,`. */
export const upstreamServicesSetting = z
  .string()
  .transform((text) => text.split(",").filter((name) => name !== ""))
  .pipe(
    z
      .array(z.string().regex(SERVICE_NAME_PATTERN, "must be names of service bindings, separated by ','"))
      .max(SERVICES_MAX, `must be ${SERVICES_MAX} at most`),
  );

const UPSTREAMS_MAX = 8;
const WEIGHT_MAX = 100;

const several = z
  .array(
    z.strictObject({
      url: url.meta({ description: "Origin, optionally with a base path that is put before the request's path." }),
      service: serviceName
        .optional()
        .meta({ description: "A service binding of the gateway that requests go by, instead of over the network; it is told the URL." }),
      weight: z
        .number()
        .int()
        .min(0)
        .max(WEIGHT_MAX)
        .default(1)
        .meta({ description: "Its share of the requests, relative to the others'. 0: gets requests only while all others are out." }),
    }),
  )
  .min(1)
  .max(UPSTREAMS_MAX)
  .refine((upstreams) => upstreams.some(({ weight }) => weight > 0), "one must have a weight above 0");

/** The member `upstream` of a route: a URL, or a list. */
export const upstreamSchema = z.union([url, several]).meta({
  description: "Where requests go: an http(s) URL, optionally with a base path that is put before the request's; or a list, with weights.",
});

/** One of the APIs a route leads to. */
export type Upstream = z.infer<typeof several>[number];

/** All that a route leads to, in the order they are written. */
export function upstreamsOf({ upstream }: { readonly upstream: z.infer<typeof upstreamSchema> }): readonly Upstream[] {
  return typeof upstream === "string" ? [{ url: upstream, weight: 1 }] : upstream;
}

/** Services that routes name and the gateway is not bound to: requests would be answered with 500. `upstream`: its place in the route's list. */
export function unboundServices(
  routes: readonly { readonly upstream: z.infer<typeof upstreamSchema> }[],
  bound: ReadonlySet<string>,
): { readonly route: number; readonly upstream: number; readonly service: string }[] {
  return routes.flatMap((each, route) =>
    upstreamsOf(each).flatMap(({ service }, upstream) =>
      service === undefined || bound.has(service) ? [] : [{ route, upstream, service }],
    ),
  );
}

const TIMEOUT_MAX_MS = 600_000;
const timeoutMs = z.number().int().min(1).max(TIMEOUT_MAX_MS);

/** How long an upstream may keep a route's requests waiting, in milliseconds. */
export const timeoutsSchema = z.strictObject({
  firstByte: timeoutMs.optional().meta({
    description:
      "Milliseconds from the end of the request to the head of the answer. Usually a minute for requests without a body, and no limit for others.",
  }),
  idle: timeoutMs.optional().meta({
    description: "Milliseconds from one piece of the answer's body to the next, while the client wants more. Usually no limit.",
  }),
});

const bytes = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);

/** How large bodies may be, in bytes as they are on the way. */
export const bodyLimitsSchema = z.strictObject({
  request: bytes.optional().meta({ description: "Bytes that a request's body may have; more is 413." }),
  response: bytes.optional().meta({ description: "Bytes that an answer's body may have; more is 502, or is cut where it had begun." }),
});

/** How often a request is sent again that got no answer and may be repeated. */
export const retriesSchema = z.number().int().min(0).max(3);
