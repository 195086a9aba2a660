/** The pagination part of a query string. */
import { z } from "zod";
import { isId, PLATFORM_ORGANIZATION_ID, type IdPrefix } from "../../core/identifier.ts";
import type { PageRequest } from "../../core/page.ts";
import { invalid } from "./api-error.ts";

/** 422 for filters that a list does not have: without them it would answer with more than was asked for. */
export function refuseFilters(query: Readonly<Record<string, string>>, ...names: readonly string[]): void {
  const sent = names.filter((name) => query[name] !== undefined);
  if (sent.length > 0) throw invalid(sent.map((field) => ({ code: "unsupported", field, message: "is not a filter of this list" })));
}

/** Reads limit (1 to 100, default 10), order (default desc) and at most one cursor, an id of the listed kind; 422 for anything else. */
export function pageQuery(query: Readonly<Record<string, string>>, cursorPrefix: IdPrefix): PageRequest {
  const cursor = z
    .string()
    .refine(
      (text) => isId(cursorPrefix, text) || (cursorPrefix === "org" && text === PLATFORM_ORGANIZATION_ID),
      "is not a cursor of this list: use an id from list_metadata",
    )
    .optional();
  const schema = z
    .object({
      limit: z
        .string()
        .regex(/^\d{1,3}$/, "must be 1 to 100")
        .transform(Number)
        .pipe(z.number().min(1, "must be 1 to 100").max(100, "must be 1 to 100"))
        .default(10),
      order: z.enum(["asc", "desc", "normal"], { error: "must be 'asc', 'desc' or 'normal'" }).default("desc"),
      before: cursor,
      after: cursor,
    })
    .refine((page) => page.before === undefined || page.after === undefined, { path: ["after"], error: "send either before or after" });
  const given = Object.fromEntries(["limit", "order", "before", "after"].flatMap((name) => (query[name] ? [[name, query[name]]] : [])));
  const parsed = schema.safeParse(given);
  if (parsed.success) return parsed.data;
  throw invalid(parsed.error.issues.map((issue) => ({ code: "invalid", field: issue.path.join("."), message: issue.message })));
}
