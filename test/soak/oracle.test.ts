/** The soak's own judgement: what it must find, and what it must let pass. */
import { describe, expect, it } from "vitest";
import { LIMITS, LimitWatch } from "./limit-watch.ts";
import { courseOf } from "./memory.ts";
import { PASSED, permissible, type Presented } from "./oracle.ts";
import { Timeline } from "./timeline.ts";
import { newKey, World, type Key, type SoakRoute } from "./world.ts";

describe("a timeline", () => {
  const timeline = new Timeline("before");
  timeline.ask("after", 100).done(200);

  it.each<[string, number, number, string[]]>([
    ["before the call", 0, 99, ["before"]],
    ["into the call", 50, 150, ["before", "after"]],
    ["within the call", 120, 130, ["before", "after"]],
    ["from the call on", 199, 500, ["before", "after"]],
    ["after its return", 200, 500, ["after"]],
  ])("knows what may have been %s", (_, from, to, expected) => expect(timeline.possible(from, to)).toEqual(expected));

  it("leaves open what was never acknowledged, and forgets what was refused", () => {
    const open = new Timeline("before");
    const asked = open.ask("after", 100);
    expect(open.possible(9_000, 9_001)).toEqual(["before", "after"]);
    asked.refused();
    expect(open.possible(9_000, 9_001)).toEqual(["before"]);
  });
});

describe("the oracle", () => {
  const world = new World();
  world.routes.set("/orders", new Timeline<SoakRoute | null>({ permission: "orders:read" }));
  const make = (): Key =>
    newKey({ id: "api_key_1", value: "v", organization: { id: "org_1", isRunning: new Timeline(true) }, permissions: ["orders:read"] });
  const presented = (key: Key): Presented => ({ kind: "key", key, secret: key.secrets[0] ?? { value: "", isCurrent: new Timeline(true) } });
  const outcomes = (key: Key, fromMs: number, toMs: number) => [
    ...permissible({ path: "/orders", presented: presented(key) }, world, { fromMs, toMs }),
  ];

  it("lets a revoked key pass only if the request was sent before the call returned", () => {
    const key = make();
    key.isRevoked.ask(true, 100).done(200);
    expect(outcomes(key, 0, 50)).toEqual([PASSED]);
    expect(outcomes(key, 150, 300)).toEqual(["invalid_key", PASSED]);
    expect(outcomes(key, 200, 300)).toEqual(["invalid_key"]);
  });

  it("knows of narrowed keys, suspended organizations, replaced secrets and ends", () => {
    const narrowed = make();
    narrowed.granted.ask([], 100).done(200);
    expect(outcomes(narrowed, 300, 301)).toEqual(["insufficient_scope"]);
    const suspended = make();
    suspended.organization.isRunning.ask(false, 100).done(200);
    expect(outcomes(suspended, 300, 301)).toEqual(["invalid_key"]);
    const rotated = make();
    rotated.secrets[0]?.isCurrent.ask(false, 100).done(200);
    expect(outcomes(rotated, 300, 301)).toEqual(["rotated_secret", "invalid_key"]);
    const ended = make();
    ended.hasExpired.ask(true, 100).done(200);
    expect(outcomes(ended, 300, 301)).toEqual(["expired_key", "invalid_key"]);
  });

  it("lets nobody pass without a key, nor where there is no route", () => {
    const at = { fromMs: 0, toMs: 1 };
    expect([...permissible({ path: "/orders", presented: { kind: "none" } }, world, at)]).toEqual(["missing_credential"]);
    expect([...permissible({ path: "/nowhere", presented: presented(make()) }, world, at)]).toEqual(["no_route"]);
    expect([...permissible({ path: "/orders", presented: { kind: "forged" } }, world, at)]).toEqual(["invalid_key"]);
  });
});

describe("the watch over limits", () => {
  const ask = (watch: LimitWatch, times: number, everyMs: number) => {
    for (let at = 0; at < times; at += 1) watch.ask("rate", "k", at * everyMs)({ fromMs: at * everyMs, toMs: at * everyMs + 1 });
  };

  it("finds one request too many within a window, and none where they are just far enough apart", () => {
    const { limit, window } = LIMITS.rate;
    const [close, apart] = [new LimitWatch(), new LimitWatch()];
    ask(close, limit + 1, (window * 1_000 - 10) / limit);
    ask(apart, limit + 1, (window * 1_000) / limit);
    expect([close.breaches().length, apart.breaches().length]).toEqual([1, 0]);
  });

  it("finds too many at a time", () => {
    const watch = new LimitWatch();
    for (let at = 0; at <= LIMITS.concurrency.limit; at += 1) watch.ask("concurrency", "k", at)({ fromMs: at, toMs: 100 });
    expect(watch.breaches()).toHaveLength(1);
  });

  it("finds a refusal that nobody has given reason for", () => {
    const watch = new LimitWatch();
    ask(watch, 1, 1);
    expect([watch.isRefusalDue("rate", "k", 1_000, false), watch.isRefusalDue("rate", "k", 1_000, true)]).toEqual([false, true]);
    ask(watch, LIMITS.rate.limit, 1);
    expect(watch.isRefusalDue("rate", "k", 1_000, false)).toBe(true);
  });
});

describe("the course of memory", () => {
  const MB = 1_000_000;
  const course = (bytesAt: (at: number) => number) =>
    courseOf(Array.from({ length: 180 }, (_, at) => ({ atMs: at * 10_000, bytes: bytesAt(at) })));

  it("does not take for a leak what fills at first, nor garbage", () => {
    const filling = course((at) => 10 * MB + 20 * MB * Math.min(1, at / 80));
    const sawtooth = course((at) => 10 * MB + (at % 7) * MB);
    expect(filling.riseMb).toBeLessThan(0.5);
    expect(Math.abs(sawtooth.riseMb)).toBeLessThan(0.5);
  });

  it("finds what rises all the time, under garbage too", () => {
    const leaking = course((at) => 10 * MB + at * 0.1 * MB + (at % 5) * MB);
    expect(leaking.riseMb).toBeGreaterThan(7);
    expect(leaking.endMb).toBeGreaterThan(leaking.startMb);
  });
});
