/** Fields that several endpoints take. */
import { z } from "zod";
import { permissionSlug } from "../../core/permission-slug.ts";
import { METADATA_PAIRS_MAX } from "../ledger/metadata.ts";

/** Control characters, line and paragraph separators, and what turns the direction of the text around it. */
const NOT_FOR_DISPLAY = /[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/u;
/** A character that can be seen. Half a surrogate pair is none, and does not survive being written down as UTF-8. */
const VISIBLE = /[^\p{C}\p{Z}\p{M}]/u;
/** The end of the year 9999, in ms since the epoch: later times have no four-digit year. */
const INSTANT_MS_MAX = Date.UTC(10_000, 0) - 1;

/** A text shown to people: 1 to so many characters, nothing that changes how the text around it is shown. */
export function shownText(lengthMax: number) {
  return z
    .string()
    .trim()
    .min(1, "must not be empty")
    .max(lengthMax, `at most ${lengthMax} characters`)
    .refine((text) => text === "" || VISIBLE.test(text), "must have something that can be seen")
    .refine((text) => !NOT_FOR_DISPLAY.test(text) && text.isWellFormed(), "must not hold control or text direction characters");
}

/** A name shown to people. */
export const displayName = shownText(255);

/** A language, as BCP 47 names it, in its canonical form. */
export const languageTag = z
  .string()
  .max(35, "at most 35 characters")
  .transform((text, context) => {
    try {
      return Intl.getCanonicalLocales(text)[0] ?? z.NEVER;
    } catch {
      context.addIssue({ code: "custom", message: "must be a language tag, like 'en' or 'de-AT'" });
      return z.NEVER;
    }
  });

const externalIdText = z
  .string()
  .min(1, "must not be empty")
  .max(255, "at most 255 characters")
  .refine((text) => !/\p{Cc}/u.test(text) && text.isWellFormed(), "must not hold control characters");

/** An id given by the customer's own system. */
export const externalId = externalIdText.nullish().transform((id) => id ?? null);

/** The same in a change: absent stays, null takes it away. */
export const externalIdChange = externalIdText.nullable().optional();

/** Id of whoever did something. An admin who signed in is named by issuer and subject, of which the subject alone may have 255 characters. */
export const actorId = z.string().min(1).max(1_000);

/** Permission slugs as granted. */
export const permissionSlugs = z.array(permissionSlug).max(256);

/** ISO 8601 with a zone, as milliseconds since the epoch; before the year 10000. */
export const isoInstant = z.iso
  .datetime({ offset: true, error: "must be an ISO 8601 time with a zone, like 2030-01-31T12:00:00.000Z" })
  .transform((text) => Date.parse(text))
  .pipe(z.number({ error: "is not a real time" }).max(INSTANT_MS_MAX, "must be before the year 10000"));

const metadataName = z.string().regex(/^[\x20-\x7e]{1,40}$/, "1 to 40 ASCII characters, no control characters");
const metadataValue = z.string().regex(/^[\x20-\x7e]{0,600}$/, "at most 600 ASCII characters, no control characters");
const notTooMany = (pairs: object) => Object.keys(pairs).length <= METADATA_PAIRS_MAX;
const TOO_MANY = `at most ${METADATA_PAIRS_MAX} pairs`;

/** The customer's own notes on an organization or a user, within the limits of the WorkOS API. */
export const metadata = z.record(metadataName, metadataValue).refine(notTooMany, TOO_MANY);

/** What is to be merged into the notes; null takes a name away. */
export const metadataChange = z.record(metadataName, metadataValue.nullable()).refine(notTooMany, TOO_MANY).optional();

/** What has happened in a customer's product. */
export const auditAction = z
  .string()
  .max(100, "at most 100 characters")
  .regex(/^[A-Za-z0-9][A-Za-z0-9._:-]*$/, "letters, digits, '.', '_', '-', ':'");

/** A text that is kept as it is: no control characters and no halves of characters. Some are looked up by, and must come out of the database as they went in. */
export function plainText(lengthMax: number) {
  return z
    .string()
    .max(lengthMax, `at most ${lengthMax} characters`)
    .regex(/^[^\p{Cc}\p{Cs}]+$/u, "must not be empty nor hold control characters or halves of characters");
}

/** Why something is done, in the caller's words; kept in the ledger's entry. At most 500 characters. */
export const reason = shownText(500).optional();

/** The members that are there: to the ledger, absent is not the same as undefined. */
export function given<Fields extends object>(fields: Fields): { [Name in keyof Fields]?: Exclude<Fields[Name], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [Name in keyof Fields]?: Exclude<Fields[Name], undefined>;
  };
}
