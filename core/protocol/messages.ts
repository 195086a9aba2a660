/**
 * What the parties of the lease protocol say to each other. Three parties for each cell: the primary (its ledger), replicas (one
 * or a few per region), edges (isolates of the gateway). Any message may be lost, late, doubled or overtaken.
 */
import type { FloorView } from "../floor.ts";

/** A replica asks its primary for a lease. */
export interface LeaseRequest {
  /** Name of the replica, unique and lasting. */
  readonly replica: string;
  /** Counts the replica's lives: higher each time it starts with an empty memory. */
  readonly epoch: number;
  /** Up to which entry it knows the cell's floors; null when it knows nothing. */
  readonly since: number | null;
}

/** The primary's answer. The lease runs from before the replica asked. */
export interface LeaseGrant {
  /** L in milliseconds. */
  readonly leaseMs: number;
  /** E in milliseconds: the lease that the replica may pass on to edges. */
  readonly edgeLeaseMs: number;
  readonly window: FloorView;
}

/** The primary tells a replica of floors that were raised. */
export interface Push {
  readonly cell: number;
  readonly window: FloorView;
}

/** The replica's answer to a push: from now on it answers nobody without these floors. */
export interface Acknowledgement {
  readonly epoch: number;
  /** Up to which entry it knows the cell's floors now. */
  readonly knows: number;
}

/** An edge asks its replica about the cells it uses. */
export interface SyncRequest {
  readonly cells: readonly { readonly cell: number; readonly since: number | null }[];
}

/** What a replica says of one cell: everything that was raised, up to a moment after it was asked; or that it must not answer. */
export type CellSync =
  | { readonly cell: number; readonly answered: true; readonly edgeLeaseMs: number; readonly window: FloorView }
  | { readonly cell: number; readonly answered: false };

/** The replica's answer. */
export interface SyncAnswer {
  readonly cells: readonly CellSync[];
}

/** How a replica stopped being an obstacle to a revocation. */
export type ReplicaOutcome = "acknowledged" | "lease_expired";

/** An entry is in force at every edge. */
export interface InForce {
  readonly seq: number;
  /** On the primary's clock, in milliseconds since the epoch. */
  readonly atMs: number;
  /** By replica that could have stood in the way. */
  readonly replicas: Readonly<Record<string, ReplicaOutcome>>;
}
