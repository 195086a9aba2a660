/**
 * How long the audit log of an organization keeps what its customer's own events say. It is about those alone: what Portcullis says of the
 * organization's keys and members is evidence for who runs the installation, and is kept as long as the installation keeps it. As there, an event's
 * time, digest and hashes stay.
 */
import { CUSTOMER_PREFIX } from "../../core/event.ts";

/** An organization's entries gone through at once. */
const BATCH = 500;
const DAY_MS = 86_400_000;

interface RetentionRow extends Record<string, SqlStorageValue> {
  organization_id: string;
  days: number | null;
  /** Up to which entry events were gone through. */
  expired_through: number;
}

/** For how many days an organization's own events are kept, or null. */
export function customerEventRetentionDays(sql: SqlStorage, organizationId: string): number | null {
  const query = "SELECT days FROM customer_event_retentions WHERE organization_id = ?";
  return sql.exec<{ days: number | null }>(query, organizationId).toArray()[0]?.days ?? null;
}

/** Drops events whose time is up, of one organization, a batch. Inside a transaction. */
export function dropExpiredCustomerEvents(sql: SqlStorage, nowMs: number): void {
  const [retention] = sql
    .exec<RetentionRow>("SELECT * FROM customer_event_retentions WHERE due_at_ms <= ? ORDER BY due_at_ms LIMIT 1", nowMs)
    .toArray();
  if (!retention || retention.days === null) return;
  const { organization_id, days, expired_through } = retention;
  const beyond = entriesOf(sql, organization_id, expired_through);
  const old = beyond.filter(({ at_ms }) => at_ms <= nowMs - days * DAY_MS);
  for (const { seq, type } of old) if (type.startsWith(CUSTOMER_PREFIX)) drop(sql, seq);
  const [next] = beyond.slice(old.length);
  const isMore = next === undefined && beyond.length === BATCH;
  sql.exec(
    "UPDATE customer_event_retentions SET expired_through = ?, due_at_ms = ? WHERE organization_id = ?",
    old.at(-1)?.seq ?? expired_through,
    isMore ? nowMs : (next?.at_ms ?? nowMs) + days * DAY_MS,
    organization_id,
  );
}

/** When events of some organization are to be gone through next, or null. */
export function nextCustomerExpiryAtMs(sql: SqlStorage): number | null {
  return sql.exec<{ due: number | null }>("SELECT min(due_at_ms) AS due FROM customer_event_retentions WHERE due_at_ms IS NOT NULL").one()
    .due;
}

/** Whether it is for this that an entry has no content. */
export function isExpiredCustomerEvent(sql: SqlStorage, seq: number): boolean {
  const query = `SELECT 1 FROM entry_organizations e JOIN customer_event_retentions USING (organization_id)
    WHERE e.seq = ? AND e.seq <= expired_through AND e.type = ?`;
  return sql.exec(query, seq, CUSTOMER_PREFIX).toArray().length > 0;
}

/** Whether events of an organization between two entries, the first excluded, were dropped by this since it had come to an entry. */
export function haveCustomerEventsExpired(sql: SqlStorage, organizationId: string, after: number, through: number): boolean {
  const query = "SELECT 1 FROM entry_organizations WHERE organization_id = ? AND type = ? AND seq > ? AND seq <= ? LIMIT 1";
  return sql.exec(query, organizationId, CUSTOMER_PREFIX, after, through).toArray().length > 0;
}

/** Up to which entry of an organization events were gone through. */
export function expiredThrough(sql: SqlStorage, organizationId: string): number {
  const query = "SELECT expired_through AS seq FROM customer_event_retentions WHERE organization_id = ?";
  return sql.exec<{ seq: number }>(query, organizationId).toArray()[0]?.seq ?? 0;
}

function entriesOf(sql: SqlStorage, organizationId: string, afterSeq: number) {
  const query = `SELECT o.seq, o.type, e.at_ms FROM entry_organizations o JOIN entries e USING (seq)
    WHERE o.organization_id = ? AND o.seq > ? ORDER BY o.seq LIMIT ?`;
  return sql.exec<{ seq: number; type: string; at_ms: number }>(query, organizationId, afterSeq, BATCH).toArray();
}

/** That it was an event of a customer's stays said, where the chain does not cover it: what else lacks its content was taken out. */
function drop(sql: SqlStorage, seq: number): void {
  sql.exec(
    "UPDATE entries SET actor_type = '', actor_id = '', type = '', subject = '', organizations = '[]', payload = '{}', salt = NULL WHERE seq = ?",
    seq,
  );
  sql.exec("UPDATE entry_organizations SET actor_id = '', type = ?, subject = '' WHERE seq = ?", CUSTOMER_PREFIX, seq);
}
