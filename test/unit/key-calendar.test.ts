/** What time does to a key, looked at at any moment. */
import { describe, expect, it } from "vitest";
import { DAY_MS, effectivePolicy } from "../../core/api-key-policy.ts";
import { lookAt, type KeyOnCalendar, type KeyMoment } from "../../core/key-calendar.ts";

const MINUTE_MS = 60_000;
const START = Date.UTC(2026, 10, 1);
const at = (days: number) => START + days * DAY_MS;

const fresh: KeyOnCalendar = { expires_at_ms: null, unused_since_ms: START, isEnabled: true, told_until_ms: START, idle_end_told_ms: null };
const notices = effectivePolicy({ expiry_notice_days: [30, 7, 1] });
const idle = effectivePolicy({ idle_days_max: 30, idle_warning_days: 7 });

/** Looks whenever it is time to, or `late` ms later, and notes what happens when. */
function live(policy: typeof idle, key: KeyOnCalendar, late = 0): [day: number, KeyMoment["type"]][] {
  const seen: [number, KeyMoment["type"]][] = [];
  let state = key;
  let { nextMs } = lookAt(policy, state, START);
  while (nextMs !== null) {
    const nowMs: number = nextMs + late;
    const look = lookAt(policy, state, nowMs);
    for (const moment of look.moments) {
      seen.push([(nowMs - START) / DAY_MS, moment.type]);
      if (moment.type === "disabled_for_idleness") state = { ...state, isEnabled: false };
    }
    state = { ...state, told_until_ms: nowMs, idle_end_told_ms: look.idle_end_told_ms };
    ({ nextMs } = look);
  }
  return seen;
}

describe("the end of a key", () => {
  it("is announced on each of the days before it and told when it comes, once each", () => {
    expect(live(notices, { ...fresh, expires_at_ms: at(60) })).toEqual([
      [30, "expiring_soon"],
      [53, "expiring_soon"],
      [59, "expiring_soon"],
      [60, "expired"],
    ]);
  });

  it("is not announced where that would have been before the end was set", () => {
    expect(live(notices, { ...fresh, expires_at_ms: at(5) }).map(([day]) => day)).toEqual([4, 5]);
  });

  it("that was missed is told when somebody looks again; of several notices the last; once", () => {
    const key = { ...fresh, expires_at_ms: at(60) };
    expect(lookAt(notices, key, at(58)).moments).toEqual([{ type: "expiring_soon", days: 7 }]);
    expect(lookAt(notices, { ...key, told_until_ms: at(58) }, at(58)).moments).toEqual([]);
    expect(lookAt(notices, key, at(90))).toEqual({ moments: [{ type: "expired" }], nextMs: null, idle_end_told_ms: null });
    expect(lookAt(notices, { ...key, told_until_ms: at(60) }, at(90))).toEqual({ moments: [], nextMs: null, idle_end_told_ms: null });
  });
});

describe("a key that nobody uses", () => {
  const limit = 30 + MINUTE_MS / DAY_MS;

  it("is warned of and then disabled, to the minute, also when every look is a little late", () => {
    expect(live(idle, fresh)).toEqual([
      [limit - 7, "idle"],
      [limit, "disabled_for_idleness"],
    ]);
    expect(live(idle, fresh, 500).map(([, type]) => type)).toEqual(["idle", "disabled_for_idleness"]);
    expect(live(idle, fresh, 500).map(([day]) => Math.round(((day - limit) * DAY_MS) / MINUTE_MS))).toEqual([-7 * 24 * 60, 0]);
  });

  it("has the days of the warning also when that comes late", () => {
    const { moments } = lookAt(idle, fresh, at(40));
    expect(moments).toEqual([{ type: "idle", disabled_at_ms: at(47) - MINUTE_MS }]);
    const warned = { ...fresh, idle_end_told_ms: at(47) - MINUTE_MS };
    expect(lookAt(idle, warned, at(46)).moments).toEqual([]);
    expect(lookAt(idle, warned, at(47)).moments).toEqual([{ type: "disabled_for_idleness" }]);
  });

  it("goes on when it is used after the warning, and is warned of anew", () => {
    const used = { ...fresh, unused_since_ms: at(25), idle_end_told_ms: at(limit) };
    expect(lookAt(idle, used, at(limit))).toEqual({ moments: [], nextMs: at(25 + limit - 7), idle_end_told_ms: null });
    expect(lookAt(idle, used, at(25 + limit - 7)).moments).toEqual([{ type: "idle", disabled_at_ms: at(25 + limit) }]);
  });

  it("is not disabled before the time it was warned of when the policy has become longer, and is warned of anew", () => {
    const warned = { ...fresh, idle_end_told_ms: at(limit) };
    const longer = effectivePolicy({ idle_days_max: 90, idle_warning_days: 7 });
    expect(lookAt(longer, warned, at(limit))).toEqual({ moments: [], nextMs: at(60 + limit - 7), idle_end_told_ms: null });
  });

  it("is warned of for as long as the warning holds, and no longer", () => {
    const warned = { ...fresh, idle_end_told_ms: at(limit) };
    expect(lookAt(idle, warned, at(25))).toEqual({ moments: [], nextMs: at(limit), idle_end_told_ms: at(limit) });
    for (const lifted of [notices, effectivePolicy({ idle_days_max: 90, idle_warning_days: 7 })])
      expect(lookAt(lifted, warned, at(25)).idle_end_told_ms).toBeNull();
    expect(lookAt(idle, { ...warned, isEnabled: false }, at(25)).idle_end_told_ms).toBeNull();
  });

  it("has a minute more when who looks was away: what it was used for meanwhile may be heard only now", () => {
    for (const [policy, told] of [
      [idle, at(limit)],
      [effectivePolicy({ idle_days_max: 30, idle_warning_days: 0 }), null],
    ] as const) {
      const warned = { ...fresh, idle_end_told_ms: told };
      const late = at(limit) + 2 * MINUTE_MS;
      const postponed = late + MINUTE_MS;
      expect(lookAt(policy, warned, late)).toEqual({ moments: [], nextMs: postponed, idle_end_told_ms: postponed });
      expect(lookAt(policy, { ...warned, idle_end_told_ms: postponed }, postponed).moments).toEqual([{ type: "disabled_for_idleness" }]);
      const used = { ...warned, idle_end_told_ms: postponed, unused_since_ms: at(30) };
      expect(lookAt(policy, used, postponed).moments).toEqual([]);
    }
  });

  it("is left alone when it is disabled, or where no policy speaks of it", () => {
    expect(lookAt(idle, { ...fresh, isEnabled: false }, at(99))).toEqual({ moments: [], nextMs: null, idle_end_told_ms: null });
    expect(lookAt(notices, fresh, at(99))).toEqual({ moments: [], nextMs: null, idle_end_told_ms: null });
  });

  it("is disabled without a warning where none is wanted, and with a short one where the rule is shorter than it", () => {
    expect(live(effectivePolicy({ idle_days_max: 30, idle_warning_days: 0 }), fresh)).toEqual([[limit, "disabled_for_idleness"]]);
    expect(live(effectivePolicy({ idle_days_max: 3, idle_warning_days: 7 }), fresh).map(([day]) => Math.floor(day))).toEqual([1, 3]);
    expect(live(effectivePolicy({ idle_days_max: 1, idle_warning_days: 7 }), fresh)).toEqual([
      [(DAY_MS / 2 + MINUTE_MS) / DAY_MS, "idle"],
      [(DAY_MS + MINUTE_MS) / DAY_MS, "disabled_for_idleness"],
    ]);
  });
});
