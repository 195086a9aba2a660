/**
 * The protocol, each time wrong in one respect. They exist only here: the simulator must find every one of them, or it could not
 * find such a mistake in the product either.
 */
import { KeyMemory, type KnownRecord } from "../../core/edge/key-memory.ts";
import { EdgeRequest } from "../../core/edge/request.ts";
import type { Resolution } from "../../core/ledger-reader.ts";
import { EdgeViews, type CellView, type Freshness, type Refresh } from "../../core/protocol/edge-views.ts";
import type { FloorView } from "../../core/floor.ts";
import type { FloorWindow } from "../../core/protocol/floor-window.ts";
import type { Acknowledgement, CellSync, Push } from "../../core/protocol/messages.ts";
import { Primary, type PrimaryStorage, type StoredHolder } from "../../core/protocol/primary.ts";
import { Replica } from "../../core/protocol/replica.ts";
import { leaseBoundMs, type Tunables } from "../../core/protocol/tunables.ts";
import type { PreparedRoute } from "../../core/prepared-route.ts";
import { KEYS_REMEMBERED, PRODUCT, type Machines } from "./machines.ts";

/** A mutant and what is wrong with it. */
interface Mutant {
  readonly name: string;
  readonly says: string;
  readonly machines: Machines;
}

type PrimaryInput = readonly [number, Tunables, PrimaryStorage, readonly StoredHolder[], number];

function withPrimary(Wrong: new (...input: PrimaryInput) => Primary): Machines {
  return { ...PRODUCT, primary: (...input) => new Wrong(...input) };
}

function withReplica(Wrong: new (name: string, epoch: number, floorsKeptMax: number) => Replica): Machines {
  return { ...PRODUCT, replica: (...input) => new Wrong(...input) };
}

function withViews(Wrong: new (floorsKeptMax: number) => EdgeViews): Machines {
  return { ...PRODUCT, edgeViews: (...input) => new Wrong(...input) };
}

function withRequest(Wrong: new (...input: ConstructorParameters<typeof EdgeRequest>) => EdgeRequest): Machines {
  return { ...PRODUCT, edgeRequest: (...input) => new Wrong(...input) };
}

class ReturnsBeforeAcknowledgements extends Primary {
  protected override barrierOf(seq: number, nowMs: number): ReturnType<Primary["barrierOf"]> {
    return { ...super.barrierOf(seq, nowMs), waiting: new Map() };
  }
}

class IgnoresEdgeLeases extends Primary {
  protected override edgesOverByMs(_holder: StoredHolder, nowMs: number): number {
    return nowMs;
  }
}

class HasNoMargin extends Primary {
  protected override leaseOverByMs(holder: StoredHolder, nowMs: number): number {
    return nowMs + holder.leaseMs;
  }

  protected override edgesOverByMs(holder: StoredHolder, nowMs: number): number {
    return nowMs + holder.edgeLeaseMs;
  }
}

class IgnoresDrift extends Primary {
  protected override leaseOverByMs(holder: StoredHolder, nowMs: number): number {
    return nowMs + leaseBoundMs(holder.leaseMs, { ...this.tunables, clockDriftMax: 0 });
  }

  protected override edgesOverByMs(holder: StoredHolder, nowMs: number): number {
    return nowMs + leaseBoundMs(holder.edgeLeaseMs, { ...this.tunables, clockDriftMax: 0 });
  }
}

class HasTooSmallAMargin extends Primary {
  protected override leaseOverByMs(holder: StoredHolder, nowMs: number): number {
    return nowMs + boundWithOneLagMs(holder.leaseMs, this.tunables);
  }

  protected override edgesOverByMs(holder: StoredHolder, nowMs: number): number {
    return nowMs + boundWithOneLagMs(holder.edgeLeaseMs, this.tunables);
  }
}

function boundWithOneLagMs(leaseMs: number, tunables: Tunables): number {
  return leaseBoundMs(leaseMs, { ...tunables, clockLagMs: 0 }) + tunables.clockLagMs;
}

class ForgetsHoldersEarly extends Primary {
  override drain(nowMs: number): ReturnType<Primary["drain"]> {
    const work = super.drain(nowMs);
    for (const { replica, leaseOverByMs } of this.holders.values()) if (leaseOverByMs <= nowMs) this.holders.delete(replica);
    return work;
  }
}

