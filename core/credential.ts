/**
 * Where a request carries its key: `Authorization: Bearer` (RFC 6750 section 2.1), `X-API-Key`, or the user name of HTTP
 * Basic (RFC 7617) where the route allows it. Never the query string: it ends up in logs and histories.
 *
 * Whatever stands in one of these places is held to account, also on a public route: a forged key is refused wherever
 * it is sent, and the upstream never sees a credential that the gateway did not understand.
 */

/** Where a key may be carried. */
export const CREDENTIAL_PLACES = ["bearer", "x-api-key", "basic"] as const;

/** How the key was carried. */
export type CredentialPlace = (typeof CREDENTIAL_PLACES)[number];

/** Why the carrying, not the key, is refused (400). */
type CredentialFault = "multiple_credentials" | "malformed_credential";

/** What a request carries. */
type Credential =
  | { readonly kind: "none" }
  | { readonly kind: "presented"; readonly place: CredentialPlace; readonly text: string }
  | { readonly kind: "refused"; readonly reason: CredentialFault };

/** Decodes base64 to Latin-1 text; undefined for what is no base64. */
type DecodeBase64 = (text: string) => string | undefined;

/** Characters; a longer header cannot hold a key of ours and is not looked at. */
export const CREDENTIAL_HEADER_LENGTH_MAX = 512;

const SPACE = 32;
const NOT_ONE_WORD = /[\s,]/;
const SCHEME_AND_MORE_WORDS = /^(?:bearer|basic) [^,]*,/i;

const NONE: Credential = { kind: "none" };
const MULTIPLE: Credential = { kind: "refused", reason: "multiple_credentials" };
const MALFORMED: Credential = { kind: "refused", reason: "malformed_credential" };

/** Reads the credential from two header values as the platform gives them: null when absent, repeats joined by ", ". */
export function readCredential(authorization: string | null, xApiKey: string | null, decodeBase64: DecodeBase64): Credential {
  if (authorization === null) return xApiKey === null ? NONE : fromXApiKey(xApiKey);
  return xApiKey === null ? fromAuthorization(authorization, decodeBase64) : MULTIPLE;
}

function fromXApiKey(value: string): Credential {
  if (value.length > CREDENTIAL_HEADER_LENGTH_MAX) return MALFORMED;
  return value.includes(",") ? MULTIPLE : presented("x-api-key", value);
}

/** RFC 9110 section 11.4: scheme, one or more spaces, and here a single word. The platform has trimmed the value. */
function fromAuthorization(value: string, decodeBase64: DecodeBase64): Credential {
  if (value.length > CREDENTIAL_HEADER_LENGTH_MAX) return MALFORMED;
  const schemeLength = value.indexOf(" ");
  let wordAt = schemeLength + 1;
  while (value.charCodeAt(wordAt) === SPACE) wordAt += 1;
  const word = value.slice(wordAt);
  if (schemeLength < 0 || NOT_ONE_WORD.test(word)) return SCHEME_AND_MORE_WORDS.test(value) ? MULTIPLE : MALFORMED;
  switch (value.slice(0, schemeLength).toLowerCase()) {
    case "bearer":
      return presented("bearer", word);
    case "basic":
      return fromBasic(word, decodeBase64);
    default:
      return MALFORMED;
  }
}

/** The key is the user name; the password may be anything, as in `curl -u KEY:`. */
function fromBasic(word: string, decodeBase64: DecodeBase64): Credential {
  const decoded = decodeBase64(word);
  if (decoded === undefined) return MALFORMED;
  const colon = decoded.indexOf(":");
  return presented("basic", colon < 0 ? decoded : decoded.slice(0, colon));
}

function presented(place: CredentialPlace, text: string): Credential {
  return text === "" ? MALFORMED : { kind: "presented", place, text };
}
