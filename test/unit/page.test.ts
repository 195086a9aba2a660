/** Pages: walked to the end and back while rows come and go, no row twice and none missed that was there throughout. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { assemblePage, walkOf, type Page, type PageOrder, type PageRequest, type Slice, type Walk } from "../../core/page.ts";

interface Row {
  readonly id: string;
}

/** What happens to the rows between two page reads. */
interface Change {
  readonly id: string;
  readonly present: boolean;
}

/** Ids have one length, so that text order is their order, as with ULIDs. */
const idOf = (number: number) => `api_key_${String(number).padStart(3, "0")}`;

/** Rows spread over cells, each answering a walk as `walk-table.ts` does in SQL. */
class Shards {
  readonly #present: Set<string>;
  readonly #cells: number;

  constructor(ids: readonly string[], cells: number) {
    this.#present = new Set(ids);
    this.#cells = cells;
  }

  read(request: PageRequest): Page<Row> {
    const walk = walkOf(request);
    return assemblePage(
      request,
      Array.from({ length: this.#cells }, (_, cell) => this.#slice(cell, walk)),
    );
  }

  apply(changes: readonly Change[]): void {
    for (const { id, present } of changes) {
      if (present) this.#present.add(id);
      else this.#present.delete(id);
    }
  }

  ids(): string[] {
    return [...this.#present].toSorted();
  }

  #slice(cell: number, { ascending, from, rows }: Walk): Slice<Row> {
    const mine = this.ids().filter((id) => Number(id.slice(-3)) % this.#cells === cell);
    const beyond = mine.filter((id) => from === undefined || (ascending ? id > from : id < from));
    const walked = ascending ? beyond : beyond.toReversed();
    return { rows: walked.slice(0, rows).map((id) => ({ id })), behind: from !== undefined && beyond.length < mine.length };
  }
}

/** One walk's plan: pages of changing size, and the changes that fall between them. */
interface Plan {
  readonly initial: readonly string[];
  readonly cells: number;
  readonly order: PageOrder;
  readonly limits: readonly number[];
  readonly changes: readonly (readonly Change[])[];
}

const id = fc.nat({ max: 60 }).map(idOf);
const change = fc.record({ id, present: fc.boolean() });
const plan: fc.Arbitrary<Plan> = fc.record({
  initial: fc.uniqueArray(id, { maxLength: 60, size: "max" }),
  cells: fc.integer({ min: 1, max: 5 }),
  order: fc.constantFrom<PageOrder>("asc", "desc", "normal"),
  limits: fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 5 }),
  changes: fc.array(fc.array(change, { maxLength: 6 }), { maxLength: 30, size: "max" }),
});

/** Towards the end of the listing, or back to its beginning: in `normal` order the cursors have changed places. */
const cursorTowards = (direction: "end" | "start", order: PageOrder) =>
  (direction === "end") === (order === "normal") ? ("before" as const) : ("after" as const);

/** Reads pages until there is no cursor on; the plan's changes happen in between. Every page not empty, in reading order. */
function walkPages(shards: Shards, { order, limits, changes }: Plan, direction: "end" | "start", first?: string): string[][] {
  const name = cursorTowards(direction, order);
  const pages: string[][] = [];
  let cursor: string | null = first ?? null;
  for (let step = 0; step === 0 || cursor !== null; step++) {
    const limit = limits[step % limits.length] ?? 1;
    const page = shards.read({ limit, order, ...(cursor !== null && { [name]: cursor }) });
    expect(page.data.length).toBeLessThanOrEqual(limit);
    pages.push(page.data.map((row) => row.id));
    cursor = page.list_metadata[name];
    shards.apply(changes[step] ?? []);
  }
  return pages.filter((page) => page.length > 0);
}

/** Rows there from before the walk until after it. */
function neverRemoved({ changes }: Plan, ids: readonly string[]): string[] {
  const removed = new Set(changes.flat().flatMap((each) => (each.present ? [] : [each.id])));
  return ids.filter((each) => !removed.has(each));
}

const inOrder = (ids: readonly string[], order: PageOrder) => (order === "asc" ? ids.toSorted() : ids.toSorted().toReversed());

describe("a walk over pages while rows come and go", () => {
  it("repeats no row, misses none that was there throughout, and keeps the order, towards the end", () => {
    fc.assert(
      fc.property(plan, (planned) => {
        const shards = new Shards(planned.initial, planned.cells);
        const seen = walkPages(shards, planned, "end").flat();
        expect(seen).toEqual(inOrder([...new Set(seen)], planned.order));
        expect(seen).toEqual(expect.arrayContaining(neverRemoved(planned, planned.initial)));
      }),
    );
  });

  it("does so on the way back too, from any row on, be it there or not", () => {
    fc.assert(
      fc.property(plan, id, (planned, start) => {
        const shards = new Shards(planned.initial, planned.cells);
        const seen = walkPages(shards, planned, "start", start).toReversed().flat();
        const onTheWay = planned.initial.filter((each) => (planned.order === "asc" ? each < start : each > start));
        expect(seen).toEqual(inOrder([...new Set(seen)], planned.order));
        expect(seen).toEqual(expect.arrayContaining(neverRemoved(planned, onTheWay)));
        expect(seen).not.toContain(start);
      }),
    );
  });

  it("finds on the way back what it found on the way there when nothing changes", () => {
    fc.assert(
      fc.property(plan, (planned) => {
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
  const cursor = fc.option(fc.record({ name: fc.constantFrom("before" as const, "after" as const), at: id }), { nil: undefined });

  it("is the same over any number of cells as over one big table", () => {
    fc.assert(
      fc.property(plan, cursor, ({ initial, cells, order, limits }, from) => {
        const request = { limit: limits[0] ?? 1, order, ...(from && { [from.name]: from.at }) };
        expect(new Shards(initial, cells).read(request)).toEqual(new Shards(initial, 1).read(request));
      }),
    );
  });

  it("has a cursor on each side where rows are left, and only there", () => {
    fc.assert(
      fc.property(plan, cursor, ({ initial, cells, order, limits }, from) => {
        const page = new Shards(initial, cells).read({ limit: limits[0] ?? 1, order, ...(from && { [from.name]: from.at }) });
        fc.pre(page.data.length > 0);
        const listed = inOrder(initial, order);
        const leftBefore = listed.indexOf(page.data[0]?.id ?? "") > 0;
        const leftAfter = listed.indexOf(page.data.at(-1)?.id ?? "") < listed.length - 1;
        expect(page.list_metadata[cursorTowards("start", order)] !== null).toBe(leftBefore);
        expect(page.list_metadata[cursorTowards("end", order)] !== null).toBe(leftAfter);
      }),
    );
  });
});
