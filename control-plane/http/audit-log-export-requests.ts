/**
 * Exports of an organization's audit log that are asked for first and fetched from a URL then, as the WorkOS API has it. The URL needs no
 * credential, and is good for ten minutes and one export; whoever reads the export again gets a new one.
 */
import { z } from "zod";
import { isId, mintId, PLATFORM_ORGANIZATION_ID } from "../../core/identifier.ts";
import { CSV } from "../audit/csv.ts";
import { auditStream } from "../audit/export.ts";
import { isWanted } from "../audit/export-filter.ts";
import type { ExportFilter } from "../ledger/command.ts";
import { auditLogExportSchema } from "../ledger/audit-view.ts";
import { invalid, notFound, unauthorized } from "./api-error.ts";
import { endpoint, type Endpoint } from "./endpoint.ts";
import { given, isoInstant, plainText } from "./fields.ts";
import { created, ok } from "./reply.ts";
import { send } from "./send.ts";
import { READING_PERMISSION, urlOfExport } from "./signed-export-url.ts";

const CSV_TYPE = "text/csv; charset=utf-8; header=present";

const wanted = (lengthMax: number) =>
  z.array(plainText(lengthMax)).min(1, "must not be empty: leave it out to ask for all").max(100, "at most 100").optional();
const asked = z.object({
  organization_id: z.string().max(64),
  range_start: isoInstant,
  range_end: isoInstant,
  actions: wanted(128).describe("Actions of your own events, and types of Portcullis's own entries."),
  actor_names: wanted(255).describe("Names of the actors of your own events."),
  actor_ids: wanted(1_000),
  targets: wanted(128).describe(
    "Types of targets of your own events; of Portcullis's own entries, what their type begins with, like `api_key`.",
  ),
});

const shown = auditLogExportSchema
  .extend({ url: z.url().nullable().describe("Good for ten minutes, for whoever has it. Null where there is nothing to fetch.") })
  .meta({ id: "AuditLogExport" });

/** The endpoints on them. */
export const REQUESTED_EXPORTS: readonly Endpoint[] = [
  endpoint({
    method: "POST",
    path: "/audit_logs/exports",
    operationId: "createAuditLogExport",
    summary: "Asks for an export of what an organization's audit log has in a range of time",
    description:
      "It is of what is there now, as CSV. Where anything is filtered by, what has lost its content is left out. What can be verified is " +
      "`GET /organizations/:organization_id/audit_log.ndjson`. That it was asked for is on record.",
    access: READING_PERMISSION,
    body: asked,
    replies: { 201: shown },
    errors: ["entity_not_found"],
    handler: async ({ services, caller, body, terms, origin }) => {
      const { organization_id, range_start: from_ms, range_end: to_ms, ...filters } = body;
      if (!isId("org", organization_id) && organization_id !== PLATFORM_ORGANIZATION_ID) throw notFound("Organization", organization_id);
      if (to_ms < from_ms) throw invalid([{ code: "invalid", field: "range_end", message: "must not be before range_start" }]);
      const cell = services.cells.cellOf(organization_id);
      const id = mintId("audit_log_export", services.now(), services.randomBytes, cell);
      const filter: ExportFilter = given(filters);
      const done = await send(services, { type: "create_audit_log_export", id, organization_id, from_ms, to_ms, filter }, { cell, terms });
      return created(done, { url: await urlOfExport(services, caller, String(done.reply["id"]), origin) });
    },
  }),

  endpoint({
    method: "GET",
    path: "/audit_logs/exports/:audit_log_export_id",
    operationId: "getAuditLogExport",
    summary: "Reads an export that was asked for, with a new URL",
    access: READING_PERMISSION,
    replies: { 200: shown },
    handler: async ({ services, caller, params: { audit_log_export_id }, origin }) => {
      const { id, cell } = audit_log_export_id;
      const found = await services.cells.ledger(cell).auditLogExport(id);
      if (!found) throw notFound("Audit log export", id);
      return ok({ ...found.view, url: found.view.state === "ready" ? await urlOfExport(services, caller, id, origin) : null });
    },
  }),

  endpoint({
    method: "GET",
    path: "/audit_logs/exports/:audit_log_export_id/audit_log.csv",
    operationId: "downloadAuditLogExport",
    summary: "Streams an export that was asked for",
    description:
      "With the `token` of the export's URL, and without any other credential. 401 once that has expired, or who asked for it may read the log no longer.",
    access: "signed_url",
    query: z.object({ token: z.string().default("") }),
    replies: { 200: { mediaType: CSV_TYPE } },
    handler: async ({ services: { cells }, caller, params: { audit_log_export_id } }) => {
      const { id, cell } = audit_log_export_id;
      if (caller.exportId !== id) throw unauthorized();
      const ledger = cells.ledger(cell);
      const found = await ledger.auditLogExport(id);
      if (found?.view.state !== "ready") throw notFound("Content of the audit log export", id);
      const { organization_id, stretch, filter } = found;
      return {
        status: 200,
        body: auditStream({ ledger, cell, scope: { organization_id }, stretch, isWanted: isWanted(filter) }, CSV),
        headers: {
          "Content-Disposition": 'attachment; filename="audit-log.csv"',
          "X-Content-Type-Options": "nosniff",
          "Cache-Control": "no-store",
          "Referrer-Policy": "no-referrer",
        },
      };
    },
  }),
];
