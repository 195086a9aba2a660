/** Who calls the control plane: the holder of a live key of the platform organization, and what that key may do. */
import { accept } from "../../core/authorize.ts";
import { equalInConstantTime } from "../../core/constant-time.ts";
import { hmacSha256, sha256Hex } from "../../core/digest.ts";
import { PLATFORM_ORGANIZATION_ID } from "../../core/identifier.ts";
import { coversAny } from "../../core/permission.ts";
import { parseToken } from "../../core/token.ts";
import type { Actor } from "../ledger/command.ts";
import { DeniedError, unauthorized } from "./api-error.ts";
import type { Access, Services } from "./endpoint.ts";

/** An admitted caller. */
export interface Caller {
  /** In whose name entries are made. */
  readonly actor: Actor;
  readonly permissions: readonly string[];
}

/** Establishes who calls what has this access; 401 for whoever is nobody. */
export async function identify(services: Services, access: Access, request: Request): Promise<Caller> {
  if (access === "public") return { actor: { type: "system", id: "anyone" }, permissions: [] };
  if (access === "bootstrap_secret") return knowingBootstrapSecret(services, request);
  return authenticate(services, request);
}

/** 403 unless the caller holds the permission, where the access is one. */
export function requireAccess(access: Access, caller: Caller): void {
  if (access === "public" || access === "bootstrap_secret" || access === "any_platform_key" || coversAny(caller.permissions, access))
    return;
  const message = `This call needs the permission '${access}', which your key does not have.`;
  throw new DeniedError(caller.actor, "request.denied", "insufficient_permissions", message, { missing_permissions: [access] });
}

/** The bearer token of a request, or undefined (RFC 6750 section 2.1; the scheme in any case). */
function bearerOf(request: Request): string | undefined {
  return /^bearer +(\S+)$/i.exec(request.headers.get("authorization")?.trim() ?? "")?.[1];
}

/** Establishes the caller by asking the ledger itself, every time. 401 for everyone else, without saying why. */
async function authenticate({ configuration, cells, now }: Services, request: Request): Promise<Caller> {
  const text = bearerOf(request);
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
  return { actor: { type: "api_key", id: record.key_id }, permissions: record.permissions };
}

function knowingBootstrapSecret({ configuration }: Services, request: Request): Caller {
  if (!equalInConstantTime(bearerOf(request) ?? "", configuration.bootstrapSecret)) throw unauthorized();
  return { actor: { type: "system", id: "bootstrap" }, permissions: [] };
}
