/**
 * Where webhooks may be sent: to public host names over https. Judged on the parts that a WHATWG URL parser has made of the text, the same
 * ones that are then connected to, so that decimal, octal or percent-encoded spellings of an address arrive here as the address.
 */

/** What a URL parser found. `hostname` is lower-case ASCII, IPv6 in brackets; `port` is empty for the scheme's own. */
export interface UrlParts {
  readonly protocol: string;
  readonly username: string;
  readonly password: string;
  readonly hostname: string;
  readonly port: string;
}

/** Ports of https servers; others are mostly something else that a request could disturb. */
const PORTS_ALLOWED: ReadonlySet<string> = new Set(["", "443", "8443"]);
/** Names that only mean something inside a network, or nothing anywhere. */
const PRIVATE_SUFFIXES = [
  "localhost",
  "local",
  "localdomain",
  "internal",
  "intranet",
  "private",
  "corp",
  "home",
  "lan",
  "home.arpa",
  "in-addr.arpa",
  "ip6.arpa",
  "onion",
  "svc",
  "test",
  "invalid",
] as const;
const LOOPBACK = /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;
const IPV4 = /^\d+\.\d+\.\d+\.\d+$/;

/** What is wrong with a destination, in a sentence that says what to do; undefined when it is right. `loopbackToo` is for development. */
export function faultOfDestination(parts: UrlParts, loopbackToo: boolean): string | undefined {
  const { protocol, username, password, hostname, port } = parts;
  if (username !== "" || password !== "") return "must not hold a user name or password: verify the signature instead";
  if (loopbackToo && LOOPBACK.test(hostname))
    return protocol === "http:" || protocol === "https:" ? undefined : "must be an http or https URL";
  if (protocol !== "https:") return "must be an https URL";
  if (!PORTS_ALLOWED.has(port)) return "must use port 443 or 8443";
  if (hostname.startsWith("[") || IPV4.test(hostname)) return "must name a host, not an address";
  return faultOfName(hostname.endsWith(".") ? hostname.slice(0, -1) : hostname);
}

function faultOfName(name: string): string | undefined {
  if (PRIVATE_SUFFIXES.some((suffix) => name === suffix || name.endsWith(`.${suffix}`))) return "must name a public host";
  if (!name.includes(".")) return "must name a public host, with its domain";
  // What a resolver makes of `localhost..` is its own affair.
  if (name.split(".").includes("")) return "must name a public host, without empty labels";
  return undefined;
}
