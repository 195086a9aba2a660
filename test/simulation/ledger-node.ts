/** A cell's Durable Object: one life of it around the state that survives. The shell of control-plane/ledger, in the simulation's terms. */
import type { Acknowledgement, LeaseGrant, LeaseRequest } from "../../core/protocol/messages.ts";
import { HOME_CELL } from "../../core/identifier.ts";
import type { Primary } from "../../core/protocol/primary.ts";
import type { Catalogue, Command, LedgerState } from "./ledger-state.ts";
import { regionHosting } from "./latency.ts";
import type { Answer } from "./network.ts";
import { Process, type ClockFault } from "./process.ts";
import type { World } from "./world.ts";

/** Milliseconds before a cell that did not take the catalogue is asked again. */
const MIRROR_RETRY_MS = 500;

/** What the caller of a command learns. */
export interface Outcome {
  readonly seq: number;
}

export class LedgerNode extends Process {
  readonly state: LedgerState;
  readonly #world: World;
  readonly #primary: Primary;
  readonly #waiting = new Map<number, (() => void)[]>();
  /** Since when it has run undisturbed, in true time: the bound on revocations counts from there. */
  undisturbedSinceMs: number;
  /** Another instance has taken its place; it does not know yet. */
  isSuperseded = false;
  #wake = 0;
  #isMirroring = false;

  constructor(world: World, state: LedgerState, clock: ClockFault) {
    const { engine, random } = world;
    super(engine, `cell-${state.cell}`, regionHosting(state.cell), clock, random.fork());
    this.#world = world;
    this.state = state;
    this.undisturbedSinceMs = engine.nowMs;
    const storage = {
      saveHolder: (holder: Parameters<LedgerState["holders"]["set"]>[1]) => void state.holders.set(holder.replica, holder),
      forgetHolder: (replica: string) => void state.holders.delete(replica),
      floorsSince: (seq: number | null) => state.floorsSince(seq),
    };
    this.#primary = world.machines.primary(state.cell, world.tunables, storage, [...state.holders.values()], this.now());
    for (const { seq, replicas } of state.pending()) if (!replicas) this.#primary.committed(seq, this.now());
    this.#drive();
    this.#mirror();
  }

  override pause(ms: number): void {
    super.pause(ms);
    this.undisturbedSinceMs = Math.max(this.undisturbedSinceMs, this.engine.nowMs + ms);
  }

  /** Milliseconds of true time until no replica holds a lease any more, by its own reckoning, if none is granted from now on. */
  get untilNoLeaseMs(): number {
    const endsMs = this.#primary.toJSON().holders.map(({ leaseOverByMs }) => leaseOverByMs - this.now());
    return Math.max(0, ...endsMs) / this.clockRate;
  }

