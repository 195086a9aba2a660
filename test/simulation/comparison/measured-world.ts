/** The simulated world with a stopwatch: what is judged of every decision is also counted. */
import type { Decision } from "../../../core/edge/request.ts";
import type { Exchange } from "../edge-node.ts";
import { SIMULATED_REGIONS } from "../latency.ts";
import type { Command } from "../ledger-state.ts";
import { World } from "../world.ts";

/** What has been counted so far. */
export interface Counts {
  readonly decisions: number;
  readonly kvReads: number;
  /** Calls of Durable Objects, by what they are about. */
  readonly calls: ReadonlyMap<string, number>;
}

export class MeasuredWorld extends World {
  readonly #returnedAtMs = new Map<string, number>();
  /** Milliseconds from arrival to decision, of each request while it is being measured. */
  readonly checksMs: number[] = [];
  isMeasuring = false;
  /** Requests that arrived after their key's revocation had returned, and were accepted. */
  acceptedRevoked = 0;
  /** Requests that had arrived before it, and were accepted when it had returned. */
  acceptedUnderWay = 0;
  /** The longest time after a revocation had returned at which such a request was accepted. */
  residualWindowMs = 0;

  override returning(cell: number, commandId: string, command: Command, seq: number): void {
    // Noted before anybody is told, so that whoever acts on it arrives afterwards.
    if (command.type === "revoke" && !this.#returnedAtMs.has(command.key)) this.#returnedAtMs.set(command.key, this.engine.nowMs);
    super.returning(cell, commandId, command, seq);
  }

  override decided(exchange: Exchange, decision: Decision): void {
    super.decided(exchange, decision);
    const { nowMs } = this.engine;
    if (this.isMeasuring) this.checksMs.push(nowMs - exchange.arrivedAtMs);
    const returnedAtMs = exchange.key === null ? undefined : this.#returnedAtMs.get(exchange.key);
    if ("reason" in decision || returnedAtMs === undefined) return;
    if (exchange.arrivedAtMs < returnedAtMs) this.acceptedUnderWay += 1;
    else this.#acceptedAfter(nowMs - returnedAtMs);
  }

  #acceptedAfter(ms: number): void {
    this.acceptedRevoked += 1;
    this.residualWindowMs = Math.max(this.residualWindowMs, ms);
  }

  /** Counts up to now. */
  counts(): Counts {
    const kvReads = SIMULATED_REGIONS.reduce((sum, region) => sum + this.kvIn(region).reads, 0);
    return { decisions: this.decisions, kvReads, calls: new Map(this.network.sent) };
  }
}
