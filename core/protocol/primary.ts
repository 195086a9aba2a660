/**
 * The primary: who may answer for this cell from memory, and when an entry is in force everywhere.
 *
 * Invariants, by which docs/protocol.md proves the promise:
 * - P1 Whoever may answer is known: a holder is stored before its lease is granted, and forgotten only when that lease and every
 *   edge lease it can have passed on have run out.
 * - P2 A grant carries every floor of the entries before it, and every floor after it is pushed to its holder.
 * - P3 An entry is in force when each holder of a lease from before the entry has confirmed the entry or lost that lease, and a
 *   whole edge lease has run out since.
 *
 * No I/O and no clock of its own: every input brings the time, {@link Primary.drain} gives what is to be done. Storage is a
 * synchronous port.
 */
import type { FloorView } from "../floor.ts";
import type { Acknowledgement, InForce, LeaseGrant, LeaseRequest, Push, ReplicaOutcome } from "./messages.ts";
import { leaseBoundMs, type Tunables } from "./tunables.ts";

/** A replica that may hold a lease, as stored: what it was granted at most. */
export interface StoredHolder {
  readonly replica: string;
  readonly epoch: number;
  readonly leaseMs: number;
  readonly edgeLeaseMs: number;
}

/** What the primary keeps. Everything is done when the call returns, and before any message leaves. */
export interface PrimaryStorage {
  /** Replaces what was stored of the replica. */
  saveHolder(holder: StoredHolder): void;
  forgetHolder(replica: string): void;
  /** Floors after an entry, or as many of the latest as are kept. */
  floorsSince(seq: number | null): FloorView;
}

/** A holder with what is only known since this start. */
interface Holder extends StoredHolder {
  /** On this primary's clock: its latest lease has run out by then for sure. */
  leaseOverByMs: number;
  /** Up to which entry it is known to know the floors. */
  knows: number;
  pushing: boolean;
  /** Not to be pushed to before. */
  pushAtMs: number;
}

/** A lease that was running when an entry was committed. */
interface RunningLease extends StoredHolder {
  readonly leaseOverByMs: number;
}

/** An entry on its way to being in force everywhere. */
interface Barrier {
  readonly seq: number;
  /** By replica: leases under which answers without the entry may still be given. */
  readonly waiting: Map<string, RunningLease>;
  readonly outcomes: Map<string, ReplicaOutcome>;
  /** Edge leases passed on by those who no longer stand in the way have run out by then. */
  edgesOverByMs: number;
}

/** A push that is to be sent now. Its outcome is to be reported to {@link Primary.pushed}. */
interface OutgoingPush {
  readonly replica: string;
  readonly push: Push;
}

/** What is to be done. */
interface PrimaryWork {
  readonly pushes: readonly OutgoingPush[];
  /** Entries that have just come into force, each told once. */
  readonly inForce: readonly InForce[];
  /** When to call {@link Primary.drain} again at the latest, or null. Holders are forgotten whenever there is something else to do. */
  readonly wakeAtMs: number | null;
}

/** The primary of one cell. Times are milliseconds on its clock. */
export class Primary {
  readonly #cell: number;
  readonly #storage: PrimaryStorage;
  protected readonly tunables: Tunables;
  protected readonly holders = new Map<string, Holder>();
  readonly #barriers = new Map<number, Barrier>();
  #seq: number;

  /** Starts with the holders that were stored: how much of their leases is left is not known, so all of it. */
  constructor(cell: number, tunables: Tunables, storage: PrimaryStorage, stored: readonly StoredHolder[], nowMs: number) {
    this.#cell = cell;
    this.tunables = tunables;
    this.#storage = storage;
    this.#seq = storage.floorsSince(null).seq;
    for (const holder of stored) this.#hold(holder, this.leaseOverByMs(holder, nowMs));
  }

