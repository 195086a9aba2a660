/** Faults inside the ledger's own system; tests set them and put them back. */
import { runInDurableObject } from "cloudflare:test";

/** What an object does wrong: it throws at once, never answers, or is as it should be. */
export type LedgerFault = "throws" | "hangs" | undefined;

/** The faults at the moment. */
export const ledgerFaults = {
  /** What cells, by their objects' names, do on being brought a new catalogue. */
  onCatalogue: new Map<string, LedgerFault>(),
  /** By external id: until when the home cell keeps the answer to itself that an organization may have it. */
  claimsAnswered: new Map<string, Promise<void>>(),
  /** By external id: what cells do on being asked whether an organization of theirs has it. */
  onHolding: new Map<string, LedgerFault>(),
  /** By platform key: what the cell that has it does on being asked for the admins behind it. */
  onAdminsAsked: new Map<string, LedgerFault>(),
  /** Cells, by their objects' names, that do not hear of ended users. */
  notEndingUsers: new Set<string>(),
  /** What cells, by their objects' names, do on being asked for a lease. */
  onGrant: new Map<string, LedgerFault>(),
  /** What they do on being asked how they stand. */
  onStanding: new Map<string, LedgerFault>(),
  /** Cells, by their objects' names, whose next alarm ends their life before it has done anything. */
  dyingAtAlarm: new Set<string>(),
  /** Cells, by their objects' names, whose next command ends their life before it is carried out. */
  dyingAtCommand: new Set<string>(),
  /** What cells, and their usage stores, by their objects' names, do on being told of uses, and of counts. */
  onUses: new Map<string, LedgerFault>(),
  onUsage: new Map<string, LedgerFault>(),
  /** What usage stores do on being asked for gateways' counters. */
  onCounters: new Map<string, LedgerFault>(),
  /** By replica's name: on being pushed to, and on being asked by an edge. */
  onPush: new Map<string, LedgerFault>(),
  onSync: new Map<string, LedgerFault>(),
  /** By replica's name, on being asked which cells answer. */
  onProbe: new Map<string, LedgerFault>(),
};

/** Names of cells that were asked how they stand, oldest first. */
export const standingsAsked: string[] = [];

/** Puts everything back. */
export function healLedger(): void {
  for (const faults of Object.values(ledgerFaults)) faults.clear();
}

/** Ends an object's life in the middle of whatever it is doing; the next event begins another. */
export async function kill(stub: DurableObjectStub): Promise<void> {
  await runInDurableObject(stub, (_, state) => state.abort("killed by a test")).catch(() => {});
}

/** Does as the fault says, or nothing. */
export async function suffer(fault: LedgerFault): Promise<void> {
  if (fault === "throws") throw new Error("Network connection lost.");
  if (fault === "hangs") await new Promise(() => {});
}
