/** How long the audit log of an organization keeps the customer's own events. Shapes as in the WorkOS API, which says the same in words and in days. */
import { z } from "zod";
import { notFound } from "./api-error.ts";
import { endpoint, type Endpoint } from "./endpoint.ts";
import { reason } from "./fields.ts";
import { ok, settled } from "./reply.ts";
import { send } from "./send.ts";

const MONTHS = Array.from({ length: 11 }, (_, at) => at + 1);
const YEARS = Array.from({ length: 10 }, (_, at) => at + 1);
/** Days by period. A month has 30. */
const DAYS = new Map<string, number>([
  ...MONTHS.map((months) => [`${months}_MONTH${months === 1 ? "" : "S"}`, months * 30] as const),
  ...YEARS.map((years) => [`${years}_YEAR${years === 1 ? "" : "S"}`, years * 365] as const),
]);

const retentionSchema = z
  .object({ retention_period_in_days: z.number().int().nullable().describe("Null: as long as the installation keeps everything.") })
  .meta({ id: "AuditLogsRetention" });

/** The endpoints on it. */
export const AUDIT_LOG_RETENTION: readonly Endpoint[] = [
  endpoint({
    method: "GET",
    path: "/organizations/:organization_id/audit_logs_retention",
    operationId: "getAuditLogsRetention",
    summary: "Reads how long an organization's audit log keeps the customer's own events",
    access: "portcullis:audit_logs:read",
    replies: { 200: retentionSchema },
    handler: async ({ services, params: { organization_id } }) => {
      const { id, cell } = organization_id;
      const ledger = services.cells.ledger(cell);
      if (!(await ledger.organization(id))) throw notFound("Organization", id);
      return ok({ retention_period_in_days: await ledger.customerEventRetention(id) });
    },
  }),

  endpoint({
    method: "PUT",
    path: "/organizations/:organization_id/audit_logs_retention",
    operationId: "setAuditLogsRetention",
    summary: "Sets how long an organization's audit log keeps the customer's own events",
    description:
      "What they say is dropped for good when they are so old; the chains go on holding. What Portcullis itself says of the organization is not touched: " +
      "that is kept as long as `AUDIT_RETENTION_DAYS` says, which bounds this as well. A longer period, or null, brings nothing back.",
    access: "portcullis:policies:write",
    body: z.object({
      retention_period: z.enum([...DAYS.keys()], { error: "must be 1_MONTH to 11_MONTHS, or 1_YEAR to 10_YEARS" }).nullable(),
      reason,
    }),
    replies: { 200: retentionSchema },
    errors: ["platform_organization"],
    handler: async ({ services, params: { organization_id }, body: { retention_period, reason: why }, terms }) => {
      const { id, cell } = organization_id;
      const days = retention_period === null ? null : (DAYS.get(retention_period) ?? null);
      const command = { type: "set_customer_event_retention", organization_id: id, days } as const;
      return settled(await send(services, command, { cell, terms, reason: why }));
    },
  }),
];
