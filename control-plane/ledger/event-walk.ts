/**
 * Walking a cell's events from a place on, in either direction. Only indexes are read: a selector is a set of entries that an index holds
 * in order of seq, and a walk merges as many of them as its filter needs.
 */
import { KEY_REVOKED, PART_MAX, placeOfEvent, type EventPlace } from "../../core/event.ts";
import type { Slice, Walk } from "../../core/page.ts";
import { endedKeys } from "./ended-keys.ts";
import { eventOfEndedKey, eventOfRow, eventRows, sealEvents, type EventRow } from "./events.ts";
import type { EventView } from "./view.ts";

/** Which events. Times are ms since the epoch, both inclusive. */
export interface EventFilter {
  readonly types?: readonly string[];
  readonly organization_id?: string;
  readonly from_ms?: number;
  readonly to_ms: number;
}

type WantedEvents = Pick<EventFilter, "types" | "organization_id">;

/** A place within the cell. */
export interface LocalPlace {
  readonly seq: number;
  readonly part: number;
}

/** An event and what it is about. */
export interface SubjectEvent {
  readonly event: EventView;
  readonly subject: string;
  readonly place: LocalPlace;
}

interface Bounds {
  /** Exclusive. */
  readonly above: LocalPlace;
  /** Exclusive. */
  readonly below: LocalPlace;
  readonly ascending: boolean;
}

const START: LocalPlace = { seq: 0, part: PART_MAX };
const END: LocalPlace = { seq: Number.MAX_SAFE_INTEGER, part: 0 };

/** The cell's part of a page of events. */
export function eventSlice(sql: SqlStorage, cell: number, filter: EventFilter, walk: Walk): Slice<EventView> {
  sealEvents(sql);
  const within: Bounds = {
    above: filter.from_ms === undefined ? START : endOf(lastSeqBefore(sql, filter.from_ms)),
    below: { seq: lastSeqBefore(sql, filter.to_ms + 1) + 1, part: 0 },
    ascending: walk.ascending,
  };
  const from = walk.from === undefined ? undefined : placeOfEvent(walk.from);
  const local = from && localPlace(sql, cell, from);
  const ahead = local ? beyond(within, local) : within;
  const rows = walkEvents(sql, cell, filter, ahead, walk.rows).map(({ event }) => event);
  return { rows, behind: local !== undefined && walkEvents(sql, cell, filter, behind(within, local), 1).length > 0 };
}

/** The cell's events after a place, oldest first. */
export function eventsAfter(
  sql: SqlStorage,
  cell: number,
  types: readonly string[],
  after: LocalPlace,
  limit: number,
): readonly SubjectEvent[] {
  sealEvents(sql);
  return walkEvents(sql, cell, { types }, { above: after, below: END, ascending: true }, limit);
}

/** Entries looked at in one go when a walk needs more than its limit: some turn out to hold nothing that is wanted. */
const ENTRIES_AT_ONCE_MIN = 50;

function walkEvents(sql: SqlStorage, cell: number, filter: WantedEvents, bounds: Bounds, limit: number): readonly SubjectEvent[] {
  const found: SubjectEvent[] = [];
  const batch = Math.max(ENTRIES_AT_ONCE_MIN, limit);
  let ahead = bounds;
  for (;;) {
    const entries = candidates(sql, filter, ahead, batch);
    for (const row of entries) found.push(...eventsOfEntry(sql, cell, row, filter, bounds, limit - found.length));
    const last = entries.at(-1);
    if (!last || entries.length < batch || found.length >= limit) return found;
    ahead = bounds.ascending ? { ...ahead, above: endOf(last.seq) } : { ...ahead, below: { seq: last.seq, part: 0 } };
  }
}

/** The first entries within the bounds that may hold a wanted event. */
function candidates(sql: SqlStorage, filter: WantedEvents, { above, below, ascending }: Bounds, limit: number): EventRow[] {
  const lowest = above.part === PART_MAX ? above.seq + 1 : above.seq;
  const highest = below.part === 0 ? below.seq - 1 : below.seq;
  const order = ascending ? "ASC" : "DESC";
  const found = new Map<number, EventRow>();
  for (const { index, condition, values } of selectors(filter)) {
    const query = `${eventRows(index)} WHERE ${condition} AND e.seq >= ? AND e.seq <= ? ORDER BY e.seq ${order} LIMIT ?`;
    for (const row of sql.exec<EventRow>(query, ...values, lowest, highest, limit)) found.set(row.seq, row);
  }
  return [...found.values()].toSorted((a, b) => (ascending ? a.seq - b.seq : b.seq - a.seq)).slice(0, limit);
}

