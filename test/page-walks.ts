/** Walks over pages while rows come and go, for whatever keeps the rows: no row twice and none missed that was there throughout. */
import fc from "fast-check";
import { expect } from "vitest";
import { assemblePage, walkOf, type Page, type PageOrder, type PageRequest, type Slice, type Walk } from "../core/page.ts";

/** What a list shows; here only the id counts. */
export interface Row {
  readonly id: string;
}

/** Rows spread over cells, read a page at a time. */
export interface Rows {
  read(request: PageRequest): Page<Row>;
  apply(changes: readonly Change[]): void;
}

/** What happens to the rows between two page reads. */
export interface Change {
  readonly id: string;
  readonly present: boolean;
}

/** Ids have one length, so that text order is their order, as with ULIDs. */
const idOf = (number: number) => `api_key_${String(number).padStart(3, "0")}`;

/** Which of the cells a row is in. */
export const cellOf = (id: string, cells: number) => Number(id.slice(-3)) % cells;

/** Rows spread over cells, each answering a walk as `walk-table.ts` does in SQL. */
export class Shards implements Rows {
  readonly #present: Set<string>;
  readonly #cells: number;
  readonly #rowsMax: number;

  /** `rowsMax`: each cell stops after so many rows. */
  constructor(ids: readonly string[], cells: number, rowsMax = Number.POSITIVE_INFINITY) {
    this.#present = new Set(ids);
    this.#cells = cells;
    this.#rowsMax = rowsMax;
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

  #slice(cell: number, { ascending, from, rows }: Walk): Slice<Row> {
    const mine = [...this.#present].filter((id) => cellOf(id, this.#cells) === cell).toSorted();
    const beyond = mine.filter((id) => from === undefined || (ascending ? id > from : id < from));
    const walked = ascending ? beyond : beyond.toReversed();
    const found = walked.slice(0, Math.min(rows, this.#rowsMax)).map((id) => ({ id }));
    const stoppedAt = found.length < Math.min(rows, walked.length) ? found.at(-1)?.id : undefined;
    return { rows: found, behind: from !== undefined && beyond.length < mine.length, ...(stoppedAt !== undefined && { stoppedAt }) };
  }
}

/** One walk's plan: pages of changing size, and the changes that fall between them. */
export interface Plan {
  readonly initial: readonly string[];
  readonly cells: number;
  readonly order: PageOrder;
  readonly limits: readonly number[];
  readonly changes: readonly (readonly Change[])[];
}

const ROWS_MAX = 61;
/** Each page but the last shows a row that no other one shows. */
const PAGES_MAX = ROWS_MAX + 1;

/** Any row's id. */
export const anyId = fc.nat({ max: ROWS_MAX - 1 }).map(idOf);
const anyOrder = fc.constantFrom<PageOrder>("asc", "desc", "normal");
const anyLimit = fc.integer({ min: 1, max: 9 });
/** Any page that can be asked for. */
export const anyRequest: fc.Arbitrary<PageRequest> = fc
  .record({ limit: anyLimit, order: anyOrder, cursor: fc.option(fc.constantFrom("before", "after"), { nil: undefined }), at: anyId })
  .map(({ limit, order, cursor, at }) => ({ limit, order, ...(cursor && { [cursor]: at }) }));
const change = fc.record({ id: anyId, present: fc.boolean() });
/** Any plan. */
export const anyPlan: fc.Arbitrary<Plan> = fc.record({
  initial: fc.uniqueArray(anyId, { maxLength: ROWS_MAX, size: "max" }),
  cells: fc.integer({ min: 1, max: 5 }),
  order: anyOrder,
  limits: fc.array(anyLimit, { minLength: 1, maxLength: 5 }),
  changes: fc.array(fc.array(change, { maxLength: 6 }), { maxLength: 30, size: "max" }),
});

/** Towards the end of the listing, or back to its beginning: in `normal` order the cursors have changed places. */
export const cursorTowards = (direction: "end" | "start", order: PageOrder) =>
  (direction === "end") === (order === "normal") ? ("before" as const) : ("after" as const);

/** Reads pages until there is no cursor on; the plan's changes happen in between. Every page not empty, in reading order. */
export function walkPages(rows: Rows, { order, limits, changes }: Plan, direction: "end" | "start", first?: string): string[][] {
  const name = cursorTowards(direction, order);
  const pages: string[][] = [];
  let cursor: string | null = first ?? null;
  for (let step = 0; step === 0 || cursor !== null; step++) {
    expect(step, "pages of a walk that goes on for ever").toBeLessThan(PAGES_MAX);
    const limit = limits[step % limits.length] ?? 1;
    const page = rows.read({ limit, order, ...(cursor !== null && { [name]: cursor }) });
    expect(page.data.length).toBeLessThanOrEqual(limit);
    pages.push(page.data.map((row) => row.id));
    cursor = page.list_metadata[name];
    rows.apply(changes[step] ?? []);
  }
  return pages.filter((page) => page.length > 0);
}

/** Rows there from before the walk until after it. */
function neverRemoved({ changes }: Plan, ids: readonly string[]): string[] {
  const removed = new Set(changes.flat().flatMap((each) => (each.present ? [] : [each.id])));
  return ids.filter((each) => !removed.has(each));
}

/** Rows that were there at any time. */
function everThere({ initial, changes }: Plan): string[] {
  return [...initial, ...changes.flat().flatMap((each) => (each.present ? [each.id] : []))];
}

/** As a listing in this order shows them. */
export const inOrder = (ids: readonly string[], order: PageOrder) => (order === "asc" ? ids.toSorted() : ids.toSorted().toReversed());

/** A walk to the listing's end is whole. */
export function expectWholeToTheEnd(rows: Rows, plan: Plan): void {
  const seen = walkPages(rows, plan, "end").flat();
  expect(seen).toEqual(inOrder([...new Set(seen)], plan.order));
  expect(seen).toEqual(expect.arrayContaining(neverRemoved(plan, plan.initial)));
  expect(everThere(plan)).toEqual(expect.arrayContaining(seen));
}

/** A walk from a row, be it there or not, back to the listing's beginning is whole. */
export function expectWholeBackToTheStart(rows: Rows, plan: Plan, from: string): void {
  const seen = walkPages(rows, plan, "start", from).toReversed().flat();
  const onTheWay = plan.initial.filter((each) => (plan.order === "asc" ? each < from : each > from));
  expect(seen).toEqual(inOrder([...new Set(seen)], plan.order));
  expect(seen).toEqual(expect.arrayContaining(neverRemoved(plan, onTheWay)));
  expect(everThere(plan)).toEqual(expect.arrayContaining(seen));
  expect(seen).not.toContain(from);
}
