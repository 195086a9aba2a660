/** Which meters a route's limits come to for one caller. */
import { organizationOf, type ActiveRecord } from "../record.ts";
import type { Limit } from "./limit.ts";
import type { Terms } from "./terms.ts";

/** Whose request goes by which route. Without a record only limits per route apply. */
export interface Limited {
  readonly record?: ActiveRecord | undefined;
  readonly route: { readonly name: string; readonly cost?: number | undefined };
}

/** Whose meter: its limiter's subject is `<per>:<id>`. */
export function subjectIdOf({ per }: Limit, { record, route }: Limited): string | undefined {
  if (per === "route") return route.name;
  if (!record) return undefined;
  switch (per) {
    case "key":
      return record.key_id;
    case "owner":
      return record.owner.id;
    case "organization":
      return organizationOf(record);
  }
}

/** The terms that hold for a subject. */
export function termsOf(limit: Limit, subjectId: string): Terms {
  const most = limit.overrides && Object.hasOwn(limit.overrides, subjectId) ? (limit.overrides[subjectId] ?? limit.limit) : limit.limit;
  switch (limit.kind) {
    case "rate":
      return { kind: "rate", limit: most, windowMs: limit.window * 1_000 };
    case "quota":
    case "budget":
      return { kind: "period", limit: most, period: limit.period };
    case "concurrency":
      return { kind: "concurrency", limit: most };
  }
}

/** Units of a limit that a request takes. */
export function costOf(limit: Limit, { route }: Limited): number {
  return limit.kind === "budget" ? (route.cost ?? 1) : 1;
}