class TakesSilenceForConsent extends Primary {
  override pushed(replica: string, answer: Acknowledgement | undefined, nowMs: number): void {
    super.pushed(replica, answer ?? { epoch: this.holders.get(replica)?.epoch ?? 0, knows: Number.POSITIVE_INFINITY }, nowMs);
  }
}

class CountsLeaseFromReply extends Replica {
  protected override leaseEndsAtMs(_askedAtMs: number, leaseMs: number, nowMs: number): number {
    return nowMs + leaseMs;
  }
}

class AnswersWithoutLease extends Replica {
  protected override remainingMs(held: Parameters<Replica["remainingMs"]>[0], nowMs: number): number {
    return Math.max(1, super.remainingMs(held, nowMs));
  }
}

class AcknowledgesWithoutLearning extends Replica {
  override pushed(push: Push): Acknowledgement {
    const knows = push.window.seq;
    return { ...super.pushed({ ...push, window: { ...push.window, floors: [] } }), knows };
  }
}

/** An older window that ends before what is known begins, as if it reached that far. */
function bridged(window: FloorView, known: FloorWindow | undefined): FloorView {
  return known && window.seq < known.base ? { ...window, seq: known.base } : window;
}

class BridgesGapsInPushes extends Replica {
  override pushed(push: Push): Acknowledgement {
    return super.pushed({ ...push, window: bridged(push.window, this.cells.get(push.cell)?.window) });
  }
}

class BridgesGaps extends EdgeViews {
  protected override viewAfter(
    held: CellView | undefined,
    refresh: Refresh,
    sync: Extract<CellSync, { answered: true }>,
    nowMs: number,
  ): CellView {
    return super.viewAfter(held, refresh, { ...sync, window: bridged(sync.window, held?.window) }, nowMs);
  }
}

class IgnoresGaps extends EdgeViews {
  protected override viewAfter(
    held: CellView | undefined,
    refresh: Refresh,
    sync: Extract<CellSync, { answered: true }>,
    nowMs: number,
  ): CellView {
    return super.viewAfter(held, refresh, { ...sync, window: { ...sync.window, completeFrom: 0 } }, nowMs);
  }
}

class CountsEdgeLeaseFromReply extends EdgeViews {
  protected override viewAfter(
    held: CellView | undefined,
    refresh: Refresh,
    sync: Extract<CellSync, { answered: true }>,
    nowMs: number,
  ): CellView {
    return super.viewAfter(held, { ...refresh, askedAtMs: nowMs }, sync, nowMs);
  }
}

class ForgetsWhatItKnew extends EdgeViews {
  protected override viewAfter(
    held: CellView | undefined,
    refresh: Refresh,
    sync: Extract<CellSync, { answered: true }>,
    nowMs: number,
  ): CellView {
    // A delta is taken for the whole, so that floors from before are gone; the base stays as low as it was.
    const base = held?.window.base ?? sync.window.completeFrom;
    return super.viewAfter(undefined, refresh, { ...sync, window: { ...sync.window, completeFrom: base } }, nowMs);
  }
}

class TakesAnyQuestionForStrict extends EdgeViews {
  override isLive(view: CellView | undefined, freshness: Freshness, nowMs: number): view is CellView {
    return super.isLive(view, { ...freshness, maxAgeMs: freshness.maxAgeMs === 0 ? Number.POSITIVE_INFINITY : freshness.maxAgeMs }, nowMs);
  }
}

class ChecksOnlyOnce extends EdgeRequest {
  #found: ReturnType<EdgeRequest["usableViews"]> | undefined;

