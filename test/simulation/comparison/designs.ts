/** The designs that are compared: the product, what others do, and the product broken on purpose, which the measure must notice. */
import { KeyMemory } from "../../../core/edge/key-memory.ts";
import { PRODUCT, type Machines } from "../machines.ts";
import { MUTANTS } from "../mutants.ts";
import { AskingIsolate } from "./asking-isolate.ts";
import { TUNABLES } from "./installation.ts";

/** A way to find out whether a key is good. */
export interface Design {
  readonly name: string;
  readonly says: string;
  readonly machines: Machines;
  /** Milliseconds for which an isolate goes by what the ledger said of a key; absent: it goes by leases. */
  readonly ttlMs?: number;
  /** Milliseconds after which calls come at their lasting rate: caches are full. */
  readonly settlesInMs: number;
  /** Milliseconds over which that rate evens out. */
  readonly evensOutInMs: number;
}

/** More than the keys of any run, as in the product: nothing is forgotten for want of room. */
const KEYS_REMEMBERED = 256;
/** Until isolates know the keys that are in use. */
const KEYS_KNOWN_IN_MS = 20_000;

/** The product's own machines. */
export const LEASES: Design = leases("leases", "the product as it is", PRODUCT);
export const TTL_60: Design = asking("TTL 60 s", "an isolate goes by what the ledger said of a key for 60 s", 60_000, 60_000);
export const TTL_10: Design = asking("TTL 10 s", "the same for 10 s", 10_000, 60_000);
export const CENTRAL: Design = asking("central", "the key's home ledger is asked on every request", 0, 30_000);

/** Side by side. */
export const DESIGNS: readonly Design[] = [LEASES, TTL_60, TTL_10, CENTRAL];

/** The product, wrong in one respect: see mutants. */
export function brokenLeases(mutant: string): Design {
  const found = MUTANTS.find(({ name }) => name === mutant);
  if (!found) throw new RangeError(`there is no mutant ${mutant}`);
  return leases("leases, broken", `the same, wrong on purpose: ${found.says}`, found.machines);
}

function leases(name: string, says: string, machines: Machines): Design {
  const remembering: Machines = { ...machines, keyMemory: () => new KeyMemory(KEYS_REMEMBERED) };
  return { name, says, machines: remembering, settlesInMs: KEYS_KNOWN_IN_MS, evensOutInMs: TUNABLES.replicaLeaseMs };
}

function asking(name: string, says: string, ttlMs: number, evensOutInMs: number): Design {
  const machines: Machines = { ...PRODUCT, isolate: (...input) => new AskingIsolate(ttlMs, ...input) };
  // Caches that were filled at the start run out together: until between two such waves.
  return { name, says, machines, ttlMs, settlesInMs: 1.5 * ttlMs + 5_000, evensOutInMs };
}
