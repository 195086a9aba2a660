/** Pages: walked to the end and back while rows come and go, no row twice and none missed that was there throughout. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { assemblePage, boundedSlice, type PageRequest } from "../../core/page.ts";
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

/** After how many rows each cell stops, if it does. */
const anyRowsMax = fc.option(fc.integer({ min: 1, max: 5 }), { nil: Number.POSITIVE_INFINITY });

describe("a walk over pages while rows come and go, and cells may stop early", () => {
  it("repeats no row, misses none that was there throughout, and keeps the order, towards the end", () => {
    fc.assert(
      fc.property(anyPlan, anyRowsMax, (plan, rowsMax) => expectWholeToTheEnd(new Shards(plan.initial, plan.cells, rowsMax), plan)),
    );
  });

  it("does so on the way back too, from any row on, be it there or not", () => {
    fc.assert(
      fc.property(anyPlan, anyRowsMax, anyId, (plan, rowsMax, from) =>
        expectWholeBackToTheStart(new Shards(plan.initial, plan.cells, rowsMax), plan, from),
      ),
    );
  });

  it("finds on the way back what it found on the way there when nothing changes", () => {
    fc.assert(
      fc.property(anyPlan, anyRowsMax, (planned, rowsMax) => {
        const still = { ...planned, changes: [] };
        const shards = new Shards(planned.initial, planned.cells, rowsMax);
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

describe("a cell that stops early", () => {
  const asked = { limit: 2, order: "asc" } as const;
  const rows = (...ids: string[]) => ids.map((id) => ({ id }));
  const read = (request: PageRequest, ...slices: Parameters<typeof assemblePage>[1]) => {
    const { data, list_metadata } = assemblePage(request, slices);
    return { ids: data.map(({ id }) => id), ...list_metadata };
  };

  it("ends the page for all cells, though it shows nothing, with a cursor to go on with", () => {
    const others = { rows: rows("a", "c", "d"), behind: false };
    expect(read(asked, { rows: [], behind: false, stoppedAt: "b" }, others)).toEqual({ ids: ["a"], before: null, after: "b" });
    const empty = { rows: [], behind: true, stoppedAt: "b" };
    expect(read({ ...asked, after: "0" }, empty)).toEqual({ ids: [], before: "b", after: "b" });
    expect(read({ ...asked, before: "z" }, empty)).toEqual({ ids: [], before: "b", after: "b" });
    expect(read({ ...asked, order: "normal", before: "z" }, { ...empty, behind: false })).toEqual({ ids: [], before: "b", after: null });
  });

  it("does so after the row that makes its part of a page too long", () => {
    const long = (id: string) => ({ id, text: "x".repeat(400_000) });
    const slice = { rows: [long("a"), long("b"), long("c"), long("d")], behind: true };
    const bounded = boundedSlice(slice);
    expect(bounded.rows.map(({ id }) => id)).toEqual(["a", "b", "c"]);
    expect(bounded).toMatchObject({ behind: true, stoppedAt: "c" });
    expect(boundedSlice({ ...slice, rows: slice.rows.slice(0, 3) })).not.toHaveProperty("stoppedAt");
  });
});
