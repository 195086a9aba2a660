/**
 * What customers' own products want on record in an organization's audit log. It stands in the ledger like everything else there, under a type
 * that nothing of Portcullis's own has: `customer.` and the action. Who it says has acted is in the payload; the entry's actor is who sent it.
 */
import { customerEntryType } from "../../core/event.ts";
import { PLATFORM_ORGANIZATION_ID, quoteId } from "../../core/identifier.ts";
import type { Command } from "./command.ts";
import { organizationView } from "./tenancy.ts";
import { refuse, type Transaction } from "./transaction.ts";

/** Somebody or something in a customer's event. */
interface Named {
  readonly id: string;
  readonly type: string;
  readonly name?: string | undefined;
  readonly metadata?: Readonly<Record<string, string | number | boolean>> | undefined;
}

/** What has happened in a customer's product, as they tell it. */
export interface CustomerEvent {
  /** Letters, digits and `.`, `_`, `-`, `:`. */
  readonly action: string;
  /** ISO 8601. */
  readonly occurred_at: string;
  readonly actor: Named;
  /** At least one. */
  readonly targets: readonly [Named, ...Named[]];
  readonly context: { readonly location: string; readonly user_agent?: string | undefined };
  readonly metadata?: Named["metadata"];
  readonly version?: number | undefined;
}

/** Puts a customer's event on record, about its first target. It changes nothing. */
export function recordCustomerEvent(
  transaction: Transaction,
  { organization_id, event }: Extract<Command, { type: "record_customer_event" }>,
): Record<string, unknown> {
  if (organization_id === PLATFORM_ORGANIZATION_ID || !organizationView(transaction.sql, organization_id))
    refuse("entity_not_found", `Organization not found: ${quoteId(organization_id)}.`);
  const [{ id: subject }] = event.targets;
  transaction.append(customerEntryType(event.action), subject, { organization_id, ...event });
  return { success: true };
}
