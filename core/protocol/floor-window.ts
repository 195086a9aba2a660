/**
 * What one party knows of a cell's floors: every floor that was raised after entry `base` and up to entry `seq`. Windows are
 * facts about the past of one cell, true whoever tells them and however late, so merging them is always safe; whether a
 * window is fresh enough to decide by is another question, which leases answer.
 *
 * A record that was true at entry n, `base` <= n, is still true at `seq` if no floor of its subjects in the window is above n.
 */
import type { Floor, FloorView, Standing, Subject } from "../floor.ts";

/** Floors kept per cell; older ones are forgotten, and records from before must be fetched afresh. */
export const FLOORS_KEPT_MAX = 1_024;

/** A window that grows as later ones come in. */
export class FloorWindow {
  readonly #keptMax: number;
  #base: number;
  #seq: number;
  /** By the entry that raised it last, oldest first. */
  #floors = new Map<Subject, Floor>();

  constructor(view: FloorView, keptMax: number = FLOORS_KEPT_MAX) {
    this.#keptMax = keptMax;
    this.#base = view.completeFrom;
    this.#seq = view.seq;
    this.#take(view.floors);
  }

  /** The window vouches for records that were true at this entry or a later one. */
  get base(): number {
    return this.#base;
  }

  /** The latest entry it covers. */
  get seq(): number {
    return this.#seq;
  }

  /**
   * Takes in what somebody tells. Windows that overlap or touch become one; beyond a gap the newer one stands alone, and what
   * was known before is forgotten, because a floor may have been raised in the gap.
   */
  merge(view: FloorView): void {
    if (view.completeFrom > this.#seq) return this.#replace(view);
    if (view.seq < this.#base) return;
    this.#base = Math.min(this.#base, view.completeFrom);
    this.#seq = Math.max(this.#seq, view.seq);
    this.#take(view.floors);
  }

  /** All of it, or what came after `since` if the window reaches back that far. */
  view(since: number | null): FloorView {
    if (since === null || since < this.#base) return { completeFrom: this.#base, seq: this.#seq, floors: [...this.#floors.values()] };
    return { completeFrom: Math.min(since, this.#seq), seq: this.#seq, floors: this.#after(since) };
  }

  /** Whether a record that was true at entry `trueAt` is so still. */
  standing(subjects: readonly Subject[], trueAt: number): Standing {
    let standing: Standing = trueAt < this.#base ? "superseded" : "current";
    for (const subject of subjects) {
      const floor = this.#floors.get(subject);
      if (floor === undefined) continue;
      if (trueAt < floor.revokedBelow) return "revoked";
      if (trueAt < floor.supersededBelow) standing = "superseded";
    }
    return standing;
  }

  /** All it knows, to be looked at. */
  toJSON(): FloorView {
    return this.view(null);
  }

  #replace(view: FloorView): void {
    this.#floors = new Map();
    this.#base = view.completeFrom;
    this.#seq = view.seq;
    this.#take(view.floors);
  }

  #take(floors: readonly Floor[]): void {
    for (const floor of floors) {
      const held = this.#floors.get(floor.subject);
      const risen = held === undefined ? floor : higherOf(held, floor);
      if (risen === held) continue;
      this.#floors.delete(floor.subject);
      this.#floors.set(floor.subject, risen);
    }
    if (this.#floors.size > this.#keptMax) this.#forgetOldest();
  }

  /** Everything raised at or before the newest forgotten floor is no longer vouched for. */
  #forgetOldest(): void {
    const inOrder = [...this.#floors.values()].toSorted((one, other) => raisedAt(one) - raisedAt(other));
    const kept = inOrder.slice(-this.#keptMax);
    for (const floor of inOrder.slice(0, inOrder.length - kept.length)) this.#base = Math.max(this.#base, raisedAt(floor));
    this.#floors = new Map(kept.map((floor) => [floor.subject, floor]));
  }

  #after(since: number): Floor[] {
    return [...this.#floors.values()].filter((floor) => raisedAt(floor) > since);
  }
}

/** The entry that raised a floor last. */
export function raisedAt(floor: Floor): number {
  return Math.max(floor.revokedBelow, floor.supersededBelow);
}

/** Both raised as far as either of the two; `held` itself if the other one adds nothing. */
function higherOf(held: Floor, other: Floor): Floor {
  if (other.revokedBelow <= held.revokedBelow && other.supersededBelow <= held.supersededBelow) return held;
  return {
    subject: held.subject,
    revokedBelow: Math.max(held.revokedBelow, other.revokedBelow),
    supersededBelow: Math.max(held.supersededBelow, other.supersededBelow),
  };
}
