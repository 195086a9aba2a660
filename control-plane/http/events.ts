/** Events: what has happened, as one list that only grows at its end. */
import { z } from "zod";
import { isId, PLATFORM_ORGANIZATION_ID } from "../../core/identifier.ts";
import { eventPage } from "../event-listing.ts";
import { eventType, publishedEventSchema } from "../ledger/event-catalogue.ts";
import { endpoint, type Section } from "./endpoint.ts";
import { isoInstant } from "./fields.ts";
import { pageQuery } from "./query.ts";
import { ok, pageOf } from "./reply.ts";

const TYPES_MAX = 100;

const types = z
  .string()
  .transform((text) => [...new Set(text.split(",").filter((type) => type !== ""))])
  .pipe(z.array(eventType).max(TYPES_MAX, `at most ${TYPES_MAX} types`));
/** Id of an organization in a query. */
export const organizationId = z
  .string()
  .refine((id) => isId("org", id) || id === PLATFORM_ORGANIZATION_ID, "must be the id of an organization");

/** Endpoints on events. */
export const events: Section = {
  title: "Events",
  endpoints: [
    endpoint({
      method: "GET",
      path: "/events",
      operationId: "listEvents",
      summary: "Lists what has happened, oldest first",
      description:
        "Every change is one event; a change that ends keys is one `api_key.revoked` more for each of them. To follow along, go on from the " +
        "last event you have seen with `after`: nothing is added before a cursor later. An event appears when every cell's clock has " +
        "passed its time, usually within milliseconds.",
      access: "portcullis:events:read",
      query: pageQuery("event", "asc").safeExtend({
        events: types.optional().describe("Only these types: joined by commas, or repeated. A name that no event has is refused."),
        organization_id: organizationId.optional().describe("Only what concerns this organization."),
        range_start: isoInstant.optional().describe("Not before this time, nor after `range_end`."),
        range_end: isoInstant.optional().describe("Not after this time."),
      }),
      replies: { 200: pageOf(publishedEventSchema) },
      handler: async ({ services, query }) => {
        const { cells, now } = services;
        const { events: named = [], organization_id, range_start, range_end } = query;
        const ledgers = organization_id === undefined ? cells.all() : [cells.ledger(cells.cellOf(organization_id))];
        const filter = {
          ...(named.length > 0 && { types: named }),
          ...(organization_id !== undefined && { organization_id }),
          ...(range_start !== undefined && { from_ms: range_start }),
          to_ms: range_end ?? Number.MAX_SAFE_INTEGER,
        };
        return ok(await eventPage(ledgers, filter, query, now()));
      },
    }),
  ],
};
