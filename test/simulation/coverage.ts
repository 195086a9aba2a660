/** What a simulation has been through: how often each fault and each situation was hit. A checker that never meets what it checks looks like one that passes. */

/** Everything that a full run must have met at least once. */
const SITUATIONS = [
  "network: lost",
  "network: doubled",
  "network: straggler",
  "network: cut",
  "network: muted",
  "call: timed out",
  "edge: started anew",
  "edge: paused",
  "edge: waited for another request's question",
  "edge: asked where an imported key lives",
  "replica: crashed",
  "replica: superseded, still running",
  "replica: superseded, found out on touching storage",
  "replica: paused",
  "ledger: crashed",
  "ledger: crashed between commit and push",
  "ledger: superseded, still running",
  "ledger: superseded, found out on touching storage",
  "ledger: paused",
  "ledger: hung for longer than any replica waits",
  "ledger: command repeated",
  "kv: old value after a newer one",
  "kv: miss although written",
  "kv: failed",
  "operation: create",
  "operation: narrow",
  "operation: widen",
  "operation: revoke",
  "operation: change role",
  "operation: role loses a permission",
  "operation: offboard",
  "operation: suspend",
  "operation: resume",
  "operation: replace routes",
  "receipt: acknowledged",
  "receipt: lease_expired",
  "receipt: no replica in the way",
  "decision: allowed",
  "decision: allowed on a strict route",
  "decision: allowed stale",
  "decision: unknown_key",
  "decision: revoked_key",
  "decision: insufficient_scope",
  "decision: ledger_unreachable",
] as const;

/** One of them. */
export type Situation = (typeof SITUATIONS)[number];

/** Counts. */
export class Coverage {
  readonly counts = new Map<Situation, number>();

  /** Notes that it happened. */
  hit(situation: Situation, times = 1): void {
    this.counts.set(situation, (this.counts.get(situation) ?? 0) + times);
  }

  /** Adds what another run met. */
  add(other: Iterable<readonly [Situation, number]>): void {
    for (const [situation, times] of other) this.hit(situation, times);
  }

  /** What was never met. */
  missing(): Situation[] {
    return SITUATIONS.filter((situation) => !this.counts.has(situation));
  }
}
