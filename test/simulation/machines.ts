/**
 * The state machines of the product, as the simulation makes them. A mutant is another set of these, wrong in one respect: the
 * product itself has no switch for being wrong.
 */
import { KeyMemory } from "../../core/edge/key-memory.ts";
import type { Candidate } from "../../core/edge/candidate.ts";
import { EdgeRequest, type Edge } from "../../core/edge/request.ts";
import { EdgeViews } from "../../core/protocol/edge-views.ts";
import { Primary, type PrimaryStorage, type StoredHolder } from "../../core/protocol/primary.ts";
import { Replica } from "../../core/protocol/replica.ts";
import type { Tunables } from "../../core/protocol/tunables.ts";
import { EdgeNode, type Isolate } from "./edge-node.ts";
import type { SimulatedRegion } from "./latency.ts";
import type { ClockFault } from "./process.ts";
import type { World } from "./world.ts";

/** Few, so that keys are forgotten and come again. */
export const KEYS_REMEMBERED = 12;

/** How each machine is made. */
export interface Machines {
  /** An isolate around the machines of an edge. */
  isolate(world: World, name: string, region: SimulatedRegion, clock: ClockFault): Isolate;
  primary(cell: number, tunables: Tunables, storage: PrimaryStorage, stored: readonly StoredHolder[], nowMs: number): Primary;
  replica(name: string, epoch: number, floorsKeptMax: number): Replica;
  edgeViews(floorsKeptMax: number): EdgeViews;
  keyMemory(): KeyMemory;
  edgeRequest(edge: Edge, candidate: Candidate): EdgeRequest;
  /** Whether a process that answers from memory touches storage first. */
  readonly touchesStorage: boolean;
  /** Whether a change of roles returns only when every cell has it in force. */
  readonly waitsForCells: boolean;
}

/** The product as it is. */
export const PRODUCT: Machines = {
  isolate: (...input) => new EdgeNode(...input),
  primary: (...input) => new Primary(...input),
  replica: (...input) => new Replica(...input),
  edgeViews: (...input) => new EdgeViews(...input),
  keyMemory: () => new KeyMemory(KEYS_REMEMBERED),
  edgeRequest: (...input) => new EdgeRequest(...input),
  touchesStorage: true,
  waitsForCells: true,
};
