/**
 * The path that is matched and sent upstream, byte for byte the same. Whatever two parsers could read differently is
 * refused, so that what was authorised is what is served.
 */

/** Why a path is refused. */
export type PathFault = "ambiguous_path";

const LENGTH_MAX = 2048;
/** Encoded "/", "\", ";", NUL and other controls; "%" that encodes another escape; raw ";", "\" and controls; empty inner segments. */
// oxlint-disable-next-line no-control-regex -- control characters are exactly what is looked for
const AMBIGUOUS = /%(?:2f|5c|3b|[01][0-9a-f]|7f|25[0-9a-f]{2})|[;\\\u0000-\u0020\u007f]|\/\//i;
const INVALID_ESCAPE = /%(?![0-9a-f]{2})/i;
const UNRESERVED = /^[A-Za-z0-9\-._~]$/;

/** The canonical form of a path (RFC 3986 section 6.2.2), or that it is ambiguous. Total and idempotent. */
export function normalisePath(path: string): { readonly path: string } | PathFault {
  if (path.length > LENGTH_MAX || !path.startsWith("/") || AMBIGUOUS.test(path)) return "ambiguous_path";
  const canonical = path.includes("%") ? canonicalEscapes(path) : path;
  if (canonical === undefined || canonical.split("/").some((segment) => segment === "." || segment === "..")) return "ambiguous_path";
  return { path: canonical };
}

/** Escaped unreserved characters decoded, other escapes in upper case; undefined for what is not valid UTF-8. */
function canonicalEscapes(path: string): string | undefined {
  if (INVALID_ESCAPE.test(path)) return undefined;
  try {
    decodeURIComponent(path);
  } catch {
    return undefined;
  }
  return path.replace(/%[0-9a-f]{2}/gi, (escape) => {
    const character = String.fromCharCode(Number.parseInt(escape.slice(1), 16));
    return UNRESERVED.test(character) ? character : escape.toUpperCase();
  });
}
