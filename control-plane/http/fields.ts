/** Fields that several endpoints take. */
import { z } from "zod";

// oxlint-disable-next-line no-control-regex -- control characters are exactly what is looked for
const CONTROL = /[\u0000-\u001f\u007f]/;

/** A name shown to people: 1 to 255 characters, no control characters. */
export const displayName = z
  .string()
  .trim()
  .min(1, "must not be empty")
  .max(255, "at most 255 characters")
  .refine((text) => !CONTROL.test(text), "must not hold control characters");

/** An id given by the customer's own system. */
export const externalId = z
  .string()
  .min(1)
  .max(255)
  .nullish()
  .transform((id) => id ?? null);

/** Permission slugs as granted. */
export const permissionSlugs = z.array(z.string().max(48)).max(256);

/** ISO 8601 with a zone, as milliseconds since the epoch; before the year 10000. */
export const isoInstant = z.iso
  .datetime({ offset: true, error: "must be an ISO 8601 time with a zone, like 2030-01-31T12:00:00.000Z" })
  .transform((text) => Date.parse(text))
  .pipe(z.number({ error: "is not a real time" }));
