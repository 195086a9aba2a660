import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Floor, FloorView, Subject } from "../../core/floor.ts";
import { FloorWindow } from "../../core/protocol/floor-window.ts";

const subject = (n: number): Subject => `key:${n}`;
const revoked = (n: number, seq: number): Floor => ({ subject: subject(n), revokedBelow: seq, supersededBelow: 0 });
const view = (completeFrom: number, seq: number, ...floors: Floor[]): FloorView => ({ completeFrom, seq, floors });

/** A ledger's history: entry n raises a revoking or superseding floor on some subject. */
const history = fc.array(fc.record({ subject: fc.nat(5), revokes: fc.boolean() }), { minLength: 1, maxLength: 40 });
/** Stretches of it, in whatever order they arrive. */
const stretches = fc.array(fc.tuple(fc.nat(40), fc.nat(40)), { minLength: 1, maxLength: 12 });

type History = readonly { readonly subject: number; readonly revokes: boolean }[];

/** Everything that was raised after an entry, up to another: what anyone may truthfully tell. */
function told(entries: History, from: number, to: number): FloorView {
  const floors = new Map<number, Floor>();
  for (let seq = from + 1; seq <= to; seq += 1) {
    const entry = entries[seq - 1];
    if (!entry) continue;
    const held = floors.get(entry.subject) ?? { subject: subject(entry.subject), revokedBelow: 0, supersededBelow: 0 };
    floors.set(entry.subject, entry.revokes ? { ...held, revokedBelow: seq } : { ...held, supersededBelow: seq });
  }
  return view(from, to, ...floors.values());
}

describe("a window", () => {
  it("never calls a record current that a floor has voided, whatever it is told, in whatever order", () => {
    fc.assert(
      fc.property(history, stretches, fc.integer({ min: 1, max: 50 }), (entries, parts, keptMax) => {
        const stretch = ([a, b]: readonly [number, number]) =>
          told(entries, Math.min(a, b, entries.length), Math.min(Math.max(a, b), entries.length));
        const [first = [0, 0], ...rest] = parts;
        const window = new FloorWindow(stretch(first), keptMax);
        for (const part of rest) window.merge(stretch(part));
        for (let key = 0; key <= 5; key += 1)
          for (let trueAt = 0; trueAt <= window.seq; trueAt += 1) {
            const isVoid = entries.slice(trueAt, window.seq).some((entry) => entry.subject === key);
            if (window.standing([subject(key)], trueAt) === "current") expect(isVoid).toBe(false);
          }
      }),
    );
  });

  it("does call a record current when it has been told of everything since", () => {
    fc.assert(
      fc.property(history, (entries) => {
        const window = new FloorWindow(told(entries, 0, entries.length));
        for (let key = 0; key <= 5; key += 1)
          for (let trueAt = 0; trueAt <= entries.length; trueAt += 1) {
            const isVoid = entries.slice(trueAt).some((entry) => entry.subject === key);
            expect(window.standing([subject(key)], trueAt) === "current").toBe(!isVoid);
          }
      }),
    );
  });

  it("never goes back to an earlier entry", () => {
    fc.assert(
      fc.property(history, stretches, (entries, parts) => {
        const window = new FloorWindow(view(0, 0));
        for (const [a, b] of parts) {
          const before = window.seq;
          window.merge(told(entries, Math.min(a, b, entries.length), Math.min(Math.max(a, b), entries.length)));
          expect(window.seq).toBeGreaterThanOrEqual(before);
        }
      }),
    );
  });

  it("begins anew beyond a gap, and vouches for nothing from before it", () => {
    const window = new FloorWindow(view(0, 10, revoked(1, 5)));
    window.merge(view(20, 30));
    expect([window.base, window.seq]).toEqual([20, 30]);
    expect(window.standing([subject(1)], 7)).toBe("superseded");
    expect(window.standing([subject(1)], 20)).toBe("current");
  });

  it("tells the latest only to who knows the rest, and everything to who does not", () => {
    const window = new FloorWindow(view(2, 10, revoked(1, 5), revoked(2, 9)));
    expect(window.view(7)).toEqual(view(7, 10, revoked(2, 9)));
    expect(window.view(1)).toEqual(view(2, 10, revoked(1, 5), revoked(2, 9)));
    expect(window.view(null)).toEqual(view(2, 10, revoked(1, 5), revoked(2, 9)));
    expect(window.view(12)).toEqual(view(10, 10));
  });

  it("forgets the oldest floors beyond its limit, and then does not vouch for what they concerned", () => {
    const window = new FloorWindow(view(0, 3, revoked(1, 1), revoked(2, 2), revoked(3, 3)), 2);
    expect(window.base).toBe(1);
    expect(window.standing([subject(1)], 0)).toBe("superseded");
    expect(window.standing([subject(3)], 2)).toBe("revoked");
  });
});
