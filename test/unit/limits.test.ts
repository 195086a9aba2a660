/** The two machines of a limit, one exchange at a time. */
import { describe, expect, it } from "vitest";
import { Holding, type Question } from "../../core/limits/holding.ts";
import { limitHeaders } from "../../core/limits/headers.ts";
import { limitSchema, type Limit } from "../../core/limits/limit.ts";
import { termsOf } from "../../core/limits/limited-subject.ts";
import { freshMeter, Meter, revivedMeter } from "../../core/limits/meter.ts";
import { periodEndMs, rateReleaseMs, type Terms } from "../../core/limits/terms.ts";
import { routeSchema, routesSchema } from "../../core/route.ts";
import { CLOCKS } from "../simulation/limited-world.ts";

const MINUTE: Terms = { kind: "rate", limit: 60, windowMs: 60_000 };
const DAY: Terms = { kind: "period", limit: 10, period: "day" };
const PLACES: Terms = { kind: "concurrency", limit: 3 };
const NOON = Date.UTC(2026, 9, 1, 12);

function fresh(): Meter {
  return new Meter(freshMeter(), CLOCKS);
}

/** Asks a meter for units as an isolate without any would. */
function need(meter: Meter, terms: Terms, units: number, nowMs: number) {
  return meter.exchange({ meter: "m", terms, need: units, want: units, closed: [], kept: [] }, nowMs);
}

/** One answered question. */
function exchange(holding: Holding, meter: Meter, question: Question, nowMs: number): void {
  holding.answered(question, meter.exchange({ meter: "m", ...question.ask }, nowMs), nowMs);
}

