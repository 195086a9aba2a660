/** What tests do to limiters. */
import type { LedgerFault } from "./ledger-faults.ts";

/** How far limiters' clocks are ahead, and what limiters, by their objects' names, do wrong. */
export const limiterWorld = { aheadMs: 0, faults: new Map<string, LedgerFault>() };