  /** Grants a lease: everything raised so far goes with it, everything later is pushed. */
  grant(request: LeaseRequest, nowMs: number): LeaseGrant | undefined {
    const { replica, epoch, since } = request;
    const held = this.holders.get(replica);
    // A message from an earlier life of the replica.
    if (held && epoch < held.epoch) return undefined;
    const holder = this.#atLeast(held, { replica, epoch, leaseMs: this.tunables.replicaLeaseMs, edgeLeaseMs: this.tunables.edgeLeaseMs });
    if (!held || !sameTerms(held, holder)) this.#storage.saveHolder(holder);
    const window = this.#storage.floorsSince(since);
    this.acknowledged(this.#hold(holder, this.leaseOverByMs(holder, nowMs)), { epoch, knows: since ?? 0 }, nowMs);
    return { leaseMs: this.tunables.replicaLeaseMs, edgeLeaseMs: this.tunables.edgeLeaseMs, window };
  }

  /** An entry that raises floors has been committed. Said again for the same entry, it changes nothing. */
  committed(seq: number, nowMs: number): void {
    this.#seq = Math.max(this.#seq, seq);
    if (!this.#barriers.has(seq)) this.#barriers.set(seq, this.barrierOf(seq, nowMs));
  }

  /** A push has been answered, or has not: refused, lost, or not answered in time. */
  pushed(replica: string, answer: Acknowledgement | undefined, nowMs: number): void {
    const holder = this.holders.get(replica);
    if (!holder) return;
    holder.pushing = false;
    if (!answer) holder.pushAtMs = nowMs + this.tunables.pushRetryMs;
    else this.acknowledged(holder, answer, nowMs);
  }

  /** What is to be done now, and when to ask again. */
  drain(nowMs: number): PrimaryWork {
    const inForce = [...this.#barriers.values()]
      .filter((barrier) => this.#isInForce(barrier, nowMs))
      .map((barrier) => this.#close(barrier, nowMs));
    this.#forgetHolders(nowMs);
    const pushes = [...this.holders.values()].filter((holder) => this.#isDue(holder, nowMs)).map((holder) => this.#push(holder));
    return { pushes, inForce, wakeAtMs: this.#wakeAtMs(nowMs) };
  }

  /** All it knows, to be looked at. */
  toJSON() {
    const barriers = [...this.#barriers.values()].map((barrier) => ({
      ...barrier,
      waiting: [...barrier.waiting.values()],
      outcomes: [...barrier.outcomes],
    }));
    return { seq: this.#seq, holders: [...this.holders.values()], barriers };
  }

  /** When the lease granted at this moment will have run out for sure. */
  protected leaseOverByMs(holder: StoredHolder, nowMs: number): number {
    return nowMs + leaseBoundMs(holder.leaseMs, this.tunables);
  }

  /** When every edge lease passed on by the holder will have run out, if it passes on none without the entry after this moment. */
  protected edgesOverByMs(holder: StoredHolder, nowMs: number): number {
    return nowMs + leaseBoundMs(holder.edgeLeaseMs, this.tunables);
  }

  /** Everyone who may answer without the entry, as of its commit. */
  protected barrierOf(seq: number, nowMs: number): Barrier {
    const waiting = new Map([...this.holders.values()].map((holder) => [holder.replica, { ...holder }]));
    return { seq, waiting, outcomes: new Map(), edgesOverByMs: nowMs };
  }

  /** A life of a replica knows the floors up to an entry: barriers that waited only for that wait for it no longer. */
  protected acknowledged(holder: Holder, { epoch, knows }: Acknowledgement, nowMs: number): void {
    // A later life means that the one which held the lease is over: storage does not let it answer any more. What an earlier
    // life says tells nothing of the present one.
    if (epoch > holder.epoch) holder.leaseOverByMs = Math.min(holder.leaseOverByMs, nowMs);
    else if (epoch === holder.epoch) holder.knows = Math.max(holder.knows, knows);
    for (const barrier of this.#barriers.values()) {
      const waiting = barrier.waiting.get(holder.replica);
      if (waiting && (epoch > waiting.epoch || (epoch === waiting.epoch && knows >= barrier.seq)))
        this.#settle(barrier, waiting, "acknowledged", nowMs);
    }
  }

  #settle(barrier: Barrier, lease: RunningLease, outcome: ReplicaOutcome, atMs: number): void {
    barrier.waiting.delete(lease.replica);
    barrier.outcomes.set(lease.replica, outcome);
    barrier.edgesOverByMs = Math.max(barrier.edgesOverByMs, this.edgesOverByMs(lease, atMs));
  }

  #isInForce(barrier: Barrier, nowMs: number): boolean {
    for (const lease of barrier.waiting.values()) {
      if (lease.leaseOverByMs <= nowMs) this.#settle(barrier, lease, "lease_expired", lease.leaseOverByMs);
    }
    return barrier.waiting.size === 0 && barrier.edgesOverByMs <= nowMs;
  }

  #close({ seq, outcomes }: Barrier, nowMs: number): InForce {
    this.#barriers.delete(seq);
    return { seq, atMs: nowMs, replicas: Object.fromEntries(outcomes) };
  }

  #forgetHolders(nowMs: number): void {
    for (const holder of this.holders.values()) {
      if (this.edgesOverByMs(holder, holder.leaseOverByMs) > nowMs) continue;
      this.holders.delete(holder.replica);
      this.#storage.forgetHolder(holder.replica);
    }
  }

  #isDue(holder: Holder, nowMs: number): boolean {
    return this.#isToBePushed(holder, nowMs) && holder.pushAtMs <= nowMs;
  }

  /** Pushed to is who holds a lease, now and when its turn has come, and does not know everything. */
  #isToBePushed(holder: Holder, nowMs: number): boolean {
    return !holder.pushing && holder.knows < this.#seq && holder.leaseOverByMs > Math.max(nowMs, holder.pushAtMs);
  }

