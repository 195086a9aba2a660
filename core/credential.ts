/** Where a request carries its key: `Authorization: Bearer` (RFC 6750), `X-API-Key`, or the user name of HTTP Basic (RFC 7617) where the route allows it. Never the query string. */

/** How the key was carried. */
export type CredentialPlace = "bearer" | "x-api-key" | "basic";

/** What a request carries. */
export type Credential =
  | { readonly kind: "none" }
  | { readonly kind: "presented"; readonly place: CredentialPlace; readonly text: string }
  | { readonly kind: "refused"; readonly reason: "multiple_credentials" | "malformed_credential" };

/** A header longer than this cannot hold a key of ours; it is not looked at. */
const HEADER_LENGTH_MAX = 512;
const NONE: Credential = { kind: "none" };

/** Reads the credential from two header values as the platform gives them: null when absent, repeats joined by ", ". */
export function readCredential(
  authorization: string | null,
  xApiKey: string | null,
  decodeBase64: (text: string) => string | undefined,
): Credential {
  if (authorization === null && xApiKey === null) return NONE;
  if (authorization !== null && xApiKey !== null) return { kind: "refused", reason: "multiple_credentials" };
  return authorization === null ? fromXApiKey(xApiKey ?? "") : fromAuthorization(authorization, decodeBase64);
}

function fromXApiKey(value: string): Credential {
  if (value.includes(",")) return { kind: "refused", reason: "multiple_credentials" };
  return presented("x-api-key", value.trim());
}

function fromAuthorization(value: string, decodeBase64: (text: string) => string | undefined): Credential {
  if (value.length > HEADER_LENGTH_MAX) return { kind: "refused", reason: "malformed_credential" };
  if (value.includes(",")) return { kind: "refused", reason: "multiple_credentials" };
  const [, scheme, text] = /^([A-Za-z][A-Za-z0-9-]*) +([^\s]+)\s*$/.exec(value.trim()) ?? [];
  if (scheme === undefined || text === undefined) return { kind: "refused", reason: "malformed_credential" };
  if (scheme.toLowerCase() === "bearer") return presented("bearer", text);
  if (scheme.toLowerCase() === "basic") return fromBasic(text, decodeBase64);
  return { kind: "refused", reason: "malformed_credential" };
}

/** The key is the user name; the password may be anything, as in `curl -u KEY:`. */
function fromBasic(text: string, decodeBase64: (text: string) => string | undefined): Credential {
  const decoded = decodeBase64(text);
  if (decoded === undefined) return { kind: "refused", reason: "malformed_credential" };
  const colon = decoded.indexOf(":");
  return presented("basic", colon < 0 ? decoded : decoded.slice(0, colon));
}

function presented(place: CredentialPlace, text: string): Credential {
  return text.length === 0 || text.length > HEADER_LENGTH_MAX
    ? { kind: "refused", reason: "malformed_credential" }
    : { kind: "presented", place, text };
}
