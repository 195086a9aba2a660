/** Faults inside the ledger's own system; tests set them and put them back. */

/** What a replica does wrong: it throws at once, never answers, or is as it should be. */
export type ReplicaFault = "throws" | "hangs" | undefined;

/** The faults at the moment. */
export const ledgerFaults = {
  /** Cells, by their objects' names, that do not take a new catalogue. */
  notTakingCatalogue: new Set<string>(),
  /** Cells, by their objects' names, that grant no lease. */
  notGranting: new Set<string>(),
  /** By replica's name: on being pushed to, and on being asked by an edge. */
  onPush: new Map<string, ReplicaFault>(),
  onSync: new Map<string, ReplicaFault>(),
};

/** Puts everything back. */
export function healLedger(): void {
  for (const faults of Object.values(ledgerFaults)) faults.clear();
}

/** Does as the fault says, or nothing. */
export async function suffer(fault: ReplicaFault): Promise<void> {
  if (fault === "throws") throw new Error("Network connection lost.");
  if (fault === "hangs") await new Promise(() => {});
}
