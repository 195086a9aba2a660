/** What the gateway needs from the outside, so that tests and the benchmark can count and fail every call. */
import type { RandomBytes } from "../core/base62.ts";
import type { LedgerReader } from "../core/ledger-reader.ts";
import type { HmacSha256 } from "../core/token.ts";

export interface GatewayPorts {
  /** The published records. Only ever a shortcut: what it says is judged by the ledger's floors. */
  readonly readKv: (name: string) => Promise<string | null>;
  readonly ledger: LedgerReader;
  /** Towards the upstream. */
  readonly fetch: (request: Request) => Promise<Response>;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly randomBytes: RandomBytes;
  /** Lower-case hexadecimal SHA-256. */
  readonly sha256Hex: (text: string) => string;
  readonly hmacSha256: HmacSha256;
  /** Takes one line of structured log. */
  readonly log: (line: string) => void;
}