  /** A replica asks for a lease. */
  grant(request: LeaseRequest, answer: Answer<LeaseGrant>): void {
    if (!this.#touch()) return answer(undefined);
    const grant = this.#primary.grant(request, this.now());
    this.#drive();
    answer(grant);
  }

  /** An edge asks for the truth about a token. */
  resolve(key: string, answer: Answer<{ readonly record: ReturnType<LedgerState["record"]> }>): void {
    answer(this.#touch() ? { record: this.state.record(key) } : undefined);
  }

  /** An edge asks where an imported key lives. Its place is noted here for good before it is made there. */
  locate(key: string, answer: Answer<{ readonly cell: number | null }>): void {
    answer(this.#touch() ? { cell: this.#world.cellOf(key) } : undefined);
  }

  /** An edge asks for the route table. */
  routes(answer: Answer<ReturnType<LedgerState["routes"]>>): void {
    answer(this.#touch() ? this.state.routes() : undefined);
  }

  /** Carries a command out and answers when it is in force everywhere. */
  execute(commandId: string, command: Command, answer: Answer<Outcome>): void {
    if (!this.#touch()) return answer(undefined);
    const { seq, isRepeat } = this.state.execute(commandId, command, this.engine.nowMs);
    if (isRepeat) this.#world.coverage.hit("ledger: command repeated");
    else this.#world.committed(this.state, command, commandId);
    if (this.#world.crashesAfterCommit()) {
      this.#world.coverage.hit("ledger: crashed between commit and push");
      return this.#world.crashLedger(this.state.cell);
    }
    this.#committed(seq);
    this.#mirror();
    this.#untilInForce(seq, () => {
      this.#world.returning(this.state.cell, commandId, command, seq);
      answer({ seq });
    });
  }

  /** Takes the home cell's catalogue and answers when it is in force here. */
  takeCatalogue(catalogue: Catalogue, answer: Answer<true>): void {
    if (!this.#touch()) return answer(undefined);
    const before = this.state.seq;
    this.state.take(catalogue, this.engine.nowMs);
    if (this.state.seq > before) this.#world.committed(this.state, undefined);
    this.#committed(this.state.seq);
    const pending = this.#world.machines.waitsForCells ? this.state.pending() : [];
    let left = pending.length;
    if (left === 0) return answer(true);
    for (const { seq } of pending) this.#untilInForce(seq, () => --left === 0 && answer(true));
  }

  #committed(seq: number): void {
    const receipt = this.state.receipts.get(seq);
    if (!receipt || receipt.replicas) return;
    this.#primary.committed(seq, this.now());
    this.#drive();
  }

  #untilInForce(seq: number, tell: () => void): void {
    const receipt = this.state.receipts.get(seq);
    if (!receipt || receipt.isInForce) tell();
    else this.#waiting.set(seq, [...(this.#waiting.get(seq) ?? []), tell]);
  }

  /** Does what the primary says, and comes back when it wants to be asked again. */
  #drive(): void {
    if (!this.#touch()) return;
    const { pushes, inForce, wakeAtMs } = this.#primary.drain(this.now());
    for (const { seq, replicas } of inForce) {
      const receipt = this.state.receipts.get(seq);
      if (!receipt) continue;
      receipt.replicas = replicas;
      this.#world.barrierHeld(this, receipt);
    }
    if (inForce.length > 0) this.#settle();
    for (const { replica, push } of pushes)
      this.#world.network.call(
        "push",
        this,
        () => this.#world.routeToReplica(replica),
        (callee, answer: Answer<Acknowledgement>) => callee.receivePush(push, answer),
        this.#world.tunables.pushTimeoutMs,
        (acknowledgement) => {
          if (!this.#touch()) return;
          this.#primary.pushed(replica, acknowledgement, this.now());
          this.#drive();
        },
      );
    if (wakeAtMs !== null) this.#wakeAt(wakeAtMs);
  }

  #wakeAt(atMs: number): void {
    const wake = ++this.#wake;
    this.timer(atMs - this.now(), () => wake === this.#wake && this.#drive());
  }

  #settle(): void {
    for (const receipt of this.state.pending()) {
      if (receipt.replicas === undefined || (receipt.awaitsCells && this.#world.machines.waitsForCells)) continue;
      receipt.isInForce = true;
      for (const tell of this.#waiting.get(receipt.seq) ?? []) tell();
      this.#waiting.delete(receipt.seq);
    }
  }

  /** Brings the other cells' catalogues up to date. */
  #mirror(): void {
    const { state } = this;
    if (state.cell !== HOME_CELL || this.#isMirroring) return;
    const catalogue = state.catalogue();
    const behind = this.#world.otherCells().filter((cell) => (state.mirrors.get(cell) ?? 0) < catalogue.homeSeq);
    if (behind.length === 0) return this.#confirmed(catalogue.homeSeq);
    this.#isMirroring = true;
    let left = behind.length;
    for (const cell of behind)
      this.#world.network.call(
        "mirror",
        this,
        () => this.#world.routeToLedger(cell),
        (callee, answer: Answer<true>) => callee.takeCatalogue(catalogue, answer),
        this.#world.mirrorDeadlineMs,
        (taken) => {
          if (!this.#touch()) return;
          if (taken) state.mirrors.set(cell, Math.max(state.mirrors.get(cell) ?? 0, catalogue.homeSeq));
          if (--left > 0) return;
          this.#isMirroring = false;
          const isComplete = behind.every((each) => (state.mirrors.get(each) ?? 0) >= catalogue.homeSeq);
          if (isComplete) this.#confirmed(catalogue.homeSeq);
          if (!isComplete || state.catalogueSeq > catalogue.homeSeq) this.timer(isComplete ? 0 : MIRROR_RETRY_MS, () => this.#mirror());
        },
      );
  }

  #confirmed(homeSeq: number): void {
    for (const receipt of this.state.pending()) if (receipt.seq <= homeSeq) receipt.awaitsCells = false;
    this.#settle();
  }

  /** Reads storage: false in an instance that has been superseded, which then does nothing any more. */
  #touch(): boolean {
    if (this.isOver) return false;
    if (!this.isSuperseded) return true;
    this.#world.coverage.hit("ledger: superseded, found out on touching storage");
    return false;
  }
}
