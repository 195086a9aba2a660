/** Query parameters: through the endpoint's schema, and what lists share. */
import { z } from "zod";
import { isId, PLATFORM_ORGANIZATION_ID, type IdPrefix } from "../../core/identifier.ts";
import type { PageOrder } from "../../core/page.ts";
import { invalid, reversedRange } from "./api-error.ts";

/** Parameters that hold several values: joined by commas in one, repeated, or repeated with `[]` behind the name. */
const LISTS: ReadonlySet<string> = new Set(["events"]);

/**
 * Parses query parameters; 422 with every one at fault, 400 for a reversed range. What the schema does not name is ignored. Of a repeated
 * parameter that is no list the first value counts.
 */
export function parseQuery<Schema extends z.ZodObject>(
  query: Readonly<Record<string, readonly string[]>>,
  schema: Schema,
): z.output<Schema> {
  const texts = Object.keys(schema.shape).flatMap((name) => {
    const values = LISTS.has(name) ? [...(query[name] ?? []), ...(query[`${name}[]`] ?? [])] : (query[name] ?? []).slice(0, 1);
    return values.length === 0 ? [] : [[name, values.join(",")] as const];
  });
  const parsed = schema.safeParse(Object.fromEntries(texts));
  if (parsed.success) {
    requireForward(parsed.data);
    return parsed.data;
  }
  throw invalid(
    parsed.error.issues.map((issue) => {
      const code = issue.code === "invalid_type" && issue.expected === "never" ? "unsupported" : "invalid";
      return { code, field: issue.path.join("."), message: issue.message };
    }),
  );
}

/** Whether a query asks about a range of time, whatever else it takes. */
export function hasRange({ shape }: z.ZodObject): boolean {
  return "range_start" in shape && "range_end" in shape;
}

/** 400 unless a range of time (ms since the epoch) begins before it ends, or at the same moment. What is absent is open. */
export function requireForward({ range_start, range_end }: { readonly range_start?: unknown; readonly range_end?: unknown }): void {
  if (typeof range_start === "number" && typeof range_end === "number" && range_start > range_end) throw reversedRange();
}

/** A filter of the WorkOS API that a list does not have: without it the list would answer with more than was asked for. */
export const unsupportedFilter = z.never({ error: "is not a filter of this list" }).optional();

/** The query of a list whose rows have ids with this prefix; a list with filters extends it (`safeExtend`). */
export function pageQuery(prefix: IdPrefix, orderDefault: PageOrder = "desc") {
  const cursor = pageCursor(prefix);
  return z
    .object({
      limit: pageLimit,
      order: emptyIsAbsent(order.default(orderDefault)).describe("`normal` is newest first, with the cursors' meaning reversed."),
      before: cursor.describe("Rows on the near side of this id."),
      after: cursor.describe("Rows on the far side of this id."),
    })
    .refine(goesOneWay, ONE_WAY);
}

/** A position in a list whose rows have ids with this prefix. */
export function pageCursor(prefix: IdPrefix) {
  return emptyIsAbsent(
    z
      .string()
      .refine((text) => isCursor(prefix, text), "is not a cursor of this list: use an id from list_metadata")
      .optional(),
  );
}

/** A page is on one side of a position. */
export function goesOneWay(page: { readonly before?: string | undefined; readonly after?: string | undefined }): boolean {
  return page.before === undefined || page.after === undefined;
}

/** What is said about a page that does not. */
export const ONE_WAY = { path: ["after"], error: "send either before or after" };

const LIMIT_DEFAULT = 10;
const limit = z
  .string()
  .regex(/^\d{1,3}$/, "must be 1 to 100")
  .transform(Number)
  .pipe(z.number().min(1, "must be 1 to 100").max(100, "must be 1 to 100"))
  .meta({ publishedAs: { type: "integer", minimum: 1, maximum: 100, default: LIMIT_DEFAULT } });
/** How many rows a list is asked for. */
export const pageLimit = emptyIsAbsent(limit.default(LIMIT_DEFAULT)).describe("How many rows, 1 to 100.");

/** A number of days, 1 to so many. */
export function daysQuery(usually: number, most: number) {
  const wrong = `must be 1 to ${most}`;
  const days = z
    .string()
    .regex(/^\d{1,4}$/, wrong)
    .transform(Number)
    .pipe(z.number().min(1, wrong).max(most, wrong))
    .meta({ publishedAs: { type: "integer", minimum: 1, maximum: most, default: usually } });
  return emptyIsAbsent(days.default(usually));
}

const order = z.enum(["asc", "desc", "normal"], { error: "must be 'asc', 'desc' or 'normal'" });

/** An empty parameter is as good as none. */
export function emptyIsAbsent<Schema extends z.ZodType>(schema: Schema) {
  return z.preprocess((text) => (text === "" ? undefined : text), schema);
}

function isCursor(prefix: IdPrefix, text: string): boolean {
  return isId(prefix, text) || (prefix === "org" && text === PLATFORM_ORGANIZATION_ID);
}
