/** What the gateway and those who verify its assertions agree on. */

/** Header of a request to an upstream, in lower case. */
export const ASSERTION_HEADER = "portcullis-assertion";
/** `typ` of its header (RFC 8725 section 3.11): not to be taken for a JWT of another kind. */
export const ASSERTION_TYPE = "portcullis-assertion+jwt";
/** `iss` of all of them. */
export const ASSERTION_ISSUER = "portcullis";
/** ECDSA on P-256 with SHA-256 (RFC 7518 section 3.4), and nothing else. */
export const ASSERTION_ALGORITHM = "ES256";
/** Path at which the gateway publishes what upstreams verify with; no route can have it. */
export const KEY_SET_PATH = "/.well-known/portcullis/jwks.json";
/** Seconds for which what is published there may be kept. */
export const KEY_SET_MAX_AGE_S = 300;
