/**
 * What a gateway's isolate has counted of its own doing, on its way to the control plane beside usage. No ids of keys, organizations or users:
 * what tells counts apart is bounded by the route table, the reasons there are, the cells and the regions.
 */
import { z } from "zod";
import { REGIONS } from "../protocol/region.ts";
import { TOLD, type Reason } from "../reason.ts";

/** Upper bounds of the classes that times are counted in, in ms: those that OpenTelemetry's semantic conventions give for `http.server.request.duration`. */
export const DURATION_BOUNDS_MS = [5, 10, 25, 50, 75, 100, 250, 500, 750, 1_000, 2_500, 5_000, 7_500, 10_000] as const;

/** What the gateway asks. `cell`: a ledger's cell itself. */
export const DEPENDENCIES = ["kv", "replica", "cell", "limiter"] as const;
export type Dependency = (typeof DEPENDENCIES)[number];

/**
 * What an operator should hear of. `stale_decision`: the ledger could not be asked and the route allowed that; `unlimited_decision`: a limiter could
 * not be asked, and the route allowed that; `usage_dropped`: a batch of usage was not taken for too long.
 */
export const EVENTS = ["stale_decision", "unlimited_decision", "usage_dropped"] as const;
export type CountedEvent = (typeof EVENTS)[number];

const REASONS = Object.keys(TOLD) as [Reason, ...Reason[]];
/** First digits of the statuses of what was passed on. */
export const STATUS_CLASSES = ["1xx", "2xx", "3xx", "4xx", "5xx"] as const;
type StatusClass = (typeof STATUS_CLASSES)[number];
/** What a request came to: the reason for which it was refused, or the class of the answer's status. */
export type Outcome = Reason | StatusClass;

/** Requests that one isolate can have counted before it sends: far more than it does, and far less than sums can hold. */
const COUNT_MAX = 1_000_000_000;
const count = z.number().int().nonnegative().max(COUNT_MAX);
/** Routes in one part: a queue takes messages of 128 KB. */
export const ROUTES_IN_PART_MAX = 50;
/** Name of a route at most; where no route was found it is empty. */
const ROUTE_NAME_MAX = 64;
const CELLS_MAX = 32;

const routeCounts = z.strictObject({
  route: z.string().max(ROUTE_NAME_MAX),
  outcomes: z.partialRecord(z.enum([...REASONS, ...STATUS_CLASSES]), count),
  /** By {@link DURATION_BOUNDS_MS}, not added up; the last ones took longer than all bounds. */
  durations: z.array(count).length(DURATION_BOUNDS_MS.length + 1),
  /** Of all of them, in ms. */
  duration_ms: z.number().nonnegative().max(Number.MAX_SAFE_INTEGER),
});

export const gatewayCountsSchema = z.strictObject({
  /** Whose replica the isolate asks; `unknown` before it has asked any. */
  region: z.enum([...REGIONS, "local", "unknown"]),
  routes: z.array(routeCounts).max(ROUTES_IN_PART_MAX),
  events: z.partialRecord(z.enum(EVENTS), count),
  /** How often each was asked, and answered; what is neither answered nor refused hangs. */
  calls: z.partialRecord(z.enum(DEPENDENCIES), z.strictObject({ asked: count, answered: count })),
  /** By cell: how often the replica was asked for a lease on it, and gave one. */
  leases: z
    .array(
      z.strictObject({
        cell: z
          .number()
          .int()
          .min(0)
          .max(CELLS_MAX - 1),
        asked: count,
        renewed: count,
      }),
    )
    .max(CELLS_MAX),
});

/** One part of what an isolate has counted. */
export type GatewayCounts = z.infer<typeof gatewayCountsSchema>;
export type RouteCounts = GatewayCounts["routes"][number];
