/**
 * Secrets of webhook endpoints at rest: sealed (JWE, RFC 7516, `dir` with A256GCM) under a key made from REPLY_SEAL_KEY, so that who
 * holds the ledger's database cannot sign. Bound to the endpoint's id.
 */
import { CompactEncrypt, compactDecrypt } from "jose";
import type { RandomBytes } from "../../core/base62.ts";
import { hmacSha256 } from "../../core/digest.ts";
import { webhookSecret } from "../../core/webhook/signature.ts";

const SECRET_BYTES = 32;

/** Makes a fresh secret, `whsec_…`. */
export function mintWebhookSecret(randomBytes: RandomBytes): string {
  return webhookSecret(randomBytes(new Uint8Array(SECRET_BYTES)), (bytes) => Buffer.from(bytes).toString("base64"));
}

/** Seals an endpoint's secret. */
export async function sealWebhookSecret(sealKey: Uint8Array, endpointId: string, secret: string): Promise<string> {
  return new CompactEncrypt(new TextEncoder().encode(secret))
    .setProtectedHeader({ alg: "dir", enc: "A256GCM" })
    .encrypt(keyOf(sealKey, endpointId));
}

/** The secret, or null when it was sealed under another REPLY_SEAL_KEY. */
export async function openWebhookSecret(sealKey: Uint8Array, endpointId: string, sealed: string): Promise<string | null> {
  try {
    return new TextDecoder().decode((await compactDecrypt(sealed, keyOf(sealKey, endpointId))).plaintext);
  } catch {
    return null;
  }
}

function keyOf(sealKey: Uint8Array, endpointId: string): Uint8Array {
  return hmacSha256(sealKey, `webhook-secret ${endpointId}`);
}
