/** What the gateway needs from the outside, so that tests and the benchmark can count and fail every call. */
import type { RandomBytes } from "../core/base62.ts";
import type { UsageDelivery } from "./configuration.ts";
import type { UsagePorts } from "./usage-counter.ts";
import type { CountedEvent } from "../core/metrics/counts.ts";
import type { LedgerReader } from "../core/ledger-reader.ts";
import type { LimiterAccess } from "../core/limits/messages.ts";

/** The part of a request's execution context that lets work go on after the answer. */
export interface RequestContext {
  waitUntil(promise: Promise<unknown>): void;
}

/** Towards an upstream. Like the platform's, it rejects and never throws. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** The outside, as the gateway sees it. */
export interface GatewayPorts {
  /** The published records. Only ever a shortcut: what it says is judged by the ledger's floors. */
  readonly readKv: (name: string) => Promise<string | null>;
  readonly ledger: LedgerReader;
  /** Where units of limits are leased. */
  readonly limiters: LimiterAccess;
  /** Over the network. */
  readonly fetch: Fetch;
  /** Towards an upstream that is bound as a service, by the name of the binding. Only names that the settings allow are asked for. */
  readonly fetchService: (name: string) => Fetch;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Fills an array with random bytes fit for cryptography. */
  readonly randomBytes: RandomBytes;
  /** A fresh random UUID (RFC 9562 section 5.4). */
  readonly randomUuid: () => string;
  /** Takes one line of structured log; it may be written a moment later, together with others. */
  readonly log: (line: string, context: RequestContext) => void;
  /** Counts something an operator should hear of. */
  readonly count: (event: CountedEvent) => void;
  /** Where usage goes, on each of the ways there are. */
  readonly sendUsage: Readonly<Record<Exclude<UsageDelivery, "off">, NonNullable<UsagePorts["send"]>>>;
  /** Lets so many milliseconds pass. */
  readonly wait: (ms: number) => Promise<unknown>;
}
