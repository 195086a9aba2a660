/**
 * What the gateway may ask of the control plane, and nothing more: reads. The typed RPC seam between the two Workers,
 * and the place where leases will answer from memory instead.
 */
import type { FloorView } from "./floor.ts";
import type { KeyRecord } from "./record.ts";
import type { RouteTable } from "./route.ts";

/** A question of one request: the token it carries (absent on a request without one). The home cell's routes floor is always answered. */
export interface ObserveRequest {
  readonly token: { readonly cell: number; readonly tokenId: string } | null;
}

/** Views read after the question was asked. */
export interface Observation {
  /** Floors of all subjects of the token's key; null when no token was asked for. A token unknown to the ledger gets a view that vouches for nothing. */
  readonly token: FloorView | null;
  /** Floor of the subject `routes` in the home cell. */
  readonly routes: FloorView;
}

/** The ledger's own word on one token: always fresh. */
export type Resolution = { readonly found: true; readonly record: KeyRecord } | { readonly found: false };

/** Implemented by the control plane's `LedgerReader` entrypoint (RPC). Rejects when a cell cannot be reached: the caller must fail closed. */
export interface LedgerReader {
  observe(request: ObserveRequest): Promise<Observation>;
  /**
   * The truth about a token. `seenStamp` is the stamp of the copy KV gave, null for a miss, undefined if KV was not asked: an old copy in KV
   * makes the ledger publish again.
   */
  resolve(request: { readonly cell: number; readonly tokenId: string; readonly seenStamp?: number | null }): Promise<Resolution>;
  /** The route table as it is now. */
  resolveRoutes(): Promise<RouteTable>;
}
