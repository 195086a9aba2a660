/** The command that says how long an organization's audit log keeps the customer's own events. */
import { PLATFORM_ORGANIZATION_ID, quoteId } from "../../core/identifier.ts";
import type { Command } from "./command.ts";
import { customerEventRetentionDays } from "./customer-event-retention.ts";
import { organizationView } from "./tenancy.ts";
import { refuse, type Transaction } from "./transaction.ts";

/** Sets for how many days an organization's events are kept; null: as long as the installation keeps everything. What has been dropped does not come back. */
export function setCustomerEventRetention(
  transaction: Transaction,
  { organization_id, days }: Extract<Command, { type: "set_customer_event_retention" }>,
): Record<string, unknown> {
  const { sql, nowMs } = transaction;
  if (organization_id === PLATFORM_ORGANIZATION_ID)
    refuse("platform_organization", "The log of the platform organization is kept as long as the installation keeps its own.");
  if (!organizationView(sql, organization_id)) refuse("entity_not_found", `Organization not found: ${quoteId(organization_id)}.`);
  const previous = customerEventRetentionDays(sql, organization_id);
  const said = { organization_id, retention_period_in_days: days, previous_attributes: { retention_period_in_days: previous } };
  transaction.append("audit_log_retention.updated", organization_id, said);
  sql.exec(
    `INSERT INTO customer_event_retentions (organization_id, days, due_at_ms) VALUES (?1, ?2, ?3)
     ON CONFLICT DO UPDATE SET days = ?2, due_at_ms = ?3`,
    organization_id,
    days,
    days === null ? null : nowMs,
  );
  return { retention_period_in_days: days };
}
