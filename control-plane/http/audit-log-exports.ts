/** Exports of the audit log: of an organization, of a cell, of a cell's refusals; each to be verified, or for a spreadsheet. */
import { z } from "zod";
import { CSV } from "../audit/csv.ts";
import { auditStream, type ExportFormat } from "../audit/export.ts";
import { NDJSON } from "../audit/ndjson.ts";
import type { AuditScope } from "../ledger/audit-log.ts";
import type { Journal } from "../ledger/journal.ts";
import { notFound } from "./api-error.ts";
import { endpoint, type Endpoint, type Services } from "./endpoint.ts";
import { isoInstant } from "./fields.ts";
import type { Reply } from "./reply.ts";

/** How an export is written, and what is said about that. */
interface Kind {
  readonly extension: "ndjson" | "csv";
  readonly mediaType: string;
  readonly format: ExportFormat;
  readonly purpose: string;
  readonly description: string;
}

const KINDS: readonly Kind[] = [
  {
    extension: "ndjson",
    mediaType: "application/x-ndjson",
    format: NDJSON,
    purpose: "to be verified",
    description:
      "One JSON object a line, streamed: a header, every entry in order, and an end, without which the export is not whole. " +
      "`npm run audit:verify` checks it without asking anyone.",
  },
  {
    extension: "csv",
    mediaType: "text/csv; charset=utf-8; header=present",
    format: CSV,
    purpose: "for a spreadsheet",
    description: "RFC 4180, streamed. A field that a spreadsheet would take for a formula begins with an apostrophe.",
  },
];

const JOURNALS = {
  entries: { name: "audit_log", operationId: "exportLedger", what: "all entries of a cell" },
  denials: { name: "denials", operationId: "exportDenials", what: "what a cell has recorded as refused" },
} as const;

const exportQuery = z.object({
  after: z
    .string()
    .regex(/^\d{1,15}$/, "must be the seq of an entry")
    .meta({ publishedAs: { type: "integer", minimum: 0, default: 0 } })
    .default("0")
    .describe("The seq of the last entry that you have: the export goes on after it."),
  range_start: isoInstant.optional().describe("Not before this time."),
  range_end: isoInstant.optional().describe("Not after this time."),
});

/** Every export in every form. */
export const AUDIT_EXPORTS: readonly Endpoint[] = KINDS.flatMap((kind) => [
  organizationExport(kind),
  journalExport("entries", kind),
  journalExport("denials", kind),
]);

function organizationExport(kind: Kind): Endpoint {
  return endpoint({
    method: "GET",
    path: `/organizations/:organization_id/audit_log.${kind.extension}`,
    operationId: `exportOrganizationAuditLogAs${kind.extension}`,
    summary: `Exports what concerns an organization, ${kind.purpose}`,
    description: `${kind.description} Also of an organization that has been deleted.`,
    access: "portcullis:audit_logs:read",
    query: exportQuery,
    replies: { 200: { mediaType: kind.mediaType } },
    handler: async ({ services, params: { organization_id }, query }) => {
      const { id, cell } = organization_id;
      const reply = await exported(services, { cell, scope: { organization_id: id }, query, kind });
      if (!reply) throw notFound("Organization", id);
      return reply;
    },
  });
}

function journalExport(journal: Journal, kind: Kind): Endpoint {
  const { name, operationId, what } = JOURNALS[journal];
  return endpoint({
    method: "GET",
    path: `/ledger/:cell/${name}.${kind.extension}`,
    operationId: `${operationId}As${kind.extension}`,
    summary: `Exports ${what}, ${kind.purpose}`,
    description: kind.description,
    access: "portcullis:audit_logs:read",
    query: exportQuery,
    replies: { 200: { mediaType: kind.mediaType } },
    handler: async ({ services, params: { cell }, query }) => {
      const reply = await exported(services, { cell, scope: { journal }, query, kind });
      if (!reply) throw notFound("Cell", `${cell}`);
      return reply;
    },
  });
}

/** What is to be exported, and how. */
interface Asked {
  readonly cell: number;
  readonly scope: AuditScope;
  readonly query: z.output<typeof exportQuery>;
  readonly kind: Kind;
}

async function exported(services: Services, { cell, scope, query, kind }: Asked): Promise<Reply<200, ReadableStream> | undefined> {
  const ledger = services.cells.ledger(cell);
  const range = { from_ms: query.range_start, to_ms: query.range_end };
  const stretch = await ledger.auditStretch(scope, range, Number(query.after));
  if (!stretch) return undefined;
  return {
    status: 200,
    body: auditStream({ ledger, cell, scope, stretch }, kind.format),
    headers: { "Content-Disposition": `attachment; filename="audit-log.${kind.extension}"`, "X-Content-Type-Options": "nosniff" },
  };
}