/** Entries that an index holds in order of seq. SQLite would rather walk another one, past whatever does not match: so it is named. */
interface Selector {
  /** Absent: the entries themselves. */
  readonly index?: string;
  readonly condition: string;
  readonly values: readonly string[];
}

function selectors({ types, organization_id }: WantedEvents): Selector[] {
  return organization_id === undefined ? ofInstallation(types) : ofOrganization(organization_id, types);
}

function ofInstallation(types: readonly string[] | undefined): Selector[] {
  if (types === undefined) return [{ condition: "TRUE", values: [] }];
  const byType = types.map((type) => ({ index: "events_by_type", condition: "e.type = ?", values: [type] }));
  return types.includes(KEY_REVOKED) ? [...byType, { index: "events_that_end_keys", condition: "e.ends_keys = 1", values: [] }] : byType;
}

function ofOrganization(id: string, types: readonly string[] | undefined): Selector[] {
  const endingKeys = { index: "events_that_end_keys_of", condition: "e.organization_id = ? AND e.ends_keys = 1" };
  const own =
    types === undefined
      ? [{ index: "events_of_organization", condition: "e.organization_id = ?", values: [id] }]
      : types.map((type) => ({
          index: "events_of_organization_by_type",
          condition: "e.organization_id = ? AND e.type = ?",
          values: [id, type],
        }));
  const endingOwn = types?.includes(KEY_REVOKED) ? [{ ...endingKeys, values: [id] }] : [];
  // What concerns several organizations may have ended keys of this one.
  return [...own, ...endingOwn, { ...endingKeys, condition: "e.organization_id IS NULL AND e.ends_keys = 1", values: [] }];
}

/** The wanted events of one entry within the bounds: its own, then those of the keys it ended. */
function eventsOfEntry(
  sql: SqlStorage,
  cell: number,
  row: EventRow,
  { types, organization_id }: WantedEvents,
  { above, below, ascending }: Bounds,
  limit: number,
): SubjectEvent[] {
  const { seq, subject } = row;
  const first = above.seq === seq ? above.part + 1 : 0;
  const last = below.seq === seq ? below.part - 1 : PART_MAX;
  const isWanted = (types?.includes(row.type) ?? true) && (organization_id === undefined || row.organization_id === organization_id);
  const own = isWanted && first === 0 && last >= 0 ? [{ event: eventOfRow(row, cell), subject, place: { seq, part: 0 } }] : [];
  const wantsKeys = row.ends_keys === 1 && (types?.includes(KEY_REVOKED) ?? true);
  const keys = wantsKeys ? endedKeys(sql, row, { first: Math.max(1, first), last, ascending, organization_id, limit }) : [];
  const ended = keys.map((key) => ({
    event: eventOfEndedKey(sql, row, cell, key),
    subject: key.id,
    place: { seq, part: key.part },
  }));
  return (ascending ? [...own, ...ended] : [...ended, ...own]).slice(0, limit);
}

/** Where a place in the order of all events lies in this cell: everything at or before it is at or before this. */
function localPlace(sql: SqlStorage, cell: number, { atMs, cell: placeCell, seq, part }: EventPlace): LocalPlace {
  const lastBefore = lastSeqBefore(sql, atMs);
  if (cell > placeCell) return endOf(lastBefore);
  const lastAt = lastSeqBefore(sql, atMs + 1);
  if (cell < placeCell || seq > lastAt) return endOf(lastAt);
  return seq <= lastBefore ? endOf(lastBefore) : { seq, part };
}

/** The last event's seq before a time, 0 for none. Times never fall as seqs rise. */
function lastSeqBefore(sql: SqlStorage, atMs: number): number {
  const query = "SELECT seq FROM events WHERE at_ms < ? ORDER BY at_ms DESC, seq DESC LIMIT 1";
  return sql.exec<{ seq: number }>(query, atMs).toArray()[0]?.seq ?? 0;
}

function endOf(seq: number): LocalPlace {
  return { seq, part: PART_MAX };
}

function beyond(within: Bounds, place: LocalPlace): Bounds {
  return within.ascending ? { ...within, above: later(within.above, place) } : { ...within, below: earlier(within.below, place) };
}

/** What lies at the place or on its other side. */
function behind(within: Bounds, place: LocalPlace): Bounds {
  const next = { seq: place.seq, part: place.part + 1 };
  const last = { seq: place.seq, part: place.part - 1 };
  return within.ascending ? { ...within, below: earlier(within.below, next) } : { ...within, above: later(within.above, last) };
}

function later(a: LocalPlace, b: LocalPlace): LocalPlace {
  return a.seq > b.seq || (a.seq === b.seq && a.part > b.part) ? a : b;
}

function earlier(a: LocalPlace, b: LocalPlace): LocalPlace {
  return later(a, b) === a ? b : a;
}
