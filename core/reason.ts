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
  // Limits
  | "rate_limited"
  | "quota_exceeded"
  | "concurrency_exceeded"
  | "limiter_unreachable"
  // The way to the upstream
  | "request_loop"
  | "request_too_large"
  | "upstream_invalid"
  | "upstream_misconfigured"
  | "upstream_response_too_large"
  | "upstream_timeout"
  // What a route says besides permissions
  | "credential_place_not_allowed"
  | "excluded_permission"
  | "route_network_not_allowed"
  | "origin_not_allowed"
  // The gateway's own endpoints
  | "method_not_allowed";

/** What a reason looks like from outside. */
export interface Told {
  readonly status: 400 | 401 | 403 | 404 | 405 | 413 | 429 | 500 | 502 | 503 | 504 | 508;
  /** Stable, for programs. */
  readonly code: string;
  readonly title: string;
  /** What the caller can do about it. */
  readonly detail: string;
  /** The problem's type (RFC 9457) where there is a registered one. */
  readonly type?: string;
  /** RFC 6750 section 3.1 error code for WWW-Authenticate; "" is the bare challenge to a request without a credential. */
  readonly challenge?: "" | "invalid_request" | "invalid_token" | "insufficient_scope";
  /** Error type of RFC 9209 section 2.3 for Proxy-Status, where the status does not say it. */
  readonly proxyError?: ProxyError;
  /** On 405: the methods there are (RFC 9110 section 10.2.1). */
  readonly allow?: string;
}

/** Error types of RFC 9209 section 2.3 that the gateway gives. */
export type ProxyError =
  | "connection_terminated"
  | "http_protocol_error"
  | "http_request_denied"
  | "http_request_error"
  | "http_response_body_size"
  | "http_response_timeout"
  | "proxy_configuration_error"
  | "proxy_internal_error"
  | "proxy_loop_detected";

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

/** Registered by draft-ietf-httpapi-ratelimit-headers-11, section 5.1. */
const QUOTA_EXCEEDED = "https://iana.org/assignments/http-problem-types#quota-exceeded";

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
    detail: "The gateway accepted the request but got no answer that it could read from the service behind it. Try again later.",
    proxyError: "connection_terminated",
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
  rate_limited: {
    status: 429,
    code: "rate_limited",
    title: "Too many requests",
    detail: "A limit on how often requests may come is reached; see violated-policies. Try again after the seconds in Retry-After.",
    type: QUOTA_EXCEEDED,
  },
  quota_exceeded: {
    status: 429,
    code: "quota_exceeded",
    title: "Quota used up",
    detail:
      "What may be used in this day or month is used up; see violated-policies. Try again after the seconds in Retry-After, or have the limit raised.",
    type: QUOTA_EXCEEDED,
  },
  concurrency_exceeded: {
    status: 429,
    code: "concurrency_exceeded",
    title: "Too many requests at a time",
    detail: "As many requests as may be under way at a time are; see violated-policies. Try again when one of them has ended.",
    type: QUOTA_EXCEEDED,
  },
  limiter_unreachable: {
    status: 503,
    code: "limiter_unreachable",
    title: "Cannot count now",
    detail: "Whether a limit is reached cannot be established at the moment, so the request was not let through. Try again shortly.",
  },
  request_loop: {
    status: 508,
    code: "request_loop",
    title: "Loop detected",
    detail: "The request has been through this gateway before: an upstream leads back to it. Tell who runs the gateway.",
    proxyError: "proxy_loop_detected",
  },
  request_too_large: {
    status: 413,
    code: "request_too_large",
    title: "Request body too large",
    detail: "The body of the request is larger than this route takes. Send less at once.",
  },
  upstream_invalid: {
    status: 502,
    code: "upstream_invalid",
    title: "Invalid answer",
    detail: "The gateway accepted the request, but what the service behind it answered is no final answer in HTTP. Try again later.",
    proxyError: "http_protocol_error",
  },
  upstream_misconfigured: {
    status: 500,
    code: "upstream_misconfigured",
    title: "Upstream not set up",
    detail: "The route leads to a service that this gateway is not bound to. Tell who runs the gateway.",
    proxyError: "proxy_configuration_error",
  },
  upstream_response_too_large: {
    status: 502,
    code: "upstream_response_too_large",
    title: "Answer too large",
    detail: "The answer of the service behind the gateway is larger than this route may give. Ask for less at once.",
    proxyError: "http_response_body_size",
  },
  upstream_timeout: {
    status: 504,
    code: "upstream_timeout",
    title: "Upstream timed out",
    detail: "The gateway accepted the request, but the service behind it did not answer in time. It may have acted on it all the same.",
    proxyError: "http_response_timeout",
  },
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
  method_not_allowed: {
    status: 405,
    code: "method_not_allowed",
    title: "Method not allowed",
    detail: "What the gateway says of itself can only be read. Use GET or HEAD.",
    allow: "GET, HEAD",
  },
};
