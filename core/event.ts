/**
 * Events: what the ledger's entries tell the outside. One entry is one event; an entry that ends keys is one more event for each
 * of them. An event's id is its place in the order of all events, so the id alone is a cursor, in every cell, for ever.
 *
 * The order: by time of the entry, then cell, then entry, then part of the entry. Texts of ids sort the same way.
 */
import { crockford, isId, readCrockford } from "./identifier.ts";

/** An event's place in the order of all events. */
export interface EventPlace {
  /** Time of the entry by its cell's clock, ms since the epoch; never falls from one entry of a cell to the next. */
  readonly atMs: number;
  readonly cell: number;
  /** The entry in its cell. */
  readonly seq: number;
  /** 0 is the entry itself; above, one of the keys that it ended: {@link PART_MAX} at most. */
  readonly part: number;
}

/** A ULID's 26 characters: 48 bits of time, then cell, seq (45 bits) and part. */
const TIME_LENGTH = 10;
const SEQ_AT = 11;
const PART_AT = 20;
const LENGTH = 26;

/** Largest part of an entry. */
export const PART_MAX = 32 ** (LENGTH - PART_AT) - 1;

/** The id of the event at a place. */
export function eventId({ atMs, cell, seq, part }: EventPlace): string {
  const place = crockford(atMs, TIME_LENGTH) + crockford(cell, 1) + crockford(seq, PART_AT - SEQ_AT) + crockford(part, LENGTH - PART_AT);
  return `event_${place}`;
}

/** The place an event's id tells, or undefined for what is no event's id. */
export function placeOfEvent(id: string): EventPlace | undefined {
  if (!isId("event", id)) return undefined;
  const ulid = id.slice("event_".length);
  return {
    atMs: readCrockford(ulid.slice(0, TIME_LENGTH)),
    cell: readCrockford(ulid.slice(TIME_LENGTH, SEQ_AT)),
    seq: readCrockford(ulid.slice(SEQ_AT, PART_AT)),
    part: readCrockford(ulid.slice(PART_AT)),
  };
}

/** The event that tells of a key's end, however it came about. */
export const KEY_REVOKED = "api_key.revoked";

/** A cell's own bookkeeping: the change itself is another cell's entry. */
const SILENT_ENTRIES = ["catalogue.mirrored", "api_key.placed"] as const;
/** Entries whose event has another name. */
const RENAMED_ENTRIES = { "installation.bootstrapped": "api_key.created" } as const;

/** What begins the type of an entry that records a customer's own event, and no name of an event. */
export const CUSTOMER_PREFIX = "customer.";

/** Type of an entry that records a customer's own event. */
type CustomerEntryType = `${typeof CUSTOMER_PREFIX}${string}`;

/** The type of the entry that records a customer's event of an action. */
export function customerEntryType(action: string): CustomerEntryType {
  return `${CUSTOMER_PREFIX}${action}`;
}

/** Types of entries that are not themselves names of events. What a customer records is the customer's own, and is told to nobody. */
export type UntoldEntryType = (typeof SILENT_ENTRIES)[number] | keyof typeof RENAMED_ENTRIES | CustomerEntryType;

/** The type of an entry's event, or undefined if the entry is none. */
export function eventTypeOfEntry(entryType: string): string | undefined {
  const silent: readonly string[] = SILENT_ENTRIES;
  const renamed: Readonly<Record<string, string>> = RENAMED_ENTRIES;
  return silent.includes(entryType) || entryType.startsWith(CUSTOMER_PREFIX) ? undefined : (renamed[entryType] ?? entryType);
}

/** The kind of object an event is about: `api_key` of `api_key.created`. */
export function objectKindOf(type: string): string {
  return type.slice(0, type.indexOf("."));
}

/** Where an actor acted from, in WorkOS's words. */
export function sourceOfActor(actorType: string): "api" | "dashboard" | "system" {
  if (actorType === "api_key") return "api";
  return actorType === "system" ? "system" : "dashboard";
}

/** What of an object was different before: the members that are not the same now, as they were. */
export function previousAttributes(
  before: Readonly<Record<string, unknown>>,
  after: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const changed = Object.entries(before).filter(
    ([name, value]) => name !== "updated_at" && JSON.stringify(value) !== JSON.stringify(after[name]),
  );
  return Object.fromEntries(changed);
}
