/**
 * Tokens of widgets: JWTs that the operator's server asks for and the widget in the customer's browser sends. The control plane signs
 * and verifies them itself (HS256); nobody else has to.
 *
 * The widget reads the payload with plain `atob`, which fails on `-` and `_`. Those come of the characters `>`, `?`, `~` and DEL, and of
 * what is not ASCII, so claims have none of them.
 */
import { jwtVerify, SignJWT } from "jose";
import { z } from "zod";
import type { Actor } from "./ledger/command.ts";

/** How long a token is good, in ms. */
const LIFETIME_MS = 60 * 60 * 1000;
const ALGORITHM = "HS256";
const TYPE = "widget+jwt";
const ISSUER = "portcullis";
const AUDIENCE = "portcullis-widgets";

/** What a token says. Without an organization it opens nothing. */
export interface WidgetGrant {
  readonly organizationId: string | null;
  readonly userId: string | null;
  readonly permissions: readonly string[];
  /** Who asked for it. */
  readonly issuedBy: Pick<Actor, "type" | "id">;
}

const claimsSchema = z.object({
  sub: z.string().optional(),
  org_id: z.string().optional(),
  permissions: z.array(z.string()),
  act: z.object({ type: z.enum(["api_key", "user"]), id: z.string() }),
});

/** Makes a token, good for an hour, or until `endsByMs` if that is sooner. */
export async function signWidgetToken(
  grant: WidgetGrant,
  key: Uint8Array,
  { nowMs, endsByMs = Infinity }: { readonly nowMs: number; readonly endsByMs?: number | undefined },
): Promise<string> {
  const { organizationId, userId, permissions, issuedBy } = grant;
  const claims = {
    permissions,
    ...(organizationId !== null && { org_id: organizationId }),
    act: { type: issuedBy.type, id: Buffer.from(issuedBy.id).toString("hex") },
  };
  const token = new SignJWT(claims)
    .setProtectedHeader({ alg: ALGORITHM, typ: TYPE })
    .setIssuer(ISSUER)
    .setAudience(AUDIENCE)
    .setJti(crypto.randomUUID())
    .setIssuedAt(Math.floor(nowMs / 1000))
    .setExpirationTime(Math.floor(Math.min(nowMs + LIFETIME_MS, endsByMs) / 1000));
  return (userId === null ? token : token.setSubject(userId)).sign(key);
}

/** What a token says, or undefined for one that is not ours, has been changed, or has expired. */
export async function readWidgetToken(token: string, key: Uint8Array, nowMs: number): Promise<WidgetGrant | undefined> {
  try {
    const { payload } = await jwtVerify(token, key, {
      algorithms: [ALGORITHM],
      typ: TYPE,
      issuer: ISSUER,
      audience: AUDIENCE,
      requiredClaims: ["exp", "iat"],
      currentDate: new Date(nowMs),
    });
    const { sub, org_id, permissions, act } = claimsSchema.parse(payload);
    const issuedBy = { type: act.type, id: Buffer.from(act.id, "hex").toString() };
    return { organizationId: org_id ?? null, userId: sub ?? null, permissions, issuedBy };
  } catch {
    return undefined;
  }
}
