/**
 * Admins who sign in with the operator's identity provider send its JWT as a bearer token: an access token (RFC 9068) or an ID token
 * (OpenID Connect Core). Whatever is not signed by its keys, meant for us, and of the right time is refused.
 */
import { errors, jwtVerify, type JWTPayload } from "jose";
import type { Actor } from "../ledger/command.ts";
import { KeySet, KeysUnavailableError, type KeySetPorts } from "./key-set.ts";
import { permissionsOf, rolesOf } from "./roles.ts";
import type { IdentityProviderConfiguration } from "./settings.ts";

/** Who signed in. The permissions are those of the roles that the provider vouches for; perhaps none. */
export interface SignedIn {
  readonly actor: Actor;
  readonly permissions: readonly string[];
}

/** Why a token is not believed: jose's code, or ours. For the log only. */
export class SignInRefusedError extends Error {
  readonly code: string;
  constructor(code: string) {
    super(code);
    this.code = code;
  }
}

/** A token is not believed for longer than this after it was issued, in seconds, whatever its `exp`: nothing can take it back. */
const TOKEN_AGE_MAX_S = 24 * 60 * 60;
/** Types of tokens that say who is calling. Others of the same issuer (logout tokens, say) are not taken for them (RFC 8725 section 3.11). */
const TYPES: ReadonlySet<string | undefined> = new Set([undefined, "jwt", "at+jwt", "application/at+jwt"]);
/** OpenID Connect Core section 2: at most 255 ASCII characters. */
const SUBJECT = /^[\x20-\x7e]{1,255}$/;

/** The operator's identity provider. One for each isolate. */
export class IdentityProvider {
  readonly #configuration: IdentityProviderConfiguration;
  readonly #keys: KeySet;
  readonly #now: () => number;

  constructor(configuration: IdentityProviderConfiguration, ports: KeySetPorts) {
    this.#configuration = configuration;
    this.#keys = new KeySet(configuration.jwksUrl, ports);
    this.#now = ports.now;
  }

  /** Who sent a token. Rejects with a {@link SignInRefusedError}, or with a {@link KeysUnavailableError} while that cannot be told. */
  async signIn(token: string): Promise<SignedIn> {
    const payload = await this.#verified(token);
    const { issuer } = this.#configuration;
    if (payload.sub === undefined || !SUBJECT.test(payload.sub)) throw new SignInRefusedError("subject_not_usable");
    const permissions = permissionsOf(payload, this.#configuration);
    const admins = [rolesOf(payload, this.#configuration)];
    // An issuer has no `#`, so no two subjects of any two issuers have the same id.
    const actor = { type: "user", id: `${issuer}#${payload.sub}`, permissions, admins, signed_in_until_ms: endOf(payload) } as const;
    return { actor, permissions };
  }

  async #verified(token: string): Promise<JWTPayload> {
    const { issuer, audience, algorithms, clockToleranceSeconds } = this.#configuration;
    try {
      const { payload, protectedHeader } = await jwtVerify(token, this.#keys.find, {
        issuer,
        audience,
        algorithms: [...algorithms],
        clockTolerance: clockToleranceSeconds,
        maxTokenAge: TOKEN_AGE_MAX_S,
        requiredClaims: ["exp", "iat", "sub"],
        currentDate: new Date(this.#now()),
      });
      if (!TYPES.has(protectedHeader.typ?.toLowerCase())) throw new SignInRefusedError("type_not_accepted");
      return payload;
    } catch (error) {
      if (error instanceof SignInRefusedError || error instanceof KeysUnavailableError) throw error;
      throw new SignInRefusedError(error instanceof errors.JOSEError ? error.code : "malformed_token");
    }
  }
}

/** When a token is believed no longer, in ms since the epoch. */
function endOf({ exp = 0, iat = 0 }: JWTPayload): number {
  return Math.min(exp, iat + TOKEN_AGE_MAX_S) * 1000;
}