  #push(holder: Holder): OutgoingPush {
    holder.pushing = true;
    return { replica: holder.replica, push: { cell: this.#cell, window: this.#storage.floorsSince(holder.knows) } };
  }

  /** When the next lease ends, the next entry can come into force, or the next push is due: a running minimum, for there may be many. */
  #wakeAtMs(nowMs: number): number | null {
    let atMs = Number.POSITIVE_INFINITY;
    for (const { waiting, edgesOverByMs } of this.#barriers.values()) {
      if (waiting.size === 0) atMs = Math.min(atMs, edgesOverByMs);
      for (const { leaseOverByMs } of waiting.values()) atMs = Math.min(atMs, leaseOverByMs);
    }
    for (const holder of this.holders.values()) if (this.#isToBePushed(holder, nowMs)) atMs = Math.min(atMs, holder.pushAtMs);
    return atMs === Number.POSITIVE_INFINITY ? null : Math.max(nowMs, atMs);
  }

  #hold(stored: StoredHolder, leaseOverByMs: number): Holder {
    const held = this.holders.get(stored.replica);
    const isSameLife = held?.epoch === stored.epoch;
    const holder: Holder = {
      ...stored,
      leaseOverByMs: Math.max(leaseOverByMs, held?.leaseOverByMs ?? 0),
      knows: isSameLife ? held.knows : 0,
      pushing: isSameLife && held.pushing,
      pushAtMs: 0,
    };
    this.holders.set(stored.replica, holder);
    return holder;
  }

  /** The terms to store: at least as long as anything still running. */
  #atLeast(held: StoredHolder | undefined, asked: StoredHolder): StoredHolder {
    return {
      ...asked,
      leaseMs: Math.max(asked.leaseMs, held?.leaseMs ?? 0),
      edgeLeaseMs: Math.max(asked.edgeLeaseMs, held?.edgeLeaseMs ?? 0),
    };
  }
}

function sameTerms(held: StoredHolder, asked: StoredHolder): boolean {
  return held.epoch === asked.epoch && held.leaseMs === asked.leaseMs && held.edgeLeaseMs === asked.edgeLeaseMs;
}
