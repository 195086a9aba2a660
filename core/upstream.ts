/** Where a route leads: to one API, or to several that answer alike. */
import { z } from "zod";

const url = z
  .url({ protocol: /^https?$/ })
  .refine((text) => !/[?#@\\]|\/(?:\.|%2e){1,2}(?:\/|$)/i.test(text), "an http(s) URL without user name, query, fragment or dot segments")
  .overwrite((text) => text.replace(/\/$/, ""));

/** Name of a service binding, as Wrangler takes it. */
export const SERVICE_NAME_PATTERN = /^[A-Z][A-Z0-9_]{0,63}$/;

const UPSTREAMS_MAX = 8;
const WEIGHT_MAX = 100;

const several = z
  .array(
    z.strictObject({
      /** Origin, optionally with a base path that is put before the request's path. */
      url,
      /** Goes by this service binding of the gateway, which is told the URL, instead of over the network. */
      service: z.string().regex(SERVICE_NAME_PATTERN, "upper-case letters, digits and '_', a letter first").optional(),
      /** Its share of the requests, relative to the others'. 0: gets requests only while all others are out. */
      weight: z.number().int().min(0).max(WEIGHT_MAX).default(1),
    }),
  )
  .min(1)
  .max(UPSTREAMS_MAX)
  .refine((upstreams) => upstreams.some(({ weight }) => weight > 0), "one must have a weight above 0");

/** The member `upstream` of a route: a URL, or a list. */
export const upstreamSchema = z.union([url, several]);

/** One of the APIs a route leads to. */
export type Upstream = z.infer<typeof several>[number];

/** All that a route leads to, in the order they are written. */
export function upstreamsOf({ upstream }: { readonly upstream: z.infer<typeof upstreamSchema> }): readonly Upstream[] {
  return typeof upstream === "string" ? [{ url: upstream, weight: 1 }] : upstream;
}

const TIMEOUT_MAX_MS = 600_000;
const timeoutMs = z.number().int().min(1).max(TIMEOUT_MAX_MS);

/** How long an upstream may keep a route's requests waiting, in milliseconds. */
export const timeoutsSchema = z.strictObject({
  /** From the end of the request to the head of the answer. */
  firstByte: timeoutMs.optional(),
  /** From one piece of the answer's body to the next, while the client wants more. */
  idle: timeoutMs.optional(),
});

const bytes = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);

/** How large bodies may be, in bytes as they are on the way. */
export const bodyLimitsSchema = z.strictObject({ request: bytes.optional(), response: bytes.optional() });

/** How often a request is sent again that got no answer and may be repeated. */
export const retriesSchema = z.number().int().min(0).max(3);
