/** A replica's Durable Object: one life of it. The shell of control-plane/ledger-replica, in the simulation's terms. */
import type { Acknowledgement, LeaseGrant, Push, SyncAnswer, SyncRequest } from "../../core/protocol/messages.ts";
import type { Replica } from "../../core/protocol/replica.ts";
import { DEADLINES_MS } from "../../core/protocol/tunables.ts";
import type { SimulatedRegion } from "./latency.ts";
import type { Answer } from "./network.ts";
import { Process, type ClockFault } from "./process.ts";
import type { World } from "./world.ts";

/** How often a question waits for leases before it is answered with what there is. */
const RENEWAL_ROUNDS = 2;

export class ReplicaNode extends Process {
  readonly #world: World;
  readonly #machine: Replica;
  /** Who waits for a lease that is being asked for, by cell. */
  readonly #renewals = new Map<number, (() => void)[]>();
  /** Up to which entry of each cell it is known to know: for the check of freshness 0. */
  readonly knows = new Map<number, number>();
  isSuperseded = false;

  constructor(world: World, region: SimulatedRegion, epoch: number, clock: ClockFault) {
    super(world.engine, `${region}-0`, region, clock, world.random.fork());
    this.#world = world;
    this.#machine = world.machines.replica(this.name, epoch, world.floorsKeptMax);
  }

  /** An edge asks. */
  sync(request: SyncRequest, answer: Answer<SyncAnswer>, rounds = RENEWAL_ROUNDS): void {
    const { waited, waitMs, meanwhile } = this.#machine.due(request, this.now());
    if (rounds === 0) return this.#answer(request, answer);
    for (const cell of meanwhile) this.#renew(cell, () => {});
    if (waited.length === 0) return this.#answer(request, answer);
    let left = waited.length;
    let isOver = false;
    const goOn = () => {
      if (isOver) return;
      isOver = true;
      this.sync(request, answer, rounds - 1);
    };
    this.engine.after(waitMs, () => this.deliver(goOn));
    for (const cell of waited) this.#renew(cell, () => --left === 0 && goOn());
  }

  /** A cell tells of floors it has raised. */
  receivePush(push: Push, answer: Answer<Acknowledgement>): void {
    if (!this.#touch()) return answer(undefined);
    const acknowledgement = this.#machine.pushed(push);
    this.knows.set(push.cell, Math.max(this.knows.get(push.cell) ?? 0, acknowledgement.knows));
    answer(acknowledgement);
  }

  #answer(request: SyncRequest, answer: Answer<SyncAnswer>): void {
    answer(this.#touch() ? this.#machine.answer(request, this.now()) : undefined);
  }

  #renew(cell: number, then: () => void): void {
    const waiting = this.#renewals.get(cell);
    if (waiting) return void waiting.push(then);
    const joined = [then];
    this.#renewals.set(cell, joined);
    const renewal = this.#machine.renewal(cell, this.now());
    this.#world.network.call(
      "lease",
      this,
      () => this.#world.routeToLedger(cell),
      (callee, answer: Answer<LeaseGrant>) => callee.grant(renewal.request, answer),
      DEADLINES_MS.lease,
      (grant) => {
        this.#renewals.delete(cell);
        if (grant) this.#machine.granted(renewal, grant, this.now());
        for (const each of joined) each();
      },
    );
  }

  /** Reads storage: false in an instance that has been superseded. */
  #touch(): boolean {
    if (this.isOver) return false;
    if (!this.isSuperseded || !this.#world.machines.touchesStorage) return true;
    this.#world.coverage.hit("replica: superseded, found out on touching storage");
    return false;
  }
}
