/** Who calls the control plane: the holder of a live key of the platform organization, and what that key may do. */
import { equalInConstantTime } from "../../core/constant-time.ts";
import { PLATFORM_ORGANIZATION_ID } from "../../core/identifier.ts";
import { coversAny, type PlatformPermission } from "../../core/permission.ts";
import { parseToken } from "../../core/token.ts";
import type { Cells } from "../cells.ts";
import type { ControlPlaneConfiguration } from "../configuration.ts";
import { hmacSha256, sha256Hex } from "../../core/digest.ts";
import { ApiError } from "./api-error.ts";

/** An authenticated caller. */
export interface Caller {
  /** Id of the key that was presented. */
  readonly keyId: string;
  readonly permissions: readonly string[];
}

/** The bearer token of a request, or undefined (RFC 6750 section 2.1; the scheme in any case). */
export function bearerOf(request: Request): string | undefined {
  return /^bearer +(\S+)$/i.exec(request.headers.get("authorization")?.trim() ?? "")?.[1];
}

/** Establishes the caller by asking the ledger itself, every time. 401 for everyone else, without saying why. */
export async function authenticate(
  request: Request,
  configuration: ControlPlaneConfiguration,
  cells: Cells,
  nowMs: number,
): Promise<Caller> {
  const text = bearerOf(request);
  const token = text === undefined ? "malformed_token" : parseToken(text, configuration.tokenPrefix, configuration.tagKeys, hmacSha256);
  if (
    text === undefined ||
    typeof token === "string" ||
    token.cell >= cells.count ||
    !configuration.acceptedEnvironments.has(token.environment)
  )
    throw unauthorized();
  const resolution = await cells.ledger(token.cell).resolve(token.tokenId);
  const record = resolution.found ? resolution.record : undefined;
  if (record?.state !== "active" || !equalInConstantTime(sha256Hex(text), record.sha256)) throw unauthorized();
  if (record.expires_at_ms !== null && record.expires_at_ms <= nowMs) throw unauthorized();
  if (record.owner.type !== "organization" || record.owner.id !== PLATFORM_ORGANIZATION_ID) throw unauthorized();
  return { keyId: record.key_id, permissions: record.permissions };
}

/** 403 unless the caller holds the permission. */
export function requirePermission(caller: Caller, permission: PlatformPermission): void {
  if (!coversAny(caller.permissions, permission))
    throw new ApiError(403, "insufficient_permissions", `This call needs the permission '${permission}', which your key does not have.`, {
      missing_permissions: [permission],
    });
}

/** The answer to whoever is nobody. */
export function unauthorized(): ApiError {
  return new ApiError(401, "unauthorized", "Unauthorized");
}
