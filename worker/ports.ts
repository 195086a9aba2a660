/** What the gateway needs from the outside, so that tests and the benchmark can count and fail every call. */
import type { LedgerReader } from "../core/ledger-reader.ts";
import type { HmacSha256 } from "../core/token.ts";

export interface GatewayPorts {
  /** Reads a KV name as JSON; null when absent. */
  readonly readKv: (name: string) => Promise<unknown>;
  readonly ledger: LedgerReader;
  readonly fetch: (request: Request) => Promise<Response>;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly requestId: () => string;
  /** Lower-case hexadecimal SHA-256. */
  readonly sha256Hex: (text: string) => string;
  readonly hmacSha256: HmacSha256;
  /** Decodes base64 text to Latin-1, undefined if it is none. */
  readonly decodeBase64: (text: string) => string | undefined;
  /** Takes one line of structured log. */
  readonly log: (line: string) => void;
}
