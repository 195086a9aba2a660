/** The first step of a decision: what the request carries, judged without any I/O. */
import { readCredential } from "../core/credential.ts";
import { hmacSha256, sha256Hex } from "../core/digest.ts";
import { directoryOf, foreignTokenId, type ForeignToken } from "../core/foreign-token.ts";
import type { Reason } from "../core/reason.ts";
import type { Presented } from "../core/edge/candidate.ts";
import { parseToken } from "../core/token.ts";
import type { GatewayConfiguration } from "./configuration.ts";

/** The key that a request with these headers presents, null where there is no credential, or why it is refused. Synchronous: a made-up key costs no I/O. */
export function readPresented(
  headers: Headers,
  configuration: GatewayConfiguration,
  isKnown: (tokenId: string) => boolean,
): Presented | null | Reason {
  const credential = readCredential(headers.get("authorization"), headers.get("x-api-key"), decodeBase64);
  if (credential.kind === "none") return null;
  if (credential.kind === "refused") return credential.reason;
  const token = parseToken(credential.text, configuration.tokenPrefix, configuration.tagKeys, hmacSha256, isKnown);
  const { place } = credential;
  if (token === "malformed_token" && mayBeForeign(credential.text, configuration))
    return { text: credential.text, token: foreignToken(credential.text, configuration), place };
  if (typeof token === "string") return token;
  if (token.cell >= configuration.cells) return "forged_token";
  if (!configuration.acceptedEnvironments.has(token.environment)) return "wrong_environment";
  return { text: credential.text, token, place };
}

/** Nothing but how it begins tells a key from elsewhere from any other text. */
function mayBeForeign(text: string, { foreignKeyPrefixes }: GatewayConfiguration): boolean {
  return foreignKeyPrefixes.some((prefix) => text.startsWith(prefix));
}

function foreignToken(text: string, { cells, acceptedEnvironments }: GatewayConfiguration): ForeignToken {
  const tokenId = foreignTokenId(sha256Hex(text));
  return { cell: null, tokenId, directory: directoryOf(tokenId, cells), environments: acceptedEnvironments };
}

function decodeBase64(text: string): string | undefined {
  try {
    return atob(text);
  } catch {
    return undefined;
  }
}
