/** What the gateway needs from the outside, so that tests and the benchmark can count and fail every call. */
import type { LedgerReader } from "../core/ledger-reader.ts";

/** The part of a request's execution context that lets work go on after the answer. */
export interface RequestContext {
  waitUntil(promise: Promise<unknown>): void;
}

export interface GatewayPorts {
  /** The published records. Only ever a shortcut: what it says is judged by the ledger's floors. */
  readonly readKv: (name: string) => Promise<string | null>;
  readonly ledger: LedgerReader;
  /** Towards the upstream. */
  readonly fetch: (request: Request) => Promise<Response>;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** A fresh random UUID (RFC 9562 section 5.4). */
  readonly randomUuid: () => string;
  /** Takes one line of structured log; it may be written after the answer. */
  readonly log: (line: string, context: RequestContext) => void;
}
