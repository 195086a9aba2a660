/**
 * Without a gateway: the control plane is asked about each key. Its answer is the ledger's, and is used for the request for which it was
 * asked and no other: so no request that arrives after a revoking call has returned is accepted, the same promise as the gateway's.
 */
import { readCredential } from "../core/credential.ts";
import { AnswerMemory } from "./answer-memory.ts";
import { authenticatorOf, type Authenticator, type ObservedOptions } from "./authenticator.ts";
import { ConfigurationError, durationOf, originOf } from "./configuration.ts";
import { isObject, principalOfKey, type Principal } from "./principal.ts";
import { refusalFor } from "./reason.ts";

/** How the control plane is asked. */
export interface ControlPlaneOptions extends ObservedOptions {
  /** Its origin, as in `https://keys.example.com`. */
  readonly controlPlane: string | URL;
  /** A platform key that holds `portcullis:api_keys:validate`, and nothing else. */
  readonly apiKey: string;
  /** Milliseconds to wait for an answer, then 503; 3000 without it. */
  readonly timeoutMs?: number;
  /**
   * The residual window you accept, in milliseconds, at most an hour; 0, none, without it. For so long after it was asked about, a key goes on
   * to be accepted as it was then, also when it has been revoked, narrowed or has expired since.
   */
  readonly maxStalenessMs?: number;
}

const TIMEOUT_MS = 3_000;
const TIMEOUT_MAX_MS = 60_000;
const STALENESS_MAX_MS = 3_600_000;

/** The control plane did not say whether the key is good. */
class ControlPlaneUnreachableError extends Error {
  override readonly name = "ControlPlaneUnreachableError";
  readonly code = "control_plane_unreachable";
}

/** Accepts the keys that the control plane accepts. Throws {@link ConfigurationError}. */
export function createControlPlaneAuthenticator(options: ControlPlaneOptions): Authenticator {
  if (options.apiKey === "") throw new ConfigurationError("apiKey must be a platform key that holds portcullis:api_keys:validate");
  const question: Question = {
    url: new URL("/api_keys/validations", originOf("controlPlane", options.controlPlane)),
    apiKey: options.apiKey,
    timeoutMs: durationOf("timeoutMs", options.timeoutMs ?? TIMEOUT_MS, TIMEOUT_MAX_MS),
  };
  const memory = new AnswerMemory(durationOf("maxStalenessMs", options.maxStalenessMs ?? 0, STALENESS_MAX_MS));
  return authenticatorOf(options, async ({ headers, clientAddress }) => {
    const credential = readCredential(headers.get("authorization"), headers.get("x-api-key"), () => undefined);
    if (credential.kind === "none") return refusalFor("missing_credential");
    if (credential.kind === "refused") return refusalFor(credential.reason);
    const { text } = credential;
    try {
      const principal = await memory.recall([text, clientAddress ?? ""], () => validate(question, text, clientAddress));
      return principal ?? refusalFor("unknown_key");
    } catch (cause) {
      if (cause instanceof ControlPlaneUnreachableError) return refusalFor("ledger_unreachable", { cause });
      throw cause;
    }
  });
}

interface Question {
  readonly url: URL;
  readonly apiKey: string;
  readonly timeoutMs: number;
}

/** Whose the key is; null if it is not accepted. */
async function validate(question: Question, value: string, clientAddress: string | undefined): Promise<Principal | null> {
  const answer = await ask(question, JSON.stringify({ value, client_address: clientAddress }));
  if (isObject(answer) && answer["api_key"] === null) return null;
  const principal = isObject(answer) ? principalOfKey(answer["api_key"]) : undefined;
  if (!principal) throw new ControlPlaneUnreachableError("The control plane gave no answer that can be understood.");
  return principal;
}

async function ask({ url, apiKey, timeoutMs }: Question, body: string): Promise<unknown> {
  const response = await sent(url, {
    method: "POST",
    headers: { Authorization: `Bearer ${apiKey}`, "Content-Type": "application/json" },
    body,
    redirect: "manual",
    // Next.js may put a cache of its own under `fetch`.
    cache: "no-store",
    signal: AbortSignal.timeout(timeoutMs),
  });
  return response.json().catch((cause: unknown) => {
    throw new ControlPlaneUnreachableError("The control plane's answer broke off.", { cause });
  });
}

async function sent(url: URL, init: RequestInit): Promise<Response> {
  const response = await fetch(url, init).catch((cause: unknown) => {
    throw new ControlPlaneUnreachableError("The control plane cannot be reached.", { cause });
  });
  if (response.status === 200) return response;
  // Not this request's fault, whatever it is: 401 and 403 are about `apiKey`, 429 about how often it is used.
  await response.body?.cancel();
  throw new ControlPlaneUnreachableError(`The control plane answered ${response.status}.`);
}
