/** Fields that several endpoints take. */
import { z } from "zod";
import { permissionSlug } from "../../core/permission.ts";

/** Control characters, line and paragraph separators, and what turns the direction of the text around it. */
const NOT_FOR_DISPLAY = /[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/u;
/** The end of the year 9999, in ms since the epoch: later times have no four-digit year. */
const INSTANT_MS_MAX = Date.UTC(10_000, 0) - 1;

/** A text shown to people: 1 to so many characters, nothing that changes how the text around it is shown. */
export function shownText(lengthMax: number) {
  return z
    .string()
    .trim()
    .min(1, "must not be empty")
    .max(lengthMax, `at most ${lengthMax} characters`)
    .refine((text) => !NOT_FOR_DISPLAY.test(text), "must not hold control or text direction characters");
}

/** A name shown to people. */
export const displayName = shownText(255);

/** An id given by the customer's own system. */
export const externalId = z
  .string()
  .min(1)
  .max(255)
  .nullish()
  .transform((id) => id ?? null);

/** Permission slugs as granted. */
export const permissionSlugs = z.array(permissionSlug).max(256);

/** ISO 8601 with a zone, as milliseconds since the epoch; before the year 10000. */
export const isoInstant = z.iso
  .datetime({ offset: true, error: "must be an ISO 8601 time with a zone, like 2030-01-31T12:00:00.000Z" })
  .transform((text) => Date.parse(text))
  .pipe(z.number({ error: "is not a real time" }).max(INSTANT_MS_MAX, "must be before the year 10000"));
