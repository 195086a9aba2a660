/**
 * What gateways have counted, on its way to the control plane: the typed seam for usage. A batch speaks of keys of one cell in one hour, or of
 * the gateway itself, and is the unit of repetition: it may arrive several times and is counted once, by its id.
 */
import { z } from "zod";
import { gatewayCountsSchema } from "../metrics/counts.ts";
import { permissionSlug } from "../permission-slug.ts";

export const HOUR_MS = 3_600_000;

/** Entries in a batch: the analytics sink takes 250 rows from one event, and most entries are one row. */
export const BATCH_ENTRIES_MAX = 200;
/** Characters in a batch, about: queues take messages of 128 KB. */
export const BATCH_SIZE_MAX = 90_000;

/** Requests that one isolate can have counted before it sends: far more than it does, and far less than sums can hold. */
const COUNT_MAX = 1_000_000;

const count = z.strictObject({
  /** HTTP status of the answer. */
  status: z.number().int().min(100).max(999),
  /** Why the gateway refused (a reason as logged); null when the request was passed on. */
  refusal: z.string().max(64).nullable(),
  requests: z.number().int().positive().max(COUNT_MAX),
});

/** One secret of a key on one route. */
const entrySchema = z.strictObject({
  key_id: z.string().max(64),
  token_id: z.string().max(128),
  organization_id: z.string().max(64),
  route: z.string().max(64),
  /** What passing on this route takes, of what the key may do: the route's own words, never the key's wildcards. */
  permissions: z.array(permissionSlug).max(64),
  /** When a request was last passed on, in ms since the epoch; null when none was. */
  used_at_ms: z.number().int().nonnegative().nullable(),
  counts: z.array(count).max(1_000),
});

export const usageBatchSchema = z.strictObject({
  v: z.literal(1),
  id: z.uuid(),
  cell: z.number().int().min(0).max(31),
  /** The hour's beginning, in ms since the epoch. */
  hour_ms: z.number().int().nonnegative().multipleOf(HOUR_MS),
  entries: z.array(entrySchema).max(BATCH_ENTRIES_MAX),
  /** What the isolate counted of its own doing; any cell's store may take it. */
  gateway: gatewayCountsSchema.optional(),
});

export type UsageBatch = z.infer<typeof usageBatchSchema>;
export type UsageEntry = UsageBatch["entries"][number];

/** Implemented by the control plane's `UsageCollector` entrypoint (RPC): all that a gateway can tell the control plane. */
export interface UsageCollector {
  /** Takes batches, each once. Rejects when any could not be kept: send all of them again. */
  record(batches: readonly UsageBatch[]): Promise<void>;
}
