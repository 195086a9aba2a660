/**
 * The path that is matched and sent upstream, byte for byte the same. Whatever two parsers could read differently is
 * refused, so that what was authorised is what is served.
 */

/** Why a path is refused. A path in order starts with "/", so the two cannot be mixed up. */
type PathFault = "ambiguous_path";

/** A path in canonical form. */
export type NormalPath = `/${string}`;

/** Characters; longer paths are refused. */
export const PATH_LENGTH_MAX = 2048;

/**
 * Escaped "/", "\", ";" and control characters (ASCII, and U+0080 to U+009F in UTF-8), "%" before what would be an escape,
 * a "%" that starts none, and raw ";", "\", "#", "?", controls and blanks, and empty segments before the last.
 */
// oxlint-disable-next-line no-control-regex -- control characters are exactly what is looked for
const AMBIGUOUS = /%(?:2f|5c|3b|[01][0-9a-f]|7f|c2%[89]|25[0-9a-f]{2}|(?![0-9a-f]{2}))|[;\\#?\u0000-\u0020\u007f-\u009f]|\/\//i;
const DOT_SEGMENT = /\/\.{1,2}(?:\/|$)/;
const ESCAPE = /%[0-9a-f]{2}/gi;
const UNRESERVED = /^[A-Za-z0-9\-._~]$/;
/** What may not stand raw in a path (RFC 3986 section 3.3), and what a URL parser would escape on the way upstream. */
const NOT_A_PATH_CHARACTER = /[^A-Za-z0-9\-._~!$&'()*+,:=@/%]+/g;
/** Most paths: nothing in them needs a second look, except dot segments and empty ones. */
const PLAIN = /^\/[A-Za-z0-9\-._~!$&'()*+,:=@/]*$/;

/**
 * The canonical form (RFC 3986 section 6.2.2): escaped unreserved characters are decoded, all other escapes have upper-case
 * digits, and what may not stand raw is escaped. Total, and idempotent on what it returns.
 */
export function normalisePath(path: string): NormalPath | PathFault {
  if (path.length > PATH_LENGTH_MAX || !isRooted(path)) return "ambiguous_path";
  const canonical = PLAIN.test(path) ? path : canonicalEscapes(path);
  if (canonical === undefined || !isRooted(canonical)) return "ambiguous_path";
  return canonical.length > PATH_LENGTH_MAX || canonical.includes("//") || DOT_SEGMENT.test(canonical) ? "ambiguous_path" : canonical;
}

/** Whether a path was refused. */
export function isPathFault(path: NormalPath | PathFault): path is PathFault {
  return path === "ambiguous_path";
}

function isRooted(path: string): path is NormalPath {
  return path.startsWith("/");
}

/** The path with its escapes in canonical form; undefined for what is ambiguous, before or after, or not valid UTF-8. */
function canonicalEscapes(path: string): string | undefined {
  if (AMBIGUOUS.test(path)) return undefined;
  try {
    decodeURIComponent(path);
    const canonical = path.replace(ESCAPE, canonicalEscape).replace(NOT_A_PATH_CHARACTER, encodeURIComponent);
    return AMBIGUOUS.test(canonical) ? undefined : canonical;
  } catch {
    return undefined;
  }
}

function canonicalEscape(escape: string): string {
  const character = String.fromCharCode(Number.parseInt(escape.slice(1), 16));
  return UNRESERVED.test(character) ? character : escape.toUpperCase();
}
