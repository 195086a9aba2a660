/** A limit as one isolate meets it. */
import type { Holding, Standing, Ticket } from "../core/limits/holding.ts";
import type { Limit } from "../core/limits/limit.ts";
import type { LimiterName } from "../core/limits/messages.ts";
import type { Terms } from "../core/limits/terms.ts";

/** A meter at this isolate. */
export interface Metered {
  readonly limit: Limit;
  readonly terms: Terms;
  readonly limiter: LimiterName;
  /** The meter's name at its limiter. */
  readonly meter: string;
  readonly holding: Holding;
}

/** A meter as it stands for one request. */
export interface Met {
  readonly metered: Metered;
  readonly cost: number;
  readonly standing: Standing;
}

/** What was taken for one request and is settled when its answer has ended. */
export interface Taken {
  readonly metered: Metered;
  readonly ticket: Ticket;
}
