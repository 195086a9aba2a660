import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { LogBatch } from "../../worker/log-batch.ts";

let written: string[];
let promised: Promise<unknown>[];
let batch: LogBatch;
const context = { waitUntil: (promise: Promise<unknown>) => void promised.push(promise) };

beforeEach(() => {
  vi.useFakeTimers();
  written = [];
  promised = [];
  batch = new LogBatch((text) => written.push(text), Date.now);
});
afterEach(() => {
  vi.useRealTimers();
});

it("writes a line that stays alone as it is, and keeps its request alive until then", async () => {
  batch.add("one", context);
  expect(written).toEqual([]);
  await vi.runAllTimersAsync();
  expect(written).toEqual(["one"]);
  await Promise.all(promised);
  expect(promised).toHaveLength(1);
});

it("writes lines of the same moment together, in order, with one timer", async () => {
  for (const line of ["one", "two", "three"]) batch.add(line, context);
  await vi.runAllTimersAsync();
  expect(written).toEqual(["one\ntwo\nthree"]);
  expect(promised).toHaveLength(1);
});

it("loses and doubles none under load, and never keeps 32", () => {
  for (let line = 0; line < 100; line += 1) batch.add(String(line), context);
  expect(written.join("\n").split("\n")).toHaveLength(96);
  vi.runAllTimers();
  expect(written.join("\n").split("\n")).toEqual(Array.from({ length: 100 }, (_, line) => String(line)));
});

it("goes on after a timer that was lost with its request", () => {
  batch.add("one", context);
  vi.clearAllTimers();
  vi.setSystemTime(Date.now() + 50);
  batch.add("two", context);
  vi.runAllTimers();
  expect(written).toEqual(["one\ntwo"]);
});
