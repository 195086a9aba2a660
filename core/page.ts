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

/** What a cell found: rows in walking order, and whether any row lies at or behind the starting point. */
export interface Slice<Row> {
  readonly rows: readonly Row[];
  readonly behind: boolean;
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

/** Merges the cells' slices into the page that one big table would have given. */
export function assemblePage<Row extends { readonly id: string }>(request: PageRequest, slices: readonly Slice<Row>[]): Page<Row> {
  const walk = walkOf(request);
  const walked = slices.flatMap((slice) => slice.rows).toSorted((a, b) => (a.id < b.id ? -1 : 1) * (walk.ascending ? 1 : -1));
  const more = walked.length > request.limit;
  const behind = slices.some((slice) => slice.behind);
  const againstListing = walk.ascending !== (request.order === "asc");
  const taken = walked.slice(0, request.limit);
  const data = againstListing ? taken.toReversed() : taken;
  const following = (againstListing ? behind : more) ? (data.at(-1)?.id ?? null) : null;
  const preceding = (againstListing ? more : behind) ? (data[0]?.id ?? null) : null;
  const list_metadata = request.order === "normal" ? { before: following, after: preceding } : { before: preceding, after: following };
  return { object: "list", data, list_metadata };
}
