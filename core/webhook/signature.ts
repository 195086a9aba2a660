/**
 * Signatures of a delivery, in both dialects, over the bytes of the body. The secret is `whsec_` and base64. Standard Webhooks keys the
 * HMAC with the decoded bytes and takes a list, one signature for each secret that is valid; WorkOS keys it with the whole
 * text of the secret, and its libraries read one signature only.
 *
 * While a secret is being replaced, `WorkOS-Signature` therefore stays with the old one, so that a receiver that has not heard of the new
 * one goes on working, and `WorkOS-Signature-Next` is by the new one.
 */

/** What signing needs from outside. */
export interface SigningPorts {
  readonly hmacSha256: (key: Uint8Array, message: string) => Uint8Array;
  readonly utf8: (text: string) => Uint8Array;
  readonly toBase64: (bytes: Uint8Array) => string;
  readonly fromBase64: (text: string) => Uint8Array;
  readonly toHex: (bytes: Uint8Array) => string;
}

/** A delivery to be signed at a moment. */
export interface Signable {
  /** The event's id; the same on every attempt. */
  readonly id: string;
  /** Of this attempt, ms since the epoch. */
  readonly atMs: number;
  readonly body: string;
}

/** The secrets of an endpoint. */
export interface SigningSecrets {
  readonly current: string;
  /** The one before, while it is still valid. */
  readonly previous: string | null;
}

const SECRET_PREFIX = "whsec_";

/** A secret of an endpoint, from 24 to 64 random bytes. */
export function webhookSecret(random: Uint8Array, toBase64: SigningPorts["toBase64"]): string {
  return SECRET_PREFIX + toBase64(random);
}

/** The headers that let a receiver know where a delivery comes from. */
export function signatureHeaders(signable: Signable, { current, previous }: SigningSecrets, ports: SigningPorts): Record<string, string> {
  const valid = previous === null ? [current] : [current, previous];
  return {
    "webhook-id": signable.id,
    "webhook-timestamp": String(Math.floor(signable.atMs / 1_000)),
    "webhook-signature": valid.map((secret) => standardSignature(signable, secret, ports)).join(" "),
    "WorkOS-Signature": workosSignature(signable, previous ?? current, ports),
    ...(previous !== null && { "WorkOS-Signature-Next": workosSignature(signable, current, ports) }),
  };
}

function standardSignature({ id, atMs, body }: Signable, secret: string, ports: SigningPorts): string {
  const key = ports.fromBase64(secret.slice(SECRET_PREFIX.length));
  return `v1,${ports.toBase64(ports.hmacSha256(key, `${id}.${Math.floor(atMs / 1_000)}.${body}`))}`;
}

/** The Python library splits at a comma and a space, exactly. */
function workosSignature({ atMs, body }: Signable, secret: string, ports: SigningPorts): string {
  return `t=${atMs}, v1=${ports.toHex(ports.hmacSha256(ports.utf8(secret), `${atMs}.${body}`))}`;
}