describe("a meter", () => {
  it("frees a rate's units a window after they were used, not before, however fast its clock", () => {
    const meter = fresh();
    const lease = need(meter, MINUTE, 60, NOON).granted?.lease ?? 0;
    meter.exchange({ meter: "m", terms: MINUTE, need: 0, want: 0, closed: [{ lease, used: 60 }], kept: [] }, NOON + 100);
    const freeAtMs = rateReleaseMs(NOON + 100, 60_000, CLOCKS);
    for (let ms = 0; ms < 1_000; ms += 1)
      expect(rateReleaseMs(NOON + ms, 60_000, CLOCKS)).toBeGreaterThanOrEqual(NOON + ms + 60_000 * 1.005 + 50);
    expect(need(meter, MINUTE, 1, freeAtMs - 1)).toMatchObject({ granted: null, retryAfterMs: 1 });
    expect(need(meter, MINUTE, 1, freeAtMs).granted).not.toBeNull();
  });

  it("counts used units longer by what another machine's clock may be ahead, once, when it begins another life", () => {
    const meter = fresh();
    const lease = need(meter, MINUTE, 60, NOON).granted?.lease ?? 0;
    meter.exchange({ meter: "m", terms: MINUTE, need: 0, want: 0, closed: [{ lease, used: 60 }], kept: [] }, NOON);
    const again = new Meter(revivedMeter(revivedMeter(meter.state)), CLOCKS);
    const freeAtMs = rateReleaseMs(NOON, 60_000, CLOCKS) + 1_000;
    expect(need(again, MINUTE, 1, freeAtMs - 1).granted).toBeNull();
    expect(need(again, MINUTE, 1, freeAtMs).granted).not.toBeNull();
  });

  it("keeps a lease that nobody accounts for that much longer, too", () => {
    const meter = fresh();
    need(meter, PLACES, 3, NOON);
    const again = new Meter(revivedMeter(meter.state), CLOCKS);
    const endsAtMs = meter.state.leases[0]?.endsAtMs ?? 0;
    expect(need(again, PLACES, 1, endsAtMs + 999).granted).toBeNull();
    expect(need(again, PLACES, 1, endsAtMs + 1_000).granted).not.toBeNull();
  });

  it("begins a new day at midnight, and not a second time when the clock is set back", () => {
    const [meter, midnight] = [fresh(), periodEndMs(NOON, "day")];
    expect(need(meter, DAY, 10, midnight - 1).granted?.leaseMs).toBe(1);
    expect(need(meter, DAY, 1, midnight - 1)).toMatchObject({ granted: null, resetMs: 1 });
    expect(need(meter, DAY, 0, midnight).remaining).toBe(10);
    expect(need(meter, DAY, 10, midnight - 5_000).granted).not.toBeNull();
    expect(need(meter, DAY, 1, midnight + 1_000).granted).toBeNull();
  });

  it("has months as long as they are", () => {
    expect(periodEndMs(Date.UTC(2028, 1, 29, 23, 59), "month")).toBe(Date.UTC(2028, 2, 1));
    expect(periodEndMs(Date.UTC(2026, 11, 31), "month")).toBe(Date.UTC(2027, 0, 1));
  });

  it("takes an account once, and of no more than was leased", () => {
    const meter = fresh();
    const lease = need(meter, DAY, 6, NOON).granted?.lease ?? 0;
    const account = { meter: "m", terms: DAY, need: 0, want: 0, closed: [{ lease, used: 2 }], kept: [] };
    expect(meter.exchange(account, NOON).remaining).toBe(8);
    expect(meter.exchange({ ...account, closed: [{ lease, used: 0 }] }, NOON).remaining).toBe(8);
    expect(meter.exchange({ ...account, closed: [{ lease: 77, used: 5 }] }, NOON).remaining).toBe(8);
  });

  it("does not give a place back to life that an old message says was kept", () => {
    const meter = fresh();
    const lease = need(meter, PLACES, 3, NOON).granted?.lease ?? 0;
    const keep = (units: number) =>
      meter.exchange({ meter: "m", terms: PLACES, need: 0, want: 0, closed: [], kept: [{ lease, units }] }, NOON);
    expect(keep(1)).toMatchObject({ remaining: 2, kept: [lease] });
    expect(keep(3)).toMatchObject({ remaining: 2 });
    keep(0);
    expect(keep(3)).toMatchObject({ remaining: 3, kept: [] });
  });

  it("leaves half of what is left to others", () => {
    const meter = fresh();
    const granted = meter.exchange({ meter: "m", terms: MINUTE, need: 2, want: 60, closed: [], kept: [] }, NOON).granted;
    expect(granted?.units).toBe(2 + 29);
  });

  it("says that units may be there soon when others only hold them, and when they come free when they are used", () => {
    const meter = fresh();
    const lease = need(meter, DAY, 10, NOON).granted?.lease ?? 0;
    expect(need(meter, DAY, 1, NOON).retryAfterMs).toBe(2_000);
    meter.exchange({ meter: "m", terms: DAY, need: 0, want: 0, closed: [{ lease, used: 10 }], kept: [] }, NOON);
    expect(need(meter, DAY, 1, NOON).retryAfterMs).toBe(12 * 3_600_000);
  });

  it("counts a reservation that is never settled as spent", () => {
    const meter = fresh();
    need(meter, DAY, 10, NOON);
    expect(need(meter, DAY, 1, NOON + 3_600_000).granted).toBeNull();
  });

  it("may be forgotten when nothing of it counts any more, on whichever clock", () => {
    const meter = fresh();
    need(meter, MINUTE, 1, NOON);
    const usedUpAtMs = meter.state.leases[0]?.endsAtMs ?? 0;
    const freeAtMs = rateReleaseMs(usedUpAtMs, 60_000, CLOCKS);
    expect(meter.isIdle(freeAtMs + 999)).toBe(false);
    expect(meter.isIdle(freeAtMs + 1_000)).toBe(true);
  });
});

