/**
 * Cursor pagination over ids, as the WorkOS API does it, merged over any number of cells. A cursor is a position in the
 * order of ids, not a row: pages stay right while rows come and go, also when the cursor's own row has gone.
 */

/** `normal` lists newest first with the cursors' meaning reversed: `before` fetches older rows, `after` newer ones. */
export type PageOrder = "asc" | "desc" | "normal";

/** What the caller asked; at most one of the cursors. `limit` is 1 to 100. */
export interface PageRequest {
  readonly limit: number;
  readonly order: PageOrder;
  readonly before?: string | undefined;
  readonly after?: string | undefined;
}

/** The walk a cell makes: ids beyond `from` (exclusive) in one direction, `limit` + 1 rows at most, so that one row too many says "more". */
export interface Walk {
  readonly ascending: boolean;
  readonly from: string | undefined;
  readonly rows: number;
}

/** What a cell found: rows in walking order, and whether any row lies, or may lie, at or behind the starting point. */
export interface Slice<Row> {
  readonly rows: readonly Row[];
  readonly behind: boolean;
  /** The id at which the cell stopped before it had as many rows as were asked for: it had looked, or read, enough. Beyond it there may be more. */
  readonly stoppedAt?: string;
}

/** One page in the WorkOS list shape. */
export interface Page<Row> {
  readonly object: "list";
  readonly data: readonly Row[];
  readonly list_metadata: { readonly before: string | null; readonly after: string | null };
}

/** Which way to walk, and from where. */
export function walkOf(request: PageRequest): Walk {
  const from = request.after ?? request.before;
  const towardsEnd = from === undefined || (request.order === "normal" ? request.before !== undefined : request.after !== undefined);
  const listedAscending = request.order === "asc";
  return { ascending: towardsEnd === listedAscending, from, rows: request.limit + 1 };
}

/**
 * Merges the cells' slices into the page that one big table would have given. Where a cell stopped early the page ends there, too: it may
 * be short, or empty, and has a cursor to go on with.
 */
export function assemblePage<Row extends { readonly id: string }>(request: PageRequest, slices: readonly Slice<Row>[]): Page<Row> {
  const walk = walkOf(request);
  const inWalk = (a: string, b: string) => (a < b ? -1 : 1) * (walk.ascending ? 1 : -1);
  const [stop] = slices.flatMap(({ stoppedAt }) => stoppedAt ?? []).toSorted(inWalk);
  const walked = slices
    .flatMap((slice) => slice.rows)
    .filter(({ id }) => stop === undefined || id === stop || inWalk(id, stop) < 0)
    .toSorted((a, b) => inWalk(a.id, b.id));
  const taken = walked.slice(0, request.limit);
  const goOnAt = walked.length > request.limit ? taken.at(-1)?.id : stop;
  const goBackAt = slices.some((slice) => slice.behind) ? (taken[0]?.id ?? stop) : undefined;
  const againstListing = walk.ascending !== (request.order === "asc");
  const [following, preceding] = againstListing ? [goBackAt, goOnAt] : [goOnAt, goBackAt];
  const [before, after] = request.order === "normal" ? [following, preceding] : [preceding, following];
  const data = againstListing ? taken.toReversed() : taken;
  return { object: "list", data, list_metadata: { before: before ?? null, after: after ?? null } };
}

/** Characters of JSON after which a cell stops: pages are held in memory as a whole, those of all cells together. */
const CHARACTERS_MAX = 1_000_000;

/** A slice that ends with the row which makes it too long, if one does. */
export function boundedSlice<Row extends { readonly id: string }>(slice: Slice<Row>): Slice<Row> {
  let characters = 0;
  for (const [at, row] of slice.rows.entries()) {
    characters += JSON.stringify(row).length;
    if (characters > CHARACTERS_MAX && at < slice.rows.length - 1)
      return { rows: slice.rows.slice(0, at + 1), behind: slice.behind, stoppedAt: row.id };
  }
  return slice;
}
