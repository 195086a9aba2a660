/** Waiting for the head of an answer: together until the tick, and each by itself after that. */
import { describe, expect, it } from "vitest";
import { DeadlineError } from "../../platform/deadline.ts";
import { AnswerDeadlines, TICK_MS } from "../../worker/answer-deadlines.ts";

const hangs = () => new Promise<never>(() => {});
const MINUTE_MS = 60_000;

/** Deadlines on a clock that the test moves. */
function deadlinesOf() {
  const clock = { nowMs: 1_000_000 };
  const ticks: (() => void)[] = [];
  const outliving: Promise<unknown>[] = [];
  const deadlines = new AnswerDeadlines({ now: () => clock.nowMs, wait: () => new Promise<void>((resolve) => ticks.push(resolve)) });
  const context = { waitUntil: (promise: Promise<unknown>) => void outliving.push(promise) };
  return {
    clock,
    context,
    deadlines,
    ticks,
    meet: async <Value>(call: Promise<Value>, ms = MINUTE_MS) => {
      const ends = { answered: (value: Value) => () => Promise.resolve(value), unanswered: (rest: () => Promise<Value>) => rest };
      const end = await deadlines.meet(call, { ms, sentAtMs: clock.nowMs }, context, ends);
      return end();
    },
    tick: async (passedMs: number) => {
      clock.nowMs += passedMs;
      for (const go of ticks.splice(0)) go();
      await Promise.all(outliving.splice(0));
    },
  };
}

describe("waiting for an answer", () => {
  it("gives what comes, be it nothing at all or a failure", async () => {
    const { meet } = deadlinesOf();
    expect(await meet(Promise.resolve("an answer"))).toBe("an answer");
    expect(await meet(Promise.resolve(undefined))).toBeUndefined();
    await expect(meet(Promise.reject(new Error("Network connection lost.")))).rejects.toThrow("Network connection lost.");
  });

  it("ends in time for who still waits when the tick comes", async () => {
    const { meet, tick } = deadlinesOf();
    const first = meet(hangs());
    const second = meet(hangs());
    const ended = Promise.all([first, second].map((call) => call.catch((error: unknown) => error)));
    // All but a moment of the minute has gone by then.
    await tick(MINUTE_MS - 20);
    for (const error of await ended) expect(error).toBeInstanceOf(DeadlineError);
  });

  it("goes on waiting after the tick for what comes within the time", async () => {
    const { meet, tick } = deadlinesOf();
    const late = Promise.withResolvers<string>();
    const waiting = meet(late.promise);
    await tick(TICK_MS);
    late.resolve("late, but in time");
    expect(await waiting).toBe("late, but in time");
  });

  it("tells once what a call came to: not of its answer when the tick has come first", async () => {
    const { deadlines, context, clock, tick } = deadlinesOf();
    const told: string[] = [];
    const ends = { answered: () => void told.push("answered"), unanswered: () => void told.push("unanswered") };
    const calls = [Promise.withResolvers<string>(), Promise.withResolvers<string>()];
    for (const { promise } of calls) void deadlines.meet(promise, { ms: MINUTE_MS, sentAtMs: clock.nowMs }, context, ends);
    await tick(TICK_MS);
    calls[0]?.resolve("late");
    calls[1]?.reject(new Error("Network connection lost."));
    await Promise.allSettled(calls.map(({ promise }) => promise));
    expect(told).toEqual(["unanswered", "unanswered"]);
  });

  it("ticks once for all who wait, and again for who comes later", async () => {
    const { meet, tick, ticks } = deadlinesOf();
    const waiting = [meet(hangs()), meet(hangs())];
    expect(ticks).toHaveLength(1);
    await tick(TICK_MS);
    expect(ticks).toHaveLength(0);
    waiting.push(meet(hangs()));
    expect(ticks).toHaveLength(1);
    for (const each of waiting) each.catch(() => {});
  });

  it("has the next one tick when a tick was lost with its request", async () => {
    const { meet, clock, ticks } = deadlinesOf();
    const lost = meet(hangs());
    clock.nowMs += 2 * TICK_MS;
    const next = meet(hangs());
    expect(ticks).toHaveLength(2);
    for (const each of [lost, next]) each.catch(() => {});
  });

  it("takes a timer at once for a time that is shorter than a tick", async () => {
    const { meet, ticks } = deadlinesOf();
    await expect(meet(hangs(), 20)).rejects.toBeInstanceOf(DeadlineError);
    expect(ticks).toHaveLength(0);
  });
});