describe("an isolate's holding", () => {
  it("asks once for a cold key, and far less than once per request for a hot one", () => {
    const [meter, holding] = [fresh(), new Holding({ ...MINUTE, limit: 1_000_000 })];
    let [questions, nowMs] = [0, NOON];
    const request = () => {
      const standing = holding.standing(1, nowMs);
      if (standing === "ask") {
        questions += 1;
        exchange(holding, meter, holding.question(1, nowMs), nowMs);
      }
      holding.settle(holding.take(1, nowMs), true);
      if (!holding.isRefillDue(nowMs)) return;
      questions += 1;
      exchange(holding, meter, holding.refill(nowMs), nowMs);
    };
    request();
    expect(questions).toBe(1);
    for (let made = 0; made < 10_000; made += 1, nowMs += 1) request();
    expect(questions).toBeLessThan(40);
  });

  it("remembers a denial until its reset", () => {
    const [meter, holding] = [fresh(), new Holding(DAY)];
    exchange(holding, meter, holding.question(10, NOON), NOON);
    for (let taken = 0; taken < 10; taken += 1) holding.settle(holding.take(1, NOON), true);
    exchange(holding, meter, holding.question(1, NOON), NOON);
    const midnight = periodEndMs(NOON, "day");
    expect(holding.standing(1, midnight - 1)).toEqual({ deniedUntilMs: midnight });
    expect(holding.standing(1, midnight)).toBe("ask");
  });

  it("has others wait while one asks, for as long as an answer may take", () => {
    const holding = new Holding(MINUTE);
    holding.question(1, NOON);
    expect(holding.standing(1, NOON + 1_999)).toBe("wait");
    expect(holding.standing(1, NOON + 2_000)).toBe("ask");
  });

  it("counts a lease from before it asked, and not on a clock that was set back", () => {
    const [meter, holding] = [fresh(), new Holding(MINUTE)];
    const question = holding.question(1, NOON);
    holding.answered(question, meter.exchange({ meter: "m", ...question.ask }, NOON + 900), NOON + 1_500);
    expect(holding.standing(1, NOON + 1_999)).toBe("held");
    expect(holding.standing(1, NOON + 2_000)).not.toBe("held");
    expect(holding.standing(1, NOON - 1)).not.toBe("held");
  });

  it("gives back what is left when its lease is over, once", () => {
    const [meter, holding] = [fresh(), new Holding(DAY)];
    exchange(holding, meter, holding.question(10, NOON), NOON);
    holding.settle(holding.take(3, NOON), true);
    expect(holding.giveBack(NOON + 1_999)).toBeUndefined();
    const question = holding.giveBack(NOON + 2_000);
    expect(question?.ask.closed).toEqual([{ lease: 1, used: 3 }]);
    if (question) exchange(holding, meter, question, NOON + 2_000);
    expect(holding.remaining(NOON + 2_000)).toBe(7);
    expect(holding.hasUnused).toBe(false);
  });

  it("tells an account again when it may not have been heard", () => {
    const [meter, holding] = [fresh(), new Holding(DAY)];
    exchange(holding, meter, holding.question(10, NOON), NOON);
    holding.settle(holding.take(3, NOON), true);
    const lost = holding.giveBack(NOON + 2_000);
    if (lost) holding.failed(lost, NOON + 4_000);
    expect(holding.question(1, NOON + 20_000).ask.closed).toEqual([{ lease: 1, used: 3 }]);
  });

  it("gets a budget's units back for what came to nothing, also when the lease is over by then", () => {
    const [meter, holding] = [fresh(), new Holding(DAY)];
    exchange(holding, meter, holding.question(10, NOON), NOON);
    const ticket = holding.take(4, NOON);
    expect(holding.giveBack(NOON + 10_000)).toBeUndefined();
    exchange(holding, meter, holding.question(1, NOON + 10_000), NOON + 10_000);
    holding.settle(ticket, false);
    expect(holding.giveBack(NOON + 10_000)?.ask.closed).toEqual([{ lease: 1, used: 0 }]);
  });

  it("gives places back that were not used since the last look, and those of requests that show no life", () => {
    const [meter, holding] = [fresh(), new Holding(PLACES)];
    exchange(holding, meter, holding.question(3, NOON), NOON);
    const [first, second] = [holding.take(1, NOON), holding.take(1, NOON)];
    holding.settle(first, true);
    const look = holding.giveBack(NOON + 1_000);
    expect(look?.ask.kept).toEqual([{ lease: 1, units: 2 }]);
    if (look) exchange(holding, meter, look, NOON + 1_000);
    holding.goesOn(second, NOON + 5_000);
    const next = holding.giveBack(NOON + 5_000);
    expect(next?.ask.kept).toEqual([{ lease: 1, units: 1 }]);
    if (next) exchange(holding, meter, next, NOON + 5_000);
    expect(holding.giveBack(NOON + 14_000)).toBeUndefined();
    expect(holding.giveBack(NOON + 15_001)).toBeUndefined();
    expect(holding.hasUnused).toBe(true);
    holding.settle(second, true);
    expect(holding.giveBack(NOON + 16_000)?.ask.kept).toEqual([{ lease: 1, units: 0 }]);
  });

  it("does not give out places that its limiter has let go", () => {
    const [meter, holding] = [fresh(), new Holding(PLACES)];
    exchange(holding, meter, holding.question(2, NOON), NOON);
    const ticket = holding.take(1, NOON);
    const later = NOON + 30_000;
    expect(need(meter, PLACES, 3, later).granted).not.toBeNull();
    exchange(holding, meter, holding.refill(later), later);
    expect(holding.standing(1, later)).toBe("ask");
    holding.settle(ticket, true);
    expect(holding.hasUnused).toBe(false);
  });

  it("knows since when its limiter has been silent, asks it beside requests once a second, and forgets after ten", () => {
    const holding = new Holding(MINUTE);
    holding.failed(holding.question(1, NOON), NOON + 10);
    expect(holding.standing(1, NOON + 11)).toEqual({ silentSinceMs: NOON });
    expect(holding.isRefillDue(NOON + 1_009)).toBe(false);
    expect(holding.isRefillDue(NOON + 1_010)).toBe(true);
    holding.failed(holding.refill(NOON + 1_010), NOON + 3_010);
    expect(holding.standing(1, NOON + 3_011)).toEqual({ silentSinceMs: NOON });
    expect(holding.standing(1, NOON + 13_010)).toBe("ask");
  });
});

