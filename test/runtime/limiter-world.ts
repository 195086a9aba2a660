/** What tests do to limiters. */
import type { LedgerFault } from "./ledger-faults.ts";

/** How far limiters' clocks are ahead, what all of them do wrong, and until when they keep their answers to themselves. */
export const limiterWorld: { aheadMs: number; fault: LedgerFault; answered: Promise<void> } = {
  aheadMs: 0,
  fault: undefined,
  answered: Promise.resolve(),
};

/** Puts everything back but the time that has passed. */
export function healLimiters(): void {
  limiterWorld.fault = undefined;
  limiterWorld.answered = Promise.resolve();
}
