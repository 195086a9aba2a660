/** Usage: what keys have been used for, for charts. Ours. */
import { z } from "zod";
import { cellOfId, isId } from "../../core/identifier.ts";
import { permissionSlug } from "../../core/permission-slug.ts";
import { GROUPS, mergeBars, STEPS_MS, type Bar, type Place, type UsageQuestion } from "../usage/query.ts";
import type { View } from "../ledger/view.ts";
import { invalid } from "./api-error.ts";
import { endpoint, type Section, type Services } from "./endpoint.ts";
import { organizationId } from "./events.ts";
import { isoInstant } from "./fields.ts";
import { emptyIsAbsent, requireForward } from "./query.ts";
import { ok, pageOf } from "./reply.ts";

const DAY_MS = 86_400_000;
/** How long a time may be asked about at once, and how long it is where nobody says, in ms. */
const RANGES_MS = { hour: { most: 31 * DAY_MS, usually: DAY_MS }, day: { most: 400 * DAY_MS, usually: 30 * DAY_MS } } as const;
const LIMIT_DEFAULT = 100;
const LIMIT_MAX = 1_000;

const usageSchema = z
  .object({
    object: z.literal("usage"),
    start: z.iso.datetime().describe("The hour's or the day's beginning, in UTC."),
    group: z.string().nullable().describe("What these requests have in common; null without `group_by`, and for what was not refused."),
    requests: z.number().int(),
  })
  .meta({ id: "Usage" });

const limitWrong = `must be 1 to ${LIMIT_MAX}`;
const limit = z
  .string()
  .regex(/^\d{1,4}$/, limitWrong)
  .transform(Number)
  .pipe(z.number().min(1, limitWrong).max(LIMIT_MAX, limitWrong))
  .meta({ publishedAs: { type: "integer", minimum: 1, maximum: LIMIT_MAX, default: LIMIT_DEFAULT } });

const placeSchema = z.tuple([z.number().int().min(0).max(8.64e15), z.string().max(64)]);
const cursor = z
  .string()
  .max(200)
  .refine((text) => placeOf(text) !== undefined, "is not a cursor of this list: use the one from list_metadata");

const step = z.enum(["hour", "day"], { error: "must be 'hour' or 'day'" });
const group = z.enum(GROUPS, { error: `must be one of ${GROUPS.join(", ")}` });
const query = z.object({
  organization_id: emptyIsAbsent(organizationId.optional()),
  api_key_id: emptyIsAbsent(
    z
      .string()
      .refine((id) => isId("api_key", id), "must be the id of an API key")
      .optional(),
  ),
  route: emptyIsAbsent(z.string().max(64).optional()).describe("Name of a route."),
  permission: emptyIsAbsent(permissionSlug.optional()).describe("In the words of the routes: requests that took it."),
  range_start: emptyIsAbsent(isoInstant.optional()).describe(
    "Hours that begin at this time or later; a day or 30 before the end without it.",
  ),
  range_end: emptyIsAbsent(isoInstant.optional()).describe("Hours that begin before this time; now without it."),
  granularity: emptyIsAbsent(step.default("hour")).describe("`hour`: 31 days at most; `day`: 400."),
  group_by: emptyIsAbsent(group.optional()),
  limit: emptyIsAbsent(limit.default(LIMIT_DEFAULT)).describe(`How many rows, 1 to ${LIMIT_MAX}.`),
  after: emptyIsAbsent(cursor.optional()).describe("Rows after this cursor."),
});

/** Endpoints on usage. */
export const usage: Section = {
  title: "Usage",
  endpoints: [
    endpoint({
      method: "GET",
      path: "/usage",
      operationId: "getUsage",
      summary: "Counts requests by hour or day, and by organization, key, route, permission, status or refusal",
      description:
        "Of requests with a key whose secret was right, passed on or refused, about half a minute after they were answered. Grouped by permission, " +
        "a request that took several is counted with each. Hours without requests have no row. `USAGE_RETENTION_DAYS` says how long they are kept.",
      access: "portcullis:usage:read",
      query,
      replies: { 200: pageOf(usageSchema) },
      handler: async ({ services, query: asked }) => {
        const question = questionOf(services, asked);
        const parts = await Promise.all(cellsOf(services, asked).map((cell) => services.usage.store(cell).bars(question)));
        const found = mergeBars(parts, question.limit);
        const shown = found.slice(0, asked.limit);
        const last = found.length > asked.limit ? shown.at(-1) : undefined;
        return ok({ object: "list", data: shown.map(toUsage), list_metadata: { before: null, after: last ? cursorOf(last) : null } });
      },
    }),
  ],
};

type Asked = z.output<typeof query>;

function questionOf(services: Services, asked: Asked): UsageQuestion {
  const { organization_id, api_key_id, route, permission, granularity, group_by, after } = asked;
  const place = after === undefined ? undefined : placeOf(after);
  return {
    ...rangeOf(services, asked),
    ...(organization_id !== undefined && { organization_id }),
    ...(api_key_id !== undefined && { api_key_id }),
    ...(route !== undefined && { route }),
    ...(permission !== undefined && { permission }),
    ...(group_by && { group_by }),
    ...(place && { after: place }),
    granularity,
    // One more says that there are more.
    limit: asked.limit + 1,
  };
}

function toUsage({ start_ms, group: name, requests }: Bar): View<typeof usageSchema> {
  return { object: "usage", start: new Date(start_ms).toISOString(), group: name === "" ? null : name, requests };
}

function rangeOf({ now }: Services, { granularity, range_start, range_end }: Asked) {
  const { most, usually } = RANGES_MS[granularity];
  const to_ms = range_end ?? now();
  const from_ms = range_start ?? to_ms - usually;
  requireForward({ range_start: from_ms, range_end: to_ms });
  if (to_ms - from_ms > most + STEPS_MS[granularity])
    throw invalid([{ code: "too_big", field: "range_start", message: `at most ${most / DAY_MS} days at once by the ${granularity}` }]);
  return { from_ms, to_ms };
}

/** A key's id, like an organization's, names its cell. */
function cellsOf({ cells }: Services, { organization_id, api_key_id }: Asked): number[] {
  if (organization_id !== undefined) return [cells.cellOf(organization_id)];
  if (api_key_id === undefined) return Array.from({ length: cells.count }, (_, cell) => cell);
  const cell = cellOfId("api_key", api_key_id, cells.count);
  return cell === undefined ? [] : [cell];
}

function cursorOf({ start_ms, group: name }: Place): string {
  return Buffer.from(JSON.stringify([start_ms, name])).toString("base64url");
}

function placeOf(text: string): Place | undefined {
  try {
    const parsed = placeSchema.safeParse(JSON.parse(Buffer.from(text, "base64url").toString()));
    return parsed.success ? { start_ms: parsed.data[0], group: parsed.data[1] } : undefined;
  } catch {
    return undefined;
  }
}
