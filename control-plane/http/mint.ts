/** Making a token and the id of its key. The token leaves in one answer and is kept nowhere. */
import { generateToken, obfuscateToken, type Environment } from "../../core/token.ts";
import { mintId } from "../../core/identifier.ts";
import type { MintedToken } from "../ledger/command.ts";
import { hmacSha256, sha256Hex } from "../../core/digest.ts";
import type { Services } from "./endpoint.ts";

/** A key about to be created in a cell. `token` is the secret. */
export function mintKey(
  services: Services,
  cell: number,
  environment: Environment,
): { readonly id: string; readonly token: string; readonly minted: MintedToken } {
  const { configuration, randomBytes, now } = services;
  const { token, tokenId } = generateToken({ prefix: configuration.tokenPrefix, environment, cell }, configuration.tagKeys, {
    randomBytes,
    hmacSha256,
  });
  const minted = { token_id: tokenId, sha256: sha256Hex(token), obfuscated_value: obfuscateToken(token), environment };
  return { id: mintId("api_key", now(), randomBytes, cell), token, minted };
}
