/** Public shapes of the audit log: entries, as they are listed and exported, exports, and schemas of customers' own events. */
import { z } from "zod";
import { dated, idOf, time, type View } from "./view.ts";

const auditContent = {
  seq: z.number().int().describe("Number in its cell; in the list of refusals, among the cell's refusals."),
  at: time,
  actor: z.object({ type: z.string(), id: z.string() }),
  type: z.string(),
  subject: z.string().describe("What it is about: an id, or a name where that kind of thing has one."),
  organizations: z.array(idOf("org")).describe("Whom it concerns; none: the installation as a whole."),
  payload: z.record(z.string(), z.unknown()),
} as const;
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

/** An entry in the audit log: of the ledger, or of what was refused. */
export const auditEntrySchema = z
  .object({
    object: z.enum(["audit_log_entry", "audit_log_denial"]),
    id: z.string().describe("Its place among all entries, in their order."),
    cell: z.number().int(),
    ...auditContent,
    hash: sha256.describe("Its link in the chain that was asked for: the organization's, or the cell's."),
  })
  .meta({ id: "AuditLogEntry" });
export type AuditEntryView = View<typeof auditEntrySchema>;

const metadataSchema = z.object({
  type: z.literal("object"),
  properties: z.record(z.string(), z.object({ type: z.enum(["string", "number", "boolean"]) })),
});
/** A schema of customers' own audit events of one action. */
export const auditLogSchemaSchema = z
  .object({
    object: z.literal("audit_log_schema"),
    id: idOf("audit_log_schema"),
    version: z.number().int().describe("From 1; events say which they are of."),
    targets: z.array(z.object({ type: z.string(), metadata: metadataSchema })),
    actor: z.object({ metadata: metadataSchema }),
    metadata: metadataSchema,
    created_at: time,
  })
  .meta({ id: "AuditLogSchema" });
export type AuditLogSchemaView = View<typeof auditLogSchemaSchema>;

/** An action that has schemas, with the newest. */
export const auditLogActionSchema = z
  .object({ object: z.literal("audit_log_action"), id: idOf("audit_log_action"), name: z.string(), schema: auditLogSchemaSchema, ...dated })
  .meta({ id: "AuditLogAction" });
export type AuditLogActionView = View<typeof auditLogActionSchema>;

/** An export of an organization's audit log, without the URL that it is fetched from. */
export const auditLogExportSchema = z.object({
  object: z.literal("audit_log_export"),
  id: idOf("audit_log_export"),
  state: z
    .enum(["pending", "ready", "error"])
    .describe(
      "`ready` at once: it is made while it is fetched. `error`: what it is of has been dropped since. `pending` is the WorkOS API's.",
    ),
  ...dated,
});
export type AuditLogExportView = View<typeof auditLogExportSchema>;

/** An entry as it is exported: with the salt that its digest covers, or without its content. */
export type AuditExportLine =
  | (View<z.ZodObject<typeof auditContent>> & { readonly salt: string; readonly hash: string })
  | { readonly seq: number; readonly content: "dropped" | "expired" | "withheld"; readonly digest: string; readonly hash: string };
