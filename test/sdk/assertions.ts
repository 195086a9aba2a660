/** Assertions as an attacker would like to make them, and as the gateway makes them. */
import { importJWK, SignJWT, type JWTPayload } from "jose";
import { assertionKeysSetting, type AssertionKey } from "../../worker/assertion-keys.ts";

/** The key that signs, out of the secret ASSERTION_KEYS. */
export function signingKeyOf(secret: string | undefined): AssertionKey {
  const [key] = assertionKeysSetting.parse(secret);
  return key;
}

/** What the gateway says to the app at an origin. */
export function claimsFor(audience: string): JWTPayload {
  return {
    iss: "portcullis",
    aud: audience,
    sub: "org_01",
    organization_id: "org_01",
    key_id: "api_key_01",
    environment: "live",
    permissions: ["orders:*"],
    route: "everything",
  };
}

/** Signs claims that are good for `lifetimeS` seconds from now; null: for ever. */
export async function signed(
  key: AssertionKey,
  claims: JWTPayload,
  { lifetimeS = 60, ...header }: { readonly lifetimeS?: number | null; readonly typ?: string; readonly kid?: string } = {},
): Promise<string> {
  const nowS = Math.floor(Date.now() / 1_000);
  const jwt = new SignJWT(claims)
    .setProtectedHeader({ alg: "ES256", typ: "portcullis-assertion+jwt", kid: key.kid, ...header })
    .setIssuedAt(nowS);
  if (lifetimeS !== null) jwt.setExpirationTime(nowS + lifetimeS);
  return jwt.sign(await importJWK({ ...key, alg: "ES256" }));
}

/** A JWT put together by hand, for what no library signs. */
export function handMade(header: object, claims: JWTPayload, signature = ""): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${part(header)}.${part(claims)}.${signature}`;
}
