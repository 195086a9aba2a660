/**
 * Who calls the control plane, and what they may do: the holder of a live key of the platform organization, an admin who signed in with
 * the operator's identity provider, or a widget.
 */
import { accept } from "../../core/authorize.ts";
import { equalInConstantTime } from "../../core/constant-time.ts";
import { hmacSha256, sha256Hex } from "../../core/digest.ts";
import { PLATFORM_ORGANIZATION_ID } from "../../core/identifier.ts";
import { coversAny } from "../../core/permission.ts";
import { parseToken } from "../../core/token.ts";
import { isServedScope, opens } from "../../core/widget.ts";
import type { Actor } from "../ledger/command.ts";
import { KeysUnavailableError } from "../sign-in/key-set.ts";
import { SignInRefusedError, type IdentityProvider } from "../sign-in/identity-provider.ts";
import { ApiError, DeniedError, unauthorized } from "./api-error.ts";
import type { Access, Services } from "./endpoint.ts";
import { throughSignedUrl } from "./signed-export-url.ts";
import { throughWidget } from "./widget-caller.ts";

/** An admitted caller. */
export interface Caller {
  /** In whose name entries are made. */
  readonly actor: Actor;
  readonly permissions: readonly string[];
  /** The export that a signed URL is of. */
  readonly exportId?: string;
  /** The secret that a platform key was presented with, and its cell. */
  readonly secret?: { readonly tokenId: string; readonly cell: number };
}

/** Establishes who calls what has this access; 401 for whoever is nobody. */
export async function identify(services: Services, access: Access, request: Request): Promise<Caller> {
  if (access === "signed_url") return throughSignedUrl(services, request);
  if (access === "public") return { actor: { type: "system", id: "anyone" }, permissions: [] };
  if (access === "bootstrap_secret") return knowingBootstrapSecret(services, bearerOf(request));
  if (isServedScope(access)) return throughWidget(services, access, bearerOf(request));
  return authenticate(services, request);
}

/** 403 unless the caller holds the permission or the scope, where the access is one. */
export function requireAccess(access: Access, { actor, permissions }: Caller): void {
  if (access === "public" || access === "signed_url" || access === "bootstrap_secret" || access === "any_platform_key") return;
  if (isServedScope(access) ? opens(permissions, access) : coversAny(permissions, access)) return;
  const message = `This call needs the permission '${access}', which you do not have.`;
  throw new DeniedError(actor, "request.denied", "insufficient_permissions", message, { missing_permissions: [access] });
}

/**
 * Names a caller among all others, for Idempotency-Keys and rate limits. What comes through widgets of different organizations has
 * nothing to do with each other, though the same key may have asked for their tokens.
 */
export function nameOfCaller({ type, id, self_serve }: Actor): string {
  return self_serve ? `${type} ${id} in ${self_serve.organization_id}` : `${type} ${id}`;
}

/** Longer than any token that is taken. */
const BEARER_LENGTH_MAX = 8192;

/** The bearer token of a request, or undefined (RFC 6750 section 2.1; the scheme in any case). */
function bearerOf(request: Request): string | undefined {
  const text = /^bearer +(\S+)$/i.exec(request.headers.get("authorization")?.trim() ?? "")?.[1];
  return text !== undefined && text.length <= BEARER_LENGTH_MAX ? text : undefined;
}

/** Establishes the caller; 401 for everyone else, without saying why. A key has no dot, and a JWT has two. */
async function authenticate(services: Services, request: Request): Promise<Caller> {
  const { identityProvider } = services;
  const bearer = bearerOf(request);
  return identityProvider && bearer?.includes(".") ? signedIn(identityProvider, bearer) : holdingKey(services, bearer, request);
}

/** An admin of the identity provider. Whose roles allow nothing here is refused everywhere. */
async function signedIn(identityProvider: IdentityProvider, jwt: string): Promise<Caller> {
  try {
    const caller = await identityProvider.signIn(jwt);
    if (caller.permissions.length > 0) return caller;
  } catch (error) {
    if (error instanceof KeysUnavailableError) {
      console.log(JSON.stringify({ event: "identity_provider_unreachable", reason: error.message }));
      throw new ApiError("identity_provider_unreachable", "The keys of your identity provider could not be fetched. Try again.");
    }
    if (!(error instanceof SignInRefusedError)) throw error;
    console.log(JSON.stringify({ event: "sign_in_refused", reason: error.code }));
    throw unauthorized();
  }
  throw new ApiError("insufficient_permissions", "Your identity provider gives you no role that allows anything here.");
}

/** The holder of a platform key, by asking the ledger itself, every time. */
async function holdingKey({ configuration, cells, now }: Services, text: string | undefined, request: Request): Promise<Caller> {
  const token = text === undefined ? "malformed_token" : parseToken(text, configuration.tokenPrefix, configuration.tagKeys, hmacSha256);
  if (
    text === undefined ||
    typeof token === "string" ||
    token.cell >= cells.count ||
    !configuration.acceptedEnvironments.has(token.environment)
  )
    throw unauthorized();
  const nowMs = now();
  const resolution = await cells.ledger(token.cell).resolve(token.tokenId);
  if (!resolution.found) throw unauthorized();
  // The platform puts its own word over whatever the client sent in this header.
  const presented = { sha256: sha256Hex(text), clientAddress: () => request.headers.get("cf-connecting-ip") };
  const acceptance = accept(resolution.record, presented, nowMs);
  if (!acceptance.accepted) throw unauthorized();
  const { record } = acceptance;
  if (record.owner.type !== "organization" || record.owner.id !== PLATFORM_ORGANIZATION_ID) throw unauthorized();
  return {
    actor: { type: "api_key", id: record.key_id },
    permissions: record.permissions,
    secret: { tokenId: token.tokenId, cell: token.cell },
  };
}

function knowingBootstrapSecret({ configuration }: Services, bearer: string | undefined): Caller {
  if (!equalInConstantTime(bearer ?? "", configuration.bootstrapSecret)) throw unauthorized();
  return { actor: { type: "system", id: "bootstrap" }, permissions: [] };
}
