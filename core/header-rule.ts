/**
 * What a route changes of headers on their way: set and remove, on requests to the upstream and on its answers. Rules never touch what
 * makes a message a message (framing, hop-by-hop), what says who is calling and from where, or what Portcullis itself says.
 */
import { z } from "zod";

/** Names whose headers are not a rule's business, either way. Read as {@link headerAsRead}. */
const PROTECTED_NAMES: ReadonlySet<string> = new Set([
  // Hop-by-hop (RFC 9110 section 7.6.1), framing, and how the body is coded.
  "connection",
  "keep-alive",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "expect",
  "content-length",
  "content-encoding",
  "content-range",
  "host",
  "via",
  // Who is calling. A secret for the upstream has no place in a table that many may read.
  "authorization",
  "x-api-key",
  // From where, and by which way.
  "forwarded",
  "x-forwarded",
  "x-real-ip",
  "x-client-ip",
  "x-cluster-client-ip",
  "true-client-ip",
  "x-original-host",
  "x-request-id",
  // Would make some servers act on another method or path than the one that was authorised.
  "x-http-method",
  "x-http-method-override",
  "x-method-override",
  "x-original-url",
  "x-rewrite-url",
  // The platform's own prefix is below; this one it sends as well.
  "cdn-loop",
]);

/** Whole families: ours, those of proxies and of the platform, WebSockets' handshake, and what a route says with `cors`. */
const PROTECTED_PREFIXES = ["portcullis-", "x-forwarded-", "proxy-", "cf-", "sec-", "access-control-"] as const;

/** A header's name as CGI-like servers read it: they cannot tell `X_Tenant` from `X-Tenant`. */
export function headerAsRead(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]/g, "-");
}

/** Whether rules must leave a header alone. */
export function isProtectedHeader(name: string): boolean {
  const read = headerAsRead(name);
  return PROTECTED_NAMES.has(read) || PROTECTED_PREFIXES.some((prefix) => read.startsWith(prefix));
}

/** A header's name: of what RFC 9110 section 5.1 allows, letters, digits and `-`. */
export const headerName = z.string().regex(/^[A-Za-z][A-Za-z0-9-]{0,63}$/, "letters, digits and '-', a letter first; at most 64");

const ruledName = headerName.refine((name) => !isProtectedHeader(name), {
  error: ({ input }) => `'${String(input)}' is not for rules to touch: it frames the message, says who is calling, or is Portcullis's own`,
});

/** Visible ASCII, blanks only inside: nothing in it can end the header (RFC 9110 section 5.5). */
const ruledValue = z
  .string()
  .max(1024, "at most 1,024 characters")
  .regex(/^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/, "visible ASCII, not blank at either end, no line breaks");

const RULES_MAX = 32;

const oneWay = z
  .strictObject({
    set: z
      .record(ruledName, ruledValue)
      .refine((set) => Object.keys(set).length <= RULES_MAX, `at most ${RULES_MAX}`)
      .optional()
      .meta({ description: "Headers to put in, in place of any of the same name." }),
    remove: z.array(ruledName).min(1).max(RULES_MAX).optional().meta({ description: "Headers to take out." }),
  })
  .refine(({ set = {}, remove = [] }) => {
    const read = [...Object.keys(set), ...remove].map(headerAsRead);
    return new Set(read).size === read.length;
  }, "each header once: a name is there twice");

/** The rules of a route. */
export const headerRulesSchema = z.strictObject({
  request: oneWay.optional().meta({ description: "What the upstream gets." }),
  response: oneWay
    .optional()
    .meta({ description: "What the client gets of the upstream's answer; the gateway's own refusals stay as they are." }),
});

/** Rules of one direction as an administrator writes them. */
type OneWay = z.infer<typeof oneWay>;

/** Rules of one direction, ready to be applied. */
export interface PreparedHeaderRules {
  /** Names as {@link headerAsRead}, of those that are removed and of those that are set. */
  readonly replaced: ReadonlySet<string>;
  /** Lower-case names with values. */
  readonly set: readonly (readonly [name: string, value: string])[];
}

/** Works rules out once; undefined where there is nothing to do. */
export function prepareHeaderRules(rules: OneWay | undefined): PreparedHeaderRules | undefined {
  const set = Object.entries(rules?.set ?? {}).map(([name, value]) => [name.toLowerCase(), value] as const);
  const replaced = new Set([...set.map(([name]) => name), ...(rules?.remove ?? [])].map(headerAsRead));
  return replaced.size === 0 ? undefined : { replaced, set };
}
