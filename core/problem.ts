/** How a refusal is told: RFC 9457 problem details, and the RFC 6750 challenge where a key is at issue. */
import type { Told } from "./reason.ts";

/** Name of the protection space in challenges (RFC 9110 section 11.5). */
const REALM = "portcullis";
/** Value of `Retry-After` on 503, in seconds. */
export const RETRY_AFTER_S = "1";

/** The members that are the same for every refusal of a kind. */
export function problemOf({ type, code, title, status, detail }: Told) {
  return { type: type ?? `urn:portcullis:problem:${code}`, title, status, detail, code };
}

/** Value of `WWW-Authenticate`; empty where a key is not at issue. RFC 6750 section 3: no error code where there was no credential. */
export function challengeOf({ challenge, title }: Told, scope: readonly string[] = []): string {
  if (challenge === undefined) return "";
  const error = challenge === "" ? "" : `, error="${challenge}", error_description="${title}"`;
  return `Bearer realm="${REALM}"${error}${scope.length > 0 ? `, scope="${scope.join(" ")}"` : ""}`;
}
