/**
 * Idempotency-Key: the same key from the same caller is the same command. The token in a remembered reply is sealed
 * (JWE, RFC 7516, `dir` with A256GCM) under a key derived from the caller's Idempotency-Key, which is kept nowhere: the
 * stored reply opens only for who repeats the request.
 */
import { CompactEncrypt, compactDecrypt } from "jose";
import { ApiError, invalid } from "./api-error.ts";
import { hmacSha256, sha256Hex } from "../../core/digest.ts";

/** How a request is recognised when it comes again. */
export interface Repetition {
  readonly commandId: string;
  readonly fingerprint: string;
  /** Encrypts the secret part of the reply; null where no Idempotency-Key was sent, for then nobody can ask again. */
  readonly seal: ((secret: string) => Promise<string>) | null;
  readonly open: (sealed: string) => Promise<string>;
}

/** Reads the Idempotency-Key of a request (1 to 255 visible ASCII characters, else 422). It is looked for within one caller, method and path. */
export function repetitionOf(request: Request, callerId: string, bodyText: string, sealKey: Uint8Array): Repetition {
  const header = request.headers.get("idempotency-key");
  const { pathname } = new URL(request.url);
  const fingerprint = sha256Hex(bodyText);
  if (header !== null && !/^[\x21-\x7e]{1,255}$/.test(header))
    throw invalid([{ code: "invalid", field: "Idempotency-Key", message: "must be 1 to 255 visible ASCII characters" }]);
  const scoped = JSON.stringify([callerId, request.method, pathname, header ?? crypto.randomUUID()]);
  const key = hmacSha256(sealKey, scoped);
  const seal = (secret: string) =>
    new CompactEncrypt(new TextEncoder().encode(secret)).setProtectedHeader({ alg: "dir", enc: "A256GCM" }).encrypt(key);
  const open = async (sealed: string) => {
    try {
      return new TextDecoder().decode((await compactDecrypt(sealed, key)).plaintext);
    } catch {
      throw new ApiError(
        "reply_unavailable",
        "The answer to this Idempotency-Key was sealed under another REPLY_SEAL_KEY and cannot be given again.",
      );
    }
  };
  return { commandId: sha256Hex(scoped), fingerprint, seal: header === null ? null : seal, open };
}
