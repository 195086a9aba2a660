/**
 * One attempt to deliver: signed, sent, and judged by its status alone. Nothing is read of the reply's body, redirects are not followed,
 * and all of it ends after {@link ATTEMPT_TIMEOUT_MS}.
 */
import { hmacSha256 } from "../../core/digest.ts";
import { signatureHeaders, type SigningPorts, type SigningSecrets } from "../../core/webhook/signature.ts";
import type { AttemptView } from "../ledger/view.ts";
import type { Destinations, Fetch } from "./destinations.ts";

/** What a receiver may take to answer, in ms. */
const ATTEMPT_TIMEOUT_MS = 15_000;

/** What an attempt works with. */
export interface AttemptPorts {
  readonly fetch: Fetch;
  /** Ends what takes longer. */
  readonly timeout: (ms: number) => AbortSignal;
  readonly destinations: Destinations;
  readonly now: () => number;
}

/** What is sent, and where. */
export interface Attempt {
  readonly url: string;
  readonly eventId: string;
  /** The event as JSON; the same bytes on every attempt. */
  readonly body: string;
  /** Null when they could not be read. */
  readonly secrets: SigningSecrets | null;
  /** Whether it is still to be made: settings may change while the host is looked up. */
  readonly isWanted: () => boolean;
}

/** How it went. */
export interface AttemptResult {
  readonly atMs: number;
  readonly durationMs: number;
  readonly status: number | null;
  readonly error: AttemptView["error"];
}

const SIGNING: SigningPorts = {
  hmacSha256,
  utf8: (text) => new TextEncoder().encode(text),
  toBase64: (bytes) => Buffer.from(bytes).toString("base64"),
  fromBase64: (text) => new Uint8Array(Buffer.from(text, "base64")),
  toHex: (bytes) => Buffer.from(bytes).toString("hex"),
};

/** Makes an attempt, or answers undefined if it is not wanted any more when it would begin. Never throws. */
export async function attempt(what: Attempt, ports: AttemptPorts): Promise<AttemptResult | undefined> {
  const atMs = ports.now();
  const isAllowed = (await ports.destinations.faultOf(what.url)) === undefined;
  // From here to the request nothing is waited for.
  if (!what.isWanted()) return undefined;
  const { status, error } = isAllowed ? await send(what, atMs, ports) : ({ status: null, error: "destination_not_allowed" } as const);
  return { atMs, durationMs: Math.max(0, ports.now() - atMs), status, error };
}

async function send(
  { url, eventId, body, secrets }: Attempt,
  atMs: number,
  { fetch, timeout }: AttemptPorts,
): Promise<Pick<AttemptResult, "status" | "error">> {
  if (secrets === null) return { status: null, error: "secret_unreadable" };
  const headers = {
    "Content-Type": "application/json",
    "User-Agent": "Portcullis-Webhooks/1",
    ...signatureHeaders({ id: eventId, atMs, body }, secrets, SIGNING),
  };
  try {
    const response = await fetch(url, { method: "POST", headers, body, redirect: "manual", signal: timeout(ATTEMPT_TIMEOUT_MS) });
    await response.body?.cancel().catch(() => undefined);
    return { status: response.status, error: errorOfStatus(response.status) };
  } catch (error) {
    return { status: null, error: error instanceof Error && error.name === "TimeoutError" ? "timeout" : "connection_failed" };
  }
}

function errorOfStatus(status: number): AttemptView["error"] {
  if (status >= 200 && status < 300) return null;
  if (status === 410) return "gone";
  return status >= 300 && status < 400 ? "redirected" : "refused";
}
