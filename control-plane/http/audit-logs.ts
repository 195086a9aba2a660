/** The audit log as lists: what was done, and what was refused. */
import { z } from "zod";
import { HOME_CELL, isId, PLATFORM_ORGANIZATION_ID } from "../../core/identifier.ts";
import { assemblePage, walkOf, type PageRequest } from "../../core/page.ts";
import type { AuditFilter, AuditScope } from "../ledger/audit-log.ts";
import { INSTALLATION } from "../ledger/concerned-organizations.ts";
import type { LedgerContract } from "../ledger/contract.ts";
import { auditEntrySchema } from "../ledger/audit-view.ts";
import { recordAuditLogEvent } from "./audit-log-events.ts";
import { AUDIT_EXPORTS } from "./audit-log-exports.ts";
import { REQUESTED_EXPORTS } from "./audit-log-export-requests.ts";
import { AUDIT_LOG_RETENTION } from "./audit-log-retention.ts";
import { AUDIT_LOG_SCHEMAS } from "./audit-log-schemas.ts";
import { endpoint, type Section } from "./endpoint.ts";
import { actorId, isoInstant } from "./fields.ts";
import { pageQuery } from "./query.ts";
import { ok, pageOf } from "./reply.ts";

const FILTER_LENGTH_MAX = 128;

const text = z.string().min(1).max(FILTER_LENGTH_MAX).optional();
const filters = {
  actor_id: actorId.optional().describe("Only what this actor did."),
  type: text.describe("Only entries of this type."),
  subject: text.describe("Only what is about this subject: the id of a key, an organization, a membership, a user; the slug of a role."),
  range_start: isoInstant.optional().describe("Not before this time."),
  range_end: isoInstant.optional().describe("Not after this time."),
} as const;
const concerned = z
  .string()
  .refine(
    (id) => isId("org", id) || id === PLATFORM_ORGANIZATION_ID || id === INSTALLATION,
    `must be the id of an organization, or '${INSTALLATION}'`,
  )
  .optional()
  .describe(`Only what concerns this organization; \`${INSTALLATION}\`: what concerns none of them, like users, roles and routes.`);

type Filters = PageRequest & {
  readonly [Name in keyof typeof filters]?: z.output<(typeof filters)[Name]>;
};

/** Endpoints on the audit log. */
export const auditLogs: Section = {
  title: "Audit log",
  endpoints: [
    endpoint({
      method: "GET",
      path: "/audit_logs/entries",
      operationId: "listAuditLogEntries",
      summary: "Lists what was done, in one organization or in all",
      access: "portcullis:audit_logs:read",
      query: pageQuery("audit_log_entry").safeExtend({ ...filters, organization_id: concerned }),
      replies: { 200: pageOf(auditEntrySchema) },
      handler: async ({ services: { cells }, query }) => {
        const { organization_id } = query;
        if (organization_id === undefined) return ok(assemblePage(query, await cells.everywhere(asking({ journal: "entries" }, query))));
        const cell = organization_id === INSTALLATION ? HOME_CELL : cells.cellOf(organization_id);
        return ok(assemblePage(query, [await asking({ organization_id }, query)(cells.ledger(cell))]));
      },
    }),

    endpoint({
      method: "GET",
      path: "/audit_logs/denials",
      operationId: "listAuditLogDenials",
      summary: "Lists what was refused to callers who are known",
      description:
        "`type` is `request.denied` where the caller may not make such a call, `command.refused` where the ledger refused this one. `payload` " +
        "has the endpoint's `operation`, the error's `code`, and how many refusals of this caller before this one were not recorded.",
      access: "portcullis:audit_logs:read",
      query: pageQuery("audit_log_denial").safeExtend(filters),
      replies: { 200: pageOf(auditEntrySchema) },
      handler: async ({ services: { cells }, query }) =>
        ok(assemblePage(query, await cells.everywhere(asking({ journal: "denials" }, query)))),
    }),

    ...AUDIT_EXPORTS,

    recordAuditLogEvent,
    ...AUDIT_LOG_SCHEMAS,
    ...REQUESTED_EXPORTS,
    ...AUDIT_LOG_RETENTION,
  ],
};

/** One cell's part of a page. */
function asking(scope: AuditScope, { actor_id, type, subject, range_start, range_end, ...page }: Filters) {
  const filter: AuditFilter = { actor_id, type, subject, from_ms: range_start, to_ms: range_end };
  return (ledger: LedgerContract) => ledger.auditEntries(scope, filter, walkOf(page));
}
