/** Making a token and the id of its key. The token leaves in one answer and is kept nowhere. */
import { generateToken, obfuscateToken, type Environment } from "../../core/token.ts";
import { mintId } from "../../core/identifier.ts";
import type { MintedToken } from "../ledger/command.ts";
import { hmacSha256, sha256Hex } from "../../core/digest.ts";
import type { Services } from "./endpoint.ts";

/** A secret that is known by its token, and what the ledger may know of it. */
interface Minted {
  readonly token: string;
  readonly minted: MintedToken;
}

/** A key about to be created in a cell. `token` is the secret. */
export function mintKey(services: Services, cell: number, environment: Environment): Minted & { readonly id: string } {
  return { id: mintKeyId(services, cell), ...mintSecret(services, cell, environment) };
}

/** The id of a new key of a cell. */
export function mintKeyId({ now, randomBytes }: Services, cell: number): string {
  return mintId("api_key", now(), randomBytes, cell);
}

/** A new secret for a key of a cell. */
export function mintSecret(services: Services, cell: number, environment: Environment): Minted {
  const { configuration, randomBytes } = services;
  const { token, tokenId } = generateToken({ prefix: configuration.tokenPrefix, environment, cell }, configuration.tagKeys, {
    randomBytes,
    hmacSha256,
  });
  const minted = { token_id: tokenId, sha256: sha256Hex(token), obfuscated_value: obfuscateToken(token), environment };
  return { token, minted };
}
