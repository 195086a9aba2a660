/**
 * The parts of a request's URL as text, exactly as they came. A URL parser would resolve dot segments and turn "\" into
 * "/" before anyone could refuse them; this one changes nothing, so {@link normalisePath} sees what the client sent.
 */

/** Where a request goes. */
export interface Target {
  /** Host name in lower case, without port and without the root's final dot. */
  readonly host: string;
  /** Path as sent; empty when the request line held none (`OPTIONS *`). */
  readonly path: string;
  /** Query string with its "?", or empty. Passed on unchanged, never looked into. */
  readonly search: string;
  readonly isHttps: boolean;
}

const ABSOLUTE_URL = /^(https?):\/\/([^/?#\\]*)([^?]*)(.*)$/is;
const PORT = /:\d*$/;

/** Reads an absolute http(s) URL; anything else has the empty path, which no route matches. */
export function readTarget(url: string): Target {
  const [, scheme = "", authority = "", path = "", search = ""] = ABSOLUTE_URL.exec(url) ?? [];
  const host = authority.replace(PORT, "").toLowerCase();
  return { host: host.endsWith(".") ? host.slice(0, -1) : host, path, search, isHttps: scheme.length === "https".length };
}
