/**
 * Every reason for which the gateway refuses, with what the caller is told. The log keeps the precise reason; what could
 * help an attacker tell a wrong secret from an unknown or a dead key is told as `invalid_key`. That a key has expired or lacks
 * a permission is told only to who holds its secret.
 */

/** Precise reasons, as logged. */
export type Reason =
  | "missing_credential"
  | "multiple_credentials"
  | "malformed_credential"
  | "basic_not_allowed"
  | "malformed_token"
  | "checksum_mismatch"
  | "forged_token"
  | "wrong_environment"
  | "ambiguous_path"
  | "no_route"
  | "unknown_key"
  | "invalid_secret"
  | "revoked_key"
  | "expired_key"
  | "insufficient_scope"
  | "ledger_unreachable"
  | "upstream_unreachable"
  | "internal_error"
  // Keys that are kept from working, replaced secrets, networks
  | "key_disabled"
  | "organization_suspended"
  | "membership_inactive"
  | "rotated_secret"
  | "network_not_allowed"
  | "client_address_unknown"
  | "foreign_not_allowed"
  // What a route says besides permissions
  | "credential_place_not_allowed"
  | "excluded_permission"
  | "route_network_not_allowed"
  | "origin_not_allowed";

/** What a reason looks like from outside. */
export interface Told {
  readonly status: 400 | 401 | 403 | 404 | 500 | 502 | 503;
  /** Stable, for programs. */
  readonly code: string;
  readonly title: string;
  /** What the caller can do about it. */
  readonly detail: string;
  /** RFC 6750 section 3.1 error code for WWW-Authenticate; "" is the bare challenge to a request without a credential. */
  readonly challenge?: "" | "invalid_request" | "invalid_token" | "insufficient_scope";
}

const invalidKey: Told = {
  status: 401,
  code: "invalid_key",
  title: "Invalid API key",
  detail: "The API key is not valid here: it is unknown, revoked or mistyped. Check it, or create a new one.",
  challenge: "invalid_token",
};

const malformedToken: Told = {
  status: 401,
  code: "malformed_token",
  title: "Not an API key",
  detail: "The credential does not have the form of an API key of this service. Copy the key again, as a whole.",
  challenge: "invalid_token",
};

const networkNotAllowed: Told = {
  status: 403,
  code: "network_not_allowed",
  title: "Network not allowed",
  detail: "The API key or the route may not be used from this network address. Call from an allowed network, or have them changed.",
};

/** The catalogue. Texts are ASCII without quotation marks, so that they can stand in a header as they are. */
export const TOLD: Readonly<Record<Reason, Told>> = {
  missing_credential: {
    status: 401,
    code: "missing_credential",
    title: "API key required",
    detail: "Send an API key: 'Authorization: Bearer <key>' or 'X-API-Key: <key>'.",
    challenge: "",
  },
  multiple_credentials: {
    status: 400,
    code: "multiple_credentials",
    title: "More than one credential",
    detail: "Send the API key once, in one header only.",
    challenge: "invalid_request",
  },
  malformed_credential: {
    status: 400,
    code: "malformed_credential",
    title: "Malformed credential",
    detail: "Send 'Authorization: Bearer <key>' or 'X-API-Key: <key>', with the key and nothing else.",
    challenge: "invalid_request",
  },
  basic_not_allowed: {
    status: 401,
    code: "basic_not_allowed",
    title: "HTTP Basic is not accepted here",
    detail: "This route does not take the key as a Basic user name. Send 'Authorization: Bearer <key>'.",
    challenge: "invalid_token",
  },
  malformed_token: malformedToken,
  checksum_mismatch: {
    status: 401,
    code: "checksum_mismatch",
    title: "Mistyped API key",
    detail: "The checksum of the API key does not fit: it was mistyped or cut. Copy it again.",
    challenge: "invalid_token",
  },
  forged_token: invalidKey,
  wrong_environment: {
    status: 401,
    code: "wrong_environment",
    title: "Key of another environment",
    detail: "This gateway does not accept keys of that environment (live or test). Use a key of the other one.",
    challenge: "invalid_token",
  },
  ambiguous_path: {
    status: 400,
    code: "ambiguous_path",
    title: "Ambiguous path",
    detail:
      "Servers read this path differently. Send it in plain form: no empty or dot segments, no ';' or '\\', no escaped '/', '\\', ';' or control characters, no double or invalid escapes, at most 2048 characters.",
    challenge: "invalid_request",
  },
  no_route: {
    status: 404,
    code: "no_route",
    title: "No such route",
    detail: "No route matches this method, host and path. Check all three.",
  },
  unknown_key: invalidKey,
  invalid_secret: invalidKey,
  revoked_key: invalidKey,
  expired_key: {
    status: 401,
    code: "expired_key",
    title: "Expired API key",
    detail: "The API key has expired. Create a new one.",
    challenge: "invalid_token",
  },
  insufficient_scope: {
    status: 403,
    code: "insufficient_scope",
    title: "Missing permission",
    detail: "The API key lacks a permission that this route requires; see missing_permissions. Use a key that has it.",
    challenge: "insufficient_scope",
  },
  ledger_unreachable: {
    status: 503,
    code: "ledger_unreachable",
    title: "Cannot decide now",
    detail: "Whether the API key is still good cannot be established at the moment, so the request was not let through. Try again shortly.",
  },
  upstream_unreachable: {
    status: 502,
    code: "upstream_unreachable",
    title: "Upstream unreachable",
    detail: "The gateway accepted the request but got no valid answer from the service behind it. Try again later.",
  },
  internal_error: {
    status: 500,
    code: "internal_error",
    title: "Internal error",
    detail: "The gateway failed, so the request was not let through. Report the request_id.",
  },
  key_disabled: invalidKey,
  organization_suspended: invalidKey,
  membership_inactive: invalidKey,
  rotated_secret: {
    status: 401,
    code: "rotated_secret",
    title: "Replaced secret",
    detail: "This secret of the API key was replaced by a newer one and its time is up. Use the newer one.",
    challenge: "invalid_token",
  },
  network_not_allowed: networkNotAllowed,
  client_address_unknown: networkNotAllowed,
  foreign_not_allowed: malformedToken,
  credential_place_not_allowed: {
    status: 401,
    code: "credential_place_not_allowed",
    title: "The API key is not accepted in this header here",
    detail: "This route takes the API key in another header than the one it came in. See the documentation of the API for which.",
    challenge: "invalid_token",
  },
  excluded_permission: {
    status: 403,
    code: "excluded_permission",
    title: "Permission not wanted here",
    detail: "The API key may do something that keys on this route must not be able to do; see excluded_permissions. Use a narrower key.",
  },
  route_network_not_allowed: {
    status: 403,
    code: "route_network_not_allowed",
    title: "Network not allowed",
    detail: "This route cannot be used from this network address, with any API key. Call from one of the networks it is open to.",
  },
  origin_not_allowed: {
    status: 403,
    code: "origin_not_allowed",
    title: "Origin not allowed",
    detail: "Web pages of this origin may not call this route. Call it from a server, or have the origin added to the route.",
  },
};
