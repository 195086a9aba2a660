/** The keys that sign what the gateway says to upstreams: private ones in a secret, their public halves for everybody. */
import { z } from "zod";
import { ASSERTION_ALGORITHM, KEY_SET_MAX_AGE_S } from "../core/assertion.ts";

/** A P-256 coordinate or scalar: 32 bytes in base64url. */
const p256Member = z.string().regex(/^[A-Za-z0-9_-]{43}$/);
const privateKey = z.object({
  kty: z.literal("EC"),
  crv: z.literal("P-256"),
  kid: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/),
  x: p256Member,
  y: p256Member,
  d: p256Member,
});
const privateKeySet = z.object({ keys: z.tuple([privateKey], privateKey) });

/** A private key as a JWK (RFC 7517), for ES256 (RFC 7518 section 3.4). */
export type AssertionKey = z.infer<typeof privateKey>;

/** The first one signs; all are published, so that one can be put in before it signs, and taken out when nothing it signed is good any more. */
export type AssertionKeys = z.infer<typeof privateKeySet>["keys"];

const WANTED = "must be a JWK set in JSON: one or more private EC keys on P-256, each with a kid of its own; the first one signs";

/** The setting ASSERTION_KEYS: a JWK set of private keys as JSON text. No message repeats any of it. */
export const assertionKeysSetting = z
  .string({ error: "is required (a secret: a JWK set of private P-256 keys)" })
  .transform((text, context) => {
    const read = privateKeySet.safeParse(jsonOf(text));
    if (read.success && new Set(read.data.keys.map(({ kid }) => kid)).size === read.data.keys.length) return read.data.keys;
    context.addIssue({ code: "custom", message: WANTED });
    return z.NEVER;
  });

/** The public halves: a JWK set (RFC 7517 section 5). */
export function publicKeySet(keys: AssertionKeys) {
  return { keys: keys.map(({ d: _private, ...half }) => ({ ...half, alg: ASSERTION_ALGORITHM, use: "sig" })) };
}

/** `GET` `KEY_SET_PATH`, for everybody: 200 the JWK set. */
export function keySetResponse(keys: AssertionKeys): Response {
  const headers = { "Content-Type": "application/jwk-set+json", "Cache-Control": `public, max-age=${KEY_SET_MAX_AGE_S}` };
  return Response.json(publicKeySet(keys), { headers });
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