describe("limits as they are written", () => {
  const rate = { name: "calls", kind: "rate", per: "key", limit: 5, window: 10 } as const;
  const route = (name: string, more: object) => ({
    name,
    methods: ["GET"],
    path: `/${name}`,
    upstream: "https://a.example",
    permissions: { all: ["x:read"] },
    ...more,
  });

  it("is one limit by its name, and stated alike in every route", () => {
    const [one, other] = [route("one", { limits: [rate] }), route("two", { limits: [{ ...rate, limit: 6 }] })];
    expect(routesSchema.safeParse([one, route("two", { limits: [rate] })]).success).toBe(true);
    expect(routesSchema.safeParse([one, other]).error?.issues[0]?.path).toEqual([1, "limits", 0]);
    expect(routeSchema.safeParse(route("one", { limits: [rate, rate] })).success).toBe(false);
  });

  it("is per route where requests may come without a key", () => {
    const open = { name: "open", methods: ["GET"], path: "/open", upstream: "https://a.example", public: true };
    expect(routeSchema.safeParse({ ...open, limits: [rate] }).success).toBe(false);
    expect(routeSchema.safeParse({ ...open, limits: [{ ...rate, per: "route" }] }).success).toBe(true);
  });

  it("holds another number for whom it is overridden", () => {
    const limit = limitSchema.parse({ ...rate, overrides: { key_1: 50 } });
    expect(termsOf(limit, "key_1").limit).toBe(50);
    expect(termsOf(limit, "key_2").limit).toBe(5);
    expect(termsOf(limit, "constructor").limit).toBe(5);
  });
});

it("says on answers how all limits stand, and in X-RateLimit how the one nearest to its end does", () => {
  const limits = [
    { name: "calls", kind: "rate", per: "key", limit: 100, window: 60 },
    { name: "daily", kind: "budget", per: "organization", limit: 1_000, period: "day" },
    { name: "monthly", kind: "quota", per: "key", limit: 9_999, period: "month" },
    { name: "at-once", kind: "concurrency", per: "owner", limit: 4 },
  ] satisfies Limit[];
  const remaining = [50, 3, 9_000, 4];
  const standings = limits.map((limit, at) => ({ limit, terms: termsOf(limit, "x"), remaining: remaining[at] ?? 0, resetMs: 1_500 }));
  expect(limitHeaders(standings)).toEqual({
    "RateLimit-Policy":
      '"calls";q=100;w=60, "daily";q=1000;qu="portcullis-units";w=86400, "monthly";q=9999, "at-once";q=4;qu="concurrent-requests"',
    RateLimit: '"calls";r=50;t=2, "daily";r=3;t=2, "monthly";r=9000;t=2, "at-once";r=4',
    "X-RateLimit-Limit": "1000",
    "X-RateLimit-Remaining": "3",
    "X-RateLimit-Reset": "2",
  });
});
