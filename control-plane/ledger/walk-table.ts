/** One cell's part of a page: rows of a table with an `id` beyond a position, in one direction. */
import type { Slice, Walk } from "../../core/page.ts";

/** Equality conditions; undefined ones do not count. Column names come from code, values are bound. */
type Filter = Readonly<Record<string, string | null | undefined | Containing>>;

/** Texts with this somewhere in them; ASCII letters in capitals or not. */
interface Containing {
  readonly containing: string;
}

/** Walks a table or subquery as {@link Walk} says. */
export function walkTable<Row extends Record<string, SqlStorageValue>, View>(
  sql: SqlStorage,
  table: string,
  filter: Filter,
  walk: Walk,
  view: (row: Row) => View,
): Slice<View> {
  const conditions: string[] = [];
  const values: string[] = [];
  for (const [column, value] of Object.entries(filter)) {
    if (value === null) conditions.push(`${column} IS NULL`);
    else if (typeof value === "object") {
      conditions.push(`instr(lower(${column}), lower(?)) > 0`);
      values.push(value.containing);
    } else if (value !== undefined) {
      conditions.push(`${column} = ?`);
      values.push(value);
    }
  }
  const [beyond, atOrBehind, order] = walk.ascending ? [">", "<=", "ASC"] : ["<", ">=", "DESC"];
  const where = (position: string) => ["1 = 1", ...conditions, ...(walk.from === undefined ? [] : [`id ${position} ?`])].join(" AND ");
  const bound = walk.from === undefined ? values : [...values, walk.from];
  const rows = sql
    .exec<Row>(`SELECT * FROM ${table} WHERE ${where(beyond)} ORDER BY id ${order} LIMIT ?`, ...bound, walk.rows)
    .toArray()
    .map(view);
  const behind =
    walk.from !== undefined && sql.exec(`SELECT 1 FROM ${table} WHERE ${where(atOrBehind)} LIMIT 1`, ...bound).toArray().length > 0;
  return { rows, behind };
}
