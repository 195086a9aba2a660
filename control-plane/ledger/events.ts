/**
 * The events of a cell. Each entry that is one has a row beside it with the object the entry is about: as it was before, written with
 * the entry, and as it was afterwards, written when the next entry is appended or somebody reads, whichever is first: until then nothing
 * about the object can have changed. So an event shows the object as of its entry for ever, and whoever appends must do so
 * before changing state.
 *
 * An entry that ended keys has one more event for each of them, made up from the keys' own rows when read; see ended-keys.ts.
 *
 * Invariant: once a cell has said that its events are settled up to a time, it never appends an entry of that time or before. So a
 * listing that shows, of every cell, only what lies at or before a time to which all of them are settled can only grow at its end.
 */
import {
  eventId,
  eventTypeOfEntry,
  KEY_REVOKED,
  objectKindOf,
  PART_MAX,
  placeOfEvent,
  previousAttributes,
  sourceOfActor,
} from "../../core/event.ts";
import { apiKeyStored, apiKeyView } from "./api-keys.ts";
import { permissionView, roleView } from "./catalogue.ts";
import { endedKeys, type EndedKey } from "./ended-keys.ts";
import { isoTime } from "./iso-time.ts";
import { organizationRoleInEvents } from "./organization-roles.ts";
import { policyView } from "./key-policies.ts";
import { keyRequestView } from "./key-requests.ts";
import { membershipView, organizationView, userView } from "./tenancy.ts";
import { webhookEndpointInEvents } from "./webhook-endpoints.ts";
import type { EventView } from "./view.ts";

type Data = Record<string, unknown>;

/** An event's row with what its entry says of it. */
export interface EventRow extends Record<string, SqlStorageValue> {
  seq: number;
  at_ms: number;
  type: string;
  subject: string;
  organization_id: string | null;
  /** Whether the entry ended keys other than its subject. */
  ends_keys: number;
  data: string;
  actor_type: string;
  actor_id: string;
}

/** Notes that an entry about to change state is an event. Only inside the entry's transaction, before the change. */
export function noteEvent(sql: SqlStorage, seq: number, entryType: string, subject: string, said: Data): void {
  sealEvents(sql);
  const type = eventTypeOfEntry(entryType);
  if (type === undefined) return;
  const before = objectOf(sql, type, subject, said);
  // Where the ledger's end was cut off there is an event of this number; that is for the chain to tell, and must not keep a key from being revoked.
  sql.exec(
    "INSERT OR REPLACE INTO events (seq, at_ms, type, subject, before) SELECT seq, at_ms, ?, ?, ? FROM entries WHERE seq = ?",
    type,
    subject,
    before && JSON.stringify(before),
    seq,
  );
}

/** Completes the events of what has been committed. Everything that reads events calls it first. */
export function sealEvents(sql: SqlStorage): void {
  const open = sql.exec<{ seq: number; type: string; subject: string; before: string | null; payload: string }>(
    "SELECT seq, e.type, e.subject, before, payload FROM events e JOIN entries USING (seq) WHERE data IS NULL ORDER BY seq",
  );
  for (const { seq, type, subject, before, payload } of open.toArray()) {
    const said = JSON.parse(payload) as Data;
    const about = dataOf(before === null ? undefined : (JSON.parse(before) as Data), objectOf(sql, type, subject, said), said);
    // What the object itself does not tell.
    const data = said["notice"] === undefined ? about : { ...about, notice: said["notice"] };
    const endsKeys = endedKeys(sql, { seq, type, subject }, { first: 1, last: PART_MAX, ascending: true, limit: 1 }).length;
    sql.exec(
      "UPDATE events SET data = ?, organization_id = ?, ends_keys = ?, before = NULL WHERE seq = ?",
      JSON.stringify(data),
      organizationOf(data, said),
      endsKeys,
      seq,
    );
  }
}

/** The latest entry that is an event, 0 before the first. */
export function latestEventSeq(sql: SqlStorage): number {
  return sql.exec<{ seq: number | null }>("SELECT max(seq) AS seq FROM events").one().seq ?? 0;
}

