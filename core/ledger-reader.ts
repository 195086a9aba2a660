/**
 * What the gateway may ask of the control plane, and nothing more: reads. The typed RPC seam between the two Workers.
 */
import type { SyncAnswer, SyncRequest } from "./protocol/messages.ts";
import type { KeyRecord } from "./record.ts";
import type { RouteTable } from "./route.ts";

/** The ledger's own word on one token: always fresh. */
export type Resolution = { readonly found: true; readonly record: KeyRecord } | { readonly found: false };

/**
 * Implemented by the control plane's `LedgerReader` entrypoint (RPC). Rejects when a cell cannot be reached: the caller must fail
 * closed. `seenStamp` is the stamp of the copy that KV gave, null for a miss, undefined if KV was not asked: an old copy in KV makes
 * the ledger publish again.
 */
export interface LedgerReader {
  /** Asks the replica of this name, from memory where it holds a lease. */
  sync(replica: string, request: SyncRequest): Promise<SyncAnswer>;
  /** Which of the cells answer the replica of this name; it asks each once a second at most, whoever wants to know. */
  probe(replica: string, cells: readonly number[]): Promise<readonly number[]>;
  /** The truth about a token, from its cell. */
  resolve(request: { readonly cell: number; readonly tokenId: string; readonly seenStamp?: number | null }): Promise<Resolution>;
  /** The cell an imported key lives in, from its directory; null for one that was never imported. */
  locate(request: { readonly directory: number; readonly tokenId: string }): Promise<number | null>;
  /** The route table as it is now, from the home cell. */
  resolveRoutes(request: { readonly seenStamp?: number | null }): Promise<RouteTable>;
}
