/**
 * Which headers do not pass, as data. In names every character but letters and digits is read as "-": CGI-like servers
 * cannot tell them apart, so `Portcullis_Key.Id` would impersonate a caller there.
 */

/** Headers of a request that are not passed on. */
const REQUEST_HEADERS_REMOVED: ReadonlySet<string> = new Set([
  // Hop-by-hop (RFC 9110 section 7.6.1). The fields that Connection names cannot be told: the platform removes it first.
  "connection",
  "keep-alive",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  // Answered by an interim response, which `fetch` would take for the final one.
  "expect",
  // Credentials meant for the gateway. It never gets this far with an Authorization header that it did not accept as a key.
  "authorization",
  "x-api-key",
  // What only the gateway may say of where a request came from. Host becomes the upstream's.
  "host",
  "forwarded",
  "x-forwarded",
  "x-real-ip",
  "x-client-ip",
  "x-cluster-client-ip",
  "true-client-ip",
  "x-original-host",
  // Would make some servers act on another method or path than the one that was authorised.
  "x-http-method",
  "x-http-method-override",
  "x-method-override",
  "x-original-url",
  "x-rewrite-url",
]);

/** Whole families that are not passed on: what the gateway says of the caller and of the way, and what is meant for proxies. */
const REQUEST_HEADER_PREFIXES_REMOVED = ["portcullis-", "x-forwarded-", "proxy-"] as const;

/**
 * Headers of a response that are not passed on: hop-by-hop. The platform itself keeps `Connection` and `Transfer-Encoding`.
 * `Upgrade` stays for 101, whose response is passed as it is.
 */
export const RESPONSE_HEADERS_REMOVED = ["keep-alive", "proxy-connection", "trailer", "upgrade"] as const;

/**
 * What becomes of a request header: it passes, or does not, or it needs another look. `host` and `upgrade` do not pass as they are; `address` and
 * `cookie` do.
 */
export type HeaderRule = "pass" | "drop" | "host" | "upgrade" | "address" | "cookie";

const SPECIAL: Readonly<Record<string, HeaderRule>> = {
  host: "host",
  upgrade: "upgrade",
  // The platform's own word on who the client is.
  "cf-connecting-ip": "address",
  cookie: "cookie",
};

/** Rules of names that have been judged; the same few come with every request. */
const judged = new Map<string, HeaderRule>();
const JUDGED_MAX = 1_000;

/** The rule for a request header of this lower-case name. */
export function ruleOf(name: string): HeaderRule {
  const known = judged.get(name);
  if (known !== undefined) return known;
  const rule = judge(name);
  if (judged.size < JUDGED_MAX) judged.set(name, rule);
  return rule;
}

function judge(name: string): HeaderRule {
  if (Object.hasOwn(SPECIAL, name)) return SPECIAL[name] ?? "drop";
  const read = name.replace(/[^a-z0-9]/g, "-");
  const isRemoved = REQUEST_HEADERS_REMOVED.has(read) || REQUEST_HEADER_PREFIXES_REMOVED.some((prefix) => read.startsWith(prefix));
  return isRemoved ? "drop" : "pass";
}