/** Settles the cell's events up to a time, or up to now if that is earlier; answers the time that they are settled up to. */
export function settleEvents(sql: SqlStorage, askedMs: number, nowMs: number): number {
  const query = "UPDATE event_horizon SET settled_ms = max(settled_ms, ?) RETURNING settled_ms";
  return sql.exec<{ settled_ms: number }>(query, Math.min(askedMs, nowMs)).one().settled_ms;
}

/** The event of an entry. */
export function eventOfRow(row: EventRow, cell: number): EventView {
  const id = eventId({ atMs: row.at_ms, cell, seq: row.seq, part: 0 });
  return eventView(row, id, row.type, JSON.parse(row.data) as Data);
}

/** The event of a key that an entry ended, by the number of the key's row: the key was last changed by that entry. */
export function eventOfEndedKey(sql: SqlStorage, row: EventRow, cell: number, { part, id }: EndedKey): EventView {
  const data = { ...apiKeyStored(sql, id), updated_at: isoTime(row.at_ms) };
  return eventView(row, eventId({ atMs: row.at_ms, cell, seq: row.seq, part }), KEY_REVOKED, data);
}

/** One event by its id, with what it is about, or undefined when the cell has no such event. */
export function findEvent(sql: SqlStorage, cell: number, id: string): EventView | undefined {
  const place = placeOfEvent(id);
  if (place?.cell !== cell) return undefined;
  sealEvents(sql);
  const [row] = sql.exec<EventRow>(`${eventRows()} WHERE e.seq = ? AND e.at_ms = ?`, place.seq, place.atMs).toArray();
  if (!row) return undefined;
  if (place.part === 0) return eventOfRow(row, cell);
  const [key] = endedKeys(sql, row, { first: place.part, last: place.part, ascending: true, limit: 1 });
  return key && eventOfEndedKey(sql, row, cell, key);
}

/** The beginning of a query for events' rows, by an index or by their numbers. */
export function eventRows(index?: string): string {
  const by = index === undefined ? "" : `INDEXED BY ${index}`;
  return `SELECT e.seq, e.at_ms, e.type, e.subject, e.organization_id, e.ends_keys, e.data, actor_type, actor_id FROM events e ${by} JOIN entries USING (seq)`;
}

function eventView({ at_ms, actor_type, actor_id }: EventRow, id: string, type: string, data: Data): EventView {
  const actor = { id: actor_id, source: sourceOfActor(actor_type), name: null };
  return { object: "event", id, event: type, data, created_at: isoTime(at_ms), context: { actor } };
}

/** The object as of the entry; where it is gone, as it was last; where it is nothing the cell keeps, what the entry says. */
function dataOf(before: Data | undefined, after: Data | undefined, said: Data): Data {
  if (!before || !after) return after ?? before ?? said;
  const previous = previousAttributes(before, after);
  return Object.keys(previous).length === 0 ? after : { ...after, previous_attributes: previous };
}

/** The object that events of a type are about, as the cell has it at this moment. */
function objectOf(sql: SqlStorage, type: string, subject: string, said: Data): Data | undefined {
  const view = viewOf(sql, objectKindOf(type), subject, said);
  return view ? { ...view } : undefined;
}

function viewOf(sql: SqlStorage, kind: string, subject: string, said: Data): object | null | undefined {
  switch (kind) {
    case "api_key":
      return apiKeyView(sql, subject) ?? apiKeyStored(sql, subject);
    case "organization":
      return organizationView(sql, subject);
    case "organization_membership":
      return membershipView(sql, subject);
    case "user":
      return userView(sql, subject);
    case "permission":
      return permissionView(sql, subject);
    case "role":
      return roleView(sql, subject);
    case "webhook_endpoint":
      return webhookEndpointInEvents(sql, subject);
    case "organization_role":
      return organizationRoleInEvents(sql, String(said["organization_id"]), subject);
    case "api_key_policy":
      return policyView(sql, subject);
    case "api_key_request":
      return keyRequestView(sql, subject);
    default:
      return undefined;
  }
}

/** The organization an event belongs to, null for the whole installation's. */
function organizationOf(data: Data, said: Data): string | null {
  if (data["object"] === "organization") return textOrNull(data["id"]);
  const owner = data["owner"] as { type: string; id: string; organization_id?: string } | undefined;
  return textOrNull(owner?.organization_id ?? owner?.id ?? data["organization_id"] ?? said["organization_id"]);
}

function textOrNull(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}
