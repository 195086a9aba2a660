/** What isolates ask limiters, and what they are told. */
import { z } from "zod";
import type { Region } from "../protocol/region.ts";
import { termsSchema } from "./terms.ts";

const count = z.number().int().min(0).max(1_000_000_000);

const askSchema = z.strictObject({
  /** Name of the meter, unique among its subject's. */
  meter: z.string().min(1).max(100),
  terms: termsSchema,
  /** Units without which a request cannot go on; 0: nobody waits. */
  need: count,
  /** Units that would be welcome; at least `need`. */
  want: count,
  /** Leases that are over: nothing is given out of them any more. What was not used comes back. */
  closed: z.array(z.strictObject({ lease: count, used: count })).max(1_000),
  /** Leases to be kept, of a concurrency limit: how many units of them, and for another T. */
  kept: z.array(z.strictObject({ lease: count, units: count })).max(1_000),
});

/** A question of one isolate about one meter. */
export type MeterAsk = z.infer<typeof askSchema>;

/** A lease of units. */
interface LeaseGrant {
  readonly lease: number;
  readonly units: number;
  /** T: milliseconds since the isolate began to ask, for which it may give them out. */
  readonly leaseMs: number;
}

/** The answer about one meter. */
export interface MeterAnswer {
  readonly granted: LeaseGrant | null;
  /** Leases that were kept, for another `keptMs` since the isolate began to ask. */
  readonly kept: readonly number[];
  readonly keptMs: number;
  /** Units that nobody has. */
  readonly remaining: number;
  /** Milliseconds until all that is taken has come free. */
  readonly resetMs: number;
  /** Milliseconds until as much as was needed may be there; 0 if it is. */
  readonly retryAfterMs: number;
}

/** A question about some meters of one subject. */
export const limiterRequestSchema = z.array(askSchema).min(1).max(16);
export type LimiterRequest = z.infer<typeof limiterRequestSchema>;

/** The answers, in the order of the questions. */
export type LimiterAnswer = readonly MeterAnswer[];

/** Which limiter: the place it holds for, and the subject whose meters it keeps. */
export interface LimiterName {
  readonly place: Region | "global";
  /** `key:key_…`, `owner:…`, `organization:…`, `route:…`. */
  readonly subject: string;
}

/** Implemented by the control plane's `LimiterAccess` entrypoint (RPC). Rejects when the limiter cannot be reached. */
export interface LimiterAccess {
  exchange(limiter: LimiterName, request: LimiterRequest): Promise<LimiterAnswer>;
}
