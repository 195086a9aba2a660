/** Which headers do not pass a proxy, as data. */

/** Removed from requests: hop-by-hop fields (RFC 9110 section 7.6.1), credentials meant for proxies, `Expect` (its interim answer would be taken for the final one), and forwarding fields that only we may state. */
export const REQUEST_HEADERS_REMOVED = [
  "connection",
  "keep-alive",
  "proxy-connection",
  "proxy-authenticate",
  "proxy-authorization",
  "te",
  "trailer",
  "transfer-encoding",
  "expect",
  "x-api-key",
  "forwarded",
  "x-forwarded-for",
  "x-forwarded-host",
  "x-forwarded-proto",
  "x-real-ip",
  "host",
] as const;

/** Headers that state who is calling; whatever a client sends under this prefix is removed. */
export const IDENTITY_HEADER_PREFIX = "portcullis-";

/** Removed from responses. */
export const RESPONSE_HEADERS_REMOVED = ["connection", "keep-alive", "proxy-connection", "transfer-encoding", "trailer"] as const;

/** How the gateway names itself in `Via`. */
export const VIA = "1.1 portcullis";
