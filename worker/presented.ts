/** The first step of a decision: what the request carries, judged without any I/O. */
import { readCredential } from "../core/credential.ts";
import { hmacSha256 } from "../core/digest.ts";
import type { Reason } from "../core/reason.ts";
import type { Presented } from "../core/edge/request.ts";
import { parseToken } from "../core/token.ts";
import type { GatewayConfiguration } from "./configuration.ts";

/** The key a request presents, null for a request without a credential, or why it is refused. Synchronous: a made-up key costs no I/O. */
export function readPresented(
  request: Request,
  configuration: GatewayConfiguration,
  isKnown: (tokenId: string) => boolean,
): Presented | null | Reason {
  const { headers } = request;
  const credential = readCredential(headers.get("authorization"), headers.get("x-api-key"), decodeBase64);
  if (credential.kind === "none") return null;
  if (credential.kind === "refused") return credential.reason;
  const token = parseToken(credential.text, configuration.tokenPrefix, configuration.tagKeys, hmacSha256, isKnown);
  if (typeof token === "string") return token;
  if (token.cell >= configuration.cells) return "forged_token";
  if (!configuration.acceptedEnvironments.has(token.environment)) return "wrong_environment";
  return { text: credential.text, token, basic: credential.place === "basic" };
}

function decodeBase64(text: string): string | undefined {
  try {
    return atob(text);
  } catch {
    return undefined;
  }
}
