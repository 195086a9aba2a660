/** Behind the gateway: its signed assertion is verified here, asking nobody but, once in a while, for the gateway's public keys. */
import { createLocalJWKSet, createRemoteJWKSet, customFetch, errors, jwtVerify, type JSONWebKeySet, type JWTVerifyGetKey } from "jose";
import {
  ASSERTION_ALGORITHM,
  ASSERTION_HEADER,
  ASSERTION_ISSUER,
  ASSERTION_TYPE,
  KEY_SET_MAX_AGE_S,
  KEY_SET_PATH,
} from "../core/assertion.ts";
import { authenticatorOf, type Authenticator, type ObservedOptions } from "./authenticator.ts";
import { ConfigurationError, durationOf, originOf } from "./configuration.ts";
import { principalOfClaims } from "./principal.ts";
import { refusalFor } from "./reason.ts";

/** Where the gateway's public keys come from. */
export type GatewayKeys =
  /** Origin of the gateway, as in `https://gateway.example.com`: it publishes them, and they follow its rotations. */
  | { readonly gateway: string | URL; readonly keySet?: never }
  /** The key set itself (RFC 7517 section 5), for an API that cannot reach the gateway; you rotate it. */
  | { readonly keySet: JSONWebKeySet; readonly gateway?: never };

/** How assertions are verified. */
export type GatewayOptions = GatewayKeys &
  ObservedOptions & {
    /** Origin of this API as it is written in the routes' `upstream`, or all of them. What the gateway said to another API is not believed. */
    readonly audience: string | readonly [string, ...string[]];
    /** Seconds by which this machine's clock and the gateway's may differ, 0 to 60; 5 without it. */
    readonly clockToleranceS?: number;
  };

const CLOCK_TOLERANCE_S = 5;
const CLOCK_TOLERANCE_MAX_S = 60;
/** Whoever makes up key ids causes one question to the gateway in so many milliseconds. A key that signs before it was published works after as many. */
const COOLDOWN_MS = 5_000;
const TIMEOUT_MS = 3_000;

/** The gateway's keys could not be fetched. */
class KeySetUnreachableError extends Error {
  override readonly name = "KeySetUnreachableError";
  readonly code = "key_set_unreachable";
}

/** Believes what the gateway signed for this API, and nothing else. Throws {@link ConfigurationError}. */
export function createGatewayAuthenticator(options: GatewayOptions): Authenticator {
  const keys = keysOf(options);
  const expected = {
    algorithms: [ASSERTION_ALGORITHM],
    typ: ASSERTION_TYPE,
    issuer: ASSERTION_ISSUER,
    audience: audiencesOf(options.audience),
    clockTolerance: durationOf("clockToleranceS", options.clockToleranceS ?? CLOCK_TOLERANCE_S, CLOCK_TOLERANCE_MAX_S),
    requiredClaims: ["iat", "exp"],
  };
  return authenticatorOf(options, async ({ headers }) => {
    const assertion = headers.get(ASSERTION_HEADER);
    if (assertion === null) return refusalFor("missing_assertion");
    try {
      const { payload } = await jwtVerify(assertion, keys, expected);
      return principalOfClaims(payload) ?? refusalFor("invalid_assertion", { cause: new Error("claims are missing") });
    } catch (cause) {
      if (cause instanceof KeySetUnreachableError) return refusalFor("key_set_unreachable", { cause });
      if (cause instanceof errors.JOSEError) return refusalFor("invalid_assertion", { cause });
      throw cause;
    }
  });
}

function keysOf({ gateway, keySet }: GatewayKeys): JWTVerifyGetKey {
  return gateway === undefined ? createLocalJWKSet(keySet) : publishedKeys(originOf("gateway", gateway));
}

/** Kept for as long as the gateway allows, and asked for anew for a key id that is not among them. */
function publishedKeys(gateway: URL): JWTVerifyGetKey {
  const keys = createRemoteJWKSet(new URL(KEY_SET_PATH, gateway), {
    cacheMaxAge: KEY_SET_MAX_AGE_S * 1_000,
    cooldownDuration: COOLDOWN_MS,
    timeoutDuration: TIMEOUT_MS,
    // Next.js may put a cache of its own under `fetch`.
    [customFetch]: (url, init) => fetch(url, { ...init, cache: "no-store" }),
  });
  return async (header, token) => {
    try {
      return await keys(header, token);
    } catch (cause) {
      if (cause instanceof errors.JWKSNoMatchingKey || cause instanceof errors.JWKSMultipleMatchingKeys) throw cause;
      throw new KeySetUnreachableError("The gateway's key set cannot be fetched.", { cause });
    }
  };
}

/** An audience that the gateway never writes would refuse everybody. */
function audiencesOf(audience: GatewayOptions["audience"]): string[] {
  const audiences = typeof audience === "string" ? [audience] : [...audience];
  if (audiences.length > 0 && audiences.every((one) => URL.parse(one)?.origin === one)) return audiences;
  throw new ConfigurationError("audience must be the origin of your API in the routes' upstream, as in https://api.internal.example.com");
}
