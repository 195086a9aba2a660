/** Pages: walked to the end and back while rows come and go, no row twice and none missed that was there throughout. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  anyId,
  anyPlan,
  anyRequest,
  cursorTowards,
  expectWholeBackToTheStart,
  expectWholeToTheEnd,
  inOrder,
  Shards,
  walkPages,
} from "../page-walks.ts";

describe("a walk over pages while rows come and go", () => {
  it("repeats no row, misses none that was there throughout, and keeps the order, towards the end", () => {
    fc.assert(fc.property(anyPlan, (plan) => expectWholeToTheEnd(new Shards(plan.initial, plan.cells), plan)));
  });

  it("does so on the way back too, from any row on, be it there or not", () => {
    fc.assert(fc.property(anyPlan, anyId, (plan, from) => expectWholeBackToTheStart(new Shards(plan.initial, plan.cells), plan, from)));
  });

  it("finds on the way back what it found on the way there when nothing changes", () => {
    fc.assert(
      fc.property(anyPlan, (planned) => {
        const still = { ...planned, changes: [] };
        const shards = new Shards(planned.initial, planned.cells);
        const there = walkPages(shards, still, "end");
        fc.pre(there.length > 1);
        const last = there.at(-1) ?? [];
        const back = walkPages(shards, still, "start", last[0]).toReversed().flat();
        expect([...back, ...last]).toEqual(inOrder(planned.initial, planned.order));
      }),
    );
  });
});

describe("a page", () => {
  it("is the same over any number of cells as over one big table", () => {
    fc.assert(
      fc.property(anyPlan, anyRequest, ({ initial, cells }, request) => {
        expect(new Shards(initial, cells).read(request)).toEqual(new Shards(initial, 1).read(request));
      }),
    );
  });

  it("has a cursor on each side where rows are left, and only there", () => {
    fc.assert(
      fc.property(anyPlan, anyRequest, ({ initial, cells }, request) => {
        const page = new Shards(initial, cells).read(request);
        fc.pre(page.data.length > 0);
        const listed = inOrder(initial, request.order);
        const leftBefore = listed.indexOf(page.data[0]?.id ?? "") > 0;
        const leftAfter = listed.indexOf(page.data.at(-1)?.id ?? "") < listed.length - 1;
        expect(page.list_metadata[cursorTowards("start", request.order)] !== null).toBe(leftBefore);
        expect(page.list_metadata[cursorTowards("end", request.order)] !== null).toBe(leftAfter);
      }),
    );
  });
});
