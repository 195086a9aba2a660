/**
 * The URL of an export carries a token that is good for that export alone, for ten minutes at most, and for no longer than who asked for it may read
 * the log: a JWT (RFC 7519) that the control plane signs and verifies itself (HS256). Whoever has the URL needs nothing else.
 */
import { jwtVerify, SignJWT } from "jose";
import { z } from "zod";
import type { Actor } from "../ledger/command.ts";

const LIFETIME_MS = 10 * 60 * 1000;
const ALGORITHM = "HS256";
const TYPE = "audit-log-export+jwt";
const ISSUER = "portcullis";
const AUDIENCE = "portcullis-audit-log-exports";

/** What a token says. */
export interface ExportGrant {
  readonly exportId: string;
  /** Who asked for it. */
  readonly issuedBy: Pick<Actor, "type" | "id">;
}

const claimsSchema = z.object({ sub: z.string(), act: z.object({ type: z.enum(["api_key", "user"]), id: z.string() }) });

/** Makes a token, good for ten minutes, or until `endsByMs` if that is sooner. */
export async function signExportToken(
  { exportId, issuedBy }: ExportGrant,
  key: Uint8Array,
  { nowMs, endsByMs = Infinity }: { readonly nowMs: number; readonly endsByMs?: number | undefined },
): Promise<string> {
  return new SignJWT({ act: { type: issuedBy.type, id: issuedBy.id } })
    .setProtectedHeader({ alg: ALGORITHM, typ: TYPE })
    .setIssuer(ISSUER)
    .setAudience(AUDIENCE)
    .setSubject(exportId)
    .setIssuedAt(Math.floor(nowMs / 1000))
    .setExpirationTime(Math.floor(Math.min(nowMs + LIFETIME_MS, endsByMs) / 1000))
    .sign(key);
}

/** What a token says, or undefined for one that is not ours, has been changed, or has expired. */
export async function readExportToken(token: string, key: Uint8Array, nowMs: number): Promise<ExportGrant | undefined> {
  try {
    const { payload } = await jwtVerify(token, key, {
      algorithms: [ALGORITHM],
      typ: TYPE,
      issuer: ISSUER,
      audience: AUDIENCE,
      requiredClaims: ["exp", "iat", "sub"],
      currentDate: new Date(nowMs),
    });
    const { sub, act } = claimsSchema.parse(payload);
    return { exportId: sub, issuedBy: act };
  } catch {
    return undefined;
  }
}
