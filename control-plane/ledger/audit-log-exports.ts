/**
 * Exports of an organization's audit log that somebody has asked for, in the organization's cell: which part of its chain, and what of that. The
 * lines themselves are read from the log when they are fetched.
 */
import { quoteId } from "../../core/identifier.ts";
import { auditStretch, type AuditStretch } from "./audit-log.ts";
import type { Command, ExportFilter } from "./command.ts";
import { expiredThrough, haveCustomerEventsExpired } from "./customer-event-retention.ts";
import { isoTime } from "./iso-time.ts";
import { droppedThrough } from "./journal.ts";
import { refuse, type Transaction } from "./transaction.ts";
import type { AuditLogExportView } from "./audit-view.ts";

interface ExportRow extends Record<string, SqlStorageValue> {
  id: string;
  organization_id: string;
  filter: string;
  stretch: string;
  /** Up to which entries content was gone when it was asked for: of everything, and of the organization's own events. */
  dropped_through: number;
  expired_through: number;
  created_at_ms: number;
}

/** What is to be read for an export. */
export interface AuditLogExport {
  readonly view: AuditLogExportView;
  readonly organization_id: string;
  readonly stretch: AuditStretch;
  readonly filter: ExportFilter;
}

/** Notes which part of the log is asked for: what lies in the range of time now, and nothing that is still to come. Also of an organization that has ended. */
export function createAuditLogExport(
  transaction: Transaction,
  { id, organization_id, from_ms, to_ms, filter }: Extract<Command, { type: "create_audit_log_export" }>,
): Record<string, unknown> {
  const { sql, nowMs } = transaction;
  const stretch = auditStretch(sql, { organization_id }, { from_ms, to_ms }, 0);
  if (!stretch) refuse("entity_not_found", `Organization not found: ${quoteId(organization_id)}.`);
  transaction.append("audit_log_export.created", id, {
    id,
    organization_id,
    range_start: isoTime(from_ms),
    range_end: isoTime(to_ms),
    ...filter,
  });
  sql.exec(
    "INSERT INTO audit_log_exports VALUES (?, ?, ?, ?, ?, ?, ?)",
    id,
    organization_id,
    JSON.stringify(filter),
    JSON.stringify(stretch),
    droppedThrough(sql, "entries"),
    expiredThrough(sql, organization_id),
    nowMs,
  );
  return { ...auditLogExport(sql, id)?.view };
}

/** An export that was asked for, or null. */
export function auditLogExport(sql: SqlStorage, id: string): AuditLogExport | null {
  const [row] = sql.exec<ExportRow>("SELECT * FROM audit_log_exports WHERE id = ?", id).toArray();
  if (!row) return null;
  const stretch = JSON.parse(row.stretch) as AuditStretch;
  const at = isoTime(row.created_at_ms);
  const state = hasLostContent(sql, row, stretch) ? "error" : "ready";
  return {
    view: { object: "audit_log_export", id, state, created_at: at, updated_at: at },
    organization_id: row.organization_id,
    stretch,
    filter: JSON.parse(row.filter) as ExportFilter,
  };
}

/** Whether content of the stretch has been dropped since the export was asked for. */
function hasLostContent(sql: SqlStorage, row: ExportRow, { after, through }: AuditStretch): boolean {
  const { organization_id, dropped_through, expired_through } = row;
  if (Math.min(droppedThrough(sql, "entries"), through) > Math.max(dropped_through, after.seq)) return true;
  const gone = Math.min(expiredThrough(sql, organization_id), through);
  return haveCustomerEventsExpired(sql, organization_id, Math.max(expired_through, after.seq), gone);
}