  protected override usableViews(route: PreparedRoute | undefined, nowMs: number): ReturnType<EdgeRequest["usableViews"]> {
    if (typeof this.#found === "object" && "seq" in this.#found) return this.#found;
    this.#found = super.usableViews(route, nowMs);
    return this.#found;
  }
}

class TrustsLateFills extends EdgeRequest {
  override recordResolved(resolution: Resolution | undefined, nowMs: number): void {
    // What was asked for before is taken to be true as of now.
    const cell = this.candidate.presented?.token.cell ?? 0;
    const seq = this.edge.views.view(cell)?.window.seq ?? 0;
    super.recordResolved(
      resolution?.found ? { found: true, record: { ...resolution.record, stamp: Math.max(seq, resolution.record.stamp) } } : resolution,
      nowMs,
    );
  }
}

class TrustsKv extends EdgeRequest {
  override recordRead(published: Parameters<EdgeRequest["recordRead"]>[0]): void {
    const cell = this.candidate.presented?.token.cell ?? 0;
    const stamp = this.edge.views.view(cell)?.window.seq ?? 0;
    super.recordRead(published.value ? { ...published, value: { ...published.value, stamp } } : published);
  }
}

class RaisesTheDead extends KeyMemory {
  protected override outranks(held: KnownRecord | undefined, found: KnownRecord): boolean {
    // The newest fill wins, whatever it is, and counts as true as what it replaced.
    if (held && found.record.state === "active") Object.assign(found, { trueAt: Math.max(held.trueAt, found.trueAt) });
    return false;
  }
}

/** All of them. */
export const MUTANTS: readonly Mutant[] = [
  {
    name: "returns_before_acknowledgements",
    says: "the barrier waits for no replica",
    machines: withPrimary(ReturnsBeforeAcknowledgements),
  },
  { name: "ignores_edge_leases", says: "the barrier does not wait out what replicas passed on", machines: withPrimary(IgnoresEdgeLeases) },
  { name: "has_no_margin", says: "leases are waited for as long as they last, drift or not", machines: withPrimary(HasNoMargin) },
  { name: "ignores_drift", says: "the margin of leases leaves out that clocks drift", machines: withPrimary(IgnoresDrift) },
  {
    name: "has_too_small_a_margin",
    says: "the margin of leases holds one lag where two are needed",
    machines: withPrimary(HasTooSmallAMargin),
  },
  {
    name: "forgets_holders_early",
    says: "holders are forgotten when their lease is over, although edges' leases that came of it are not",
    machines: withPrimary(ForgetsHoldersEarly),
  },
  {
    name: "takes_silence_for_consent",
    says: "a push that was not answered counts as acknowledged",
    machines: withPrimary(TakesSilenceForConsent),
  },
  {
    name: "forgets_leases_on_restart",
    says: "a primary that starts again knows of no lease",
    machines: { ...PRODUCT, primary: (cell, tunables, storage, _stored, nowMs) => PRODUCT.primary(cell, tunables, storage, [], nowMs) },
  },
  {
    name: "counts_lease_from_reply",
    says: "a replica counts its lease from the grant's arrival",
    machines: withReplica(CountsLeaseFromReply),
  },
  { name: "answers_without_lease", says: "a replica answers after its lease has run out", machines: withReplica(AnswersWithoutLease) },
  {
    name: "acknowledges_without_learning",
    says: "a replica acknowledges floors and forgets them",
    machines: withReplica(AcknowledgesWithoutLearning),
  },
  {
    name: "answers_when_superseded",
    says: "a replica answers from memory without touching storage",
    machines: { ...PRODUCT, touchesStorage: false },
  },
  { name: "ignores_gaps", says: "an edge takes a later window for the next one", machines: withViews(IgnoresGaps) },
  {
    name: "bridges_gaps",
    says: "an older window is taken in although something may have been raised between it and what is known",
    machines: {
      ...PRODUCT,
      replica: (...input) => new BridgesGapsInPushes(...input),
      edgeViews: (...input) => new BridgesGaps(...input),
    },
  },
  { name: "forgets_what_it_knew", says: "an edge takes a delta for the whole", machines: withViews(ForgetsWhatItKnew) },
  {
    name: "counts_edge_lease_from_reply",
    says: "an edge counts its lease from the answer's arrival",
    machines: withViews(CountsEdgeLeaseFromReply),
  },
  {
    name: "takes_any_question_for_strict",
    says: "freshness 0 is served by a question from before the request",
    machines: withViews(TakesAnyQuestionForStrict),
  },
  { name: "checks_only_once", says: "an edge does not check its lease again after waiting", machines: withRequest(ChecksOnlyOnce) },
  {
    name: "trusts_late_fills",
    says: "a fill that was begun before a change counts as made after it",
    machines: withRequest(TrustsLateFills),
  },
  { name: "trusts_kv", says: "what KV says counts as true now", machines: withRequest(TrustsKv) },
  {
    name: "raises_the_dead",
    says: "a fill replaces whatever is there, tombstones too",
    machines: { ...PRODUCT, keyMemory: () => new RaisesTheDead(KEYS_REMEMBERED) },
  },
  {
    name: "returns_before_other_cells",
    says: "a change of roles returns when the home cell has it",
    machines: { ...PRODUCT, waitsForCells: false },
  },
];
