/**
 * Every duration of the lease protocol, in one place, and what follows from them. Only durations are ever compared, never two
 * machines' clocks; what that leaves to be assumed are the two members about clocks.
 */
import { z } from "zod";

const milliseconds = (least: number, most: number) =>
  z.coerce.number({ error: "must be a number of milliseconds" }).int("must be whole milliseconds").min(least).max(most);

/** The members that an installation may set, by their settings' names. All in milliseconds but the drift. */
const tunableFields = {
  /** E: how long an isolate may decide from memory after it began to ask its replica. */
  EDGE_LEASE_MS: milliseconds(50, 60_000).default(1_000),
  /** L: how long a replica may answer from memory after it began to ask the primary. */
  REPLICA_LEASE_MS: milliseconds(500, 600_000).default(30_000),
  /** Assumed: in one second of true time no clock advances by less than 1 - this or more than 1 + this seconds. */
  CLOCK_DRIFT_MAX: z.coerce.number({ error: "must be a number" }).min(0).max(0.1, "must be at most 0.1").default(0.005),
  /** Assumed: what a clock says in an event lags behind the true time by at most this. Workers' clocks stand still while code runs. */
  CLOCK_LAG_MS: milliseconds(0, 10_000).default(25),
  /** How long a replica may take to confirm what it was pushed, before it is pushed again. */
  PUSH_TIMEOUT_MS: milliseconds(10, 60_000).default(2_000),
  /** Pause before a push that failed is repeated. */
  PUSH_RETRY_MS: milliseconds(1, 60_000).default(250),
} as const;

/** Settings of the protocol, validated together. */
export const tunablesSchema = z.object(tunableFields).superRefine((fields, context) => {
  if (fields.REPLICA_LEASE_MS < 2 * fields.EDGE_LEASE_MS)
    context.addIssue({ code: "custom", path: ["REPLICA_LEASE_MS"], message: "must be at least twice EDGE_LEASE_MS" });
  if (fields.CLOCK_LAG_MS * 4 > fields.EDGE_LEASE_MS)
    context.addIssue({ code: "custom", path: ["CLOCK_LAG_MS"], message: "must be at most a quarter of EDGE_LEASE_MS" });
  if (fields.PUSH_TIMEOUT_MS > fields.REPLICA_LEASE_MS)
    context.addIssue({ code: "custom", path: ["PUSH_TIMEOUT_MS"], message: "must be at most REPLICA_LEASE_MS" });
});

/** How long a question may take before it counts as not answered, in milliseconds, by who is asked. */
export const DEADLINES_MS = {
  /** A replica, by an edge. */
  replica: 3_000,
  /** A cell, by an edge. */
  cell: 5_000,
  /** A cell, by a replica that wants a lease. */
  lease: 3_000,
  /** KV, by an edge: after that the cell is asked instead. */
  kv: 1_000,
} as const;

/** What the protocol's machines are made with. Durations in milliseconds. */
export interface Tunables {
  readonly edgeLeaseMs: number;
  readonly replicaLeaseMs: number;
  readonly clockDriftMax: number;
  readonly clockLagMs: number;
  readonly pushTimeoutMs: number;
  readonly pushRetryMs: number;
}

/** Tunables from validated settings. */
export function tunablesOf(fields: z.output<typeof tunablesSchema>): Tunables {
  return {
    edgeLeaseMs: fields.EDGE_LEASE_MS,
    replicaLeaseMs: fields.REPLICA_LEASE_MS,
    clockDriftMax: fields.CLOCK_DRIFT_MAX,
    clockLagMs: fields.CLOCK_LAG_MS,
    pushTimeoutMs: fields.PUSH_TIMEOUT_MS,
    pushRetryMs: fields.PUSH_RETRY_MS,
  };
}

/** Assumptions about clocks: see {@link tunableFields}. */
type ClockAssumptions = Pick<Tunables, "clockDriftMax" | "clockLagMs">;

/**
 * How long one machine must wait, on its own clock, to be sure that a lease of `leaseMs` that another machine counts on its
 * own has run out there.
 *
 * The holder's clock may run slow: the lease lasts up to leaseMs / (1 - drift) of true time. What the holder reads lags by
 * up to one lag when it checks, and so does what it read of the moment it was granted in an event that had begun. The one who
 * waits may run fast, so it counts 1 + drift for each millisecond, and its own reading of the start may lag as well.
 */
export function leaseBoundMs(leaseMs: number, { clockDriftMax, clockLagMs }: ClockAssumptions): number {
  return Math.ceil((leaseMs / (1 - clockDriftMax) + 2 * clockLagMs) * (1 + clockDriftMax)) + clockLagMs;
}

/** What the tunables promise at worst, in milliseconds on the primary's clock. */
interface WorstCase {
  /** Edges' leases have run out, counted from the moment the last replica had confirmed or lost its lease. */
  readonly edgeLeaseBoundMs: number;
  /** A replica's lease has run out, counted from its grant. */
  readonly replicaLeaseBoundMs: number;
  /** A revocation returns within this after its commit when all replicas answer at once; add one round trip to the farthest. */
  readonly revocationMs: number;
  /** The same when a replica never answers. */
  readonly revocationWithDeadReplicaMs: number;
}

/** Derives the bounds. */
export function worstCaseOf(tunables: Tunables): WorstCase {
  const edgeLeaseBoundMs = leaseBoundMs(tunables.edgeLeaseMs, tunables);
  const replicaLeaseBoundMs = leaseBoundMs(tunables.replicaLeaseMs, tunables);
  return {
    edgeLeaseBoundMs,
    replicaLeaseBoundMs,
    revocationMs: edgeLeaseBoundMs + tunables.clockLagMs,
    revocationWithDeadReplicaMs: replicaLeaseBoundMs + edgeLeaseBoundMs + tunables.clockLagMs,
  };
}
