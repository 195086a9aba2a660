/** Which faults were on when. */
import { FAULTS, type Fault, type FaultName } from "./faults.ts";
import type { Interval } from "./oracle.ts";

/** Everything that has happened is in the log by then, in ms. */
export const NOTICED_AFTER_MS = 3_000;

interface Period {
  readonly name: FaultName;
  readonly fromMs: number;
  toMs: number;
}

/** A run's faults. */
export class FaultLog {
  readonly #periods: Period[] = [];

  /** A fault begins now; call what is returned when it is over. */
  begin(name: FaultName, nowMs: number): (atMs: number) => void {
    const period: Period = { name, fromMs: nowMs, toMs: Number.POSITIVE_INFINITY };
    this.#periods.push(period);
    return (atMs) => void (period.toMs = atMs);
  }

  /** A fault has been noticed when it was over. */
  note(name: FaultName, { fromMs, toMs }: Interval): void {
    this.#periods.push({ name, fromMs, toMs });
  }

  /** Faults that were on, or whose aftermath lasted, at some moment of an interval, and that suit. */
  during({ fromMs, toMs }: Interval, suits: (fault: Fault) => boolean): FaultName[] {
    const names = this.#periods
      .filter((each) => each.fromMs <= toMs && each.toMs + FAULTS[each.name].aftermathMs >= fromMs && suits(FAULTS[each.name]))
      .map(({ name }) => name);
    return [...new Set(names)];
  }

  /** How often each fault was on. */
  counts(): Map<FaultName, number> {
    return new Map([...Map.groupBy(this.#periods, ({ name }) => name)].map(([name, periods]) => [name, periods.length]));
  }
}
