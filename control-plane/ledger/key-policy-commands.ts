/** Commands on policies. Defaults are set in the home cell; the ledger then brings every other cell up to date before it answers. */
import { PLATFORM_ORGANIZATION_ID, quoteId } from "../../core/identifier.ts";
import { noteCatalogueChange } from "./catalogue.ts";
import type { Command } from "./command.ts";
import { INSTALLATION } from "./concerned-organizations.ts";
import { policyLayer, policyView, putPolicyLayer } from "./key-policies.ts";
import { organizationView } from "./tenancy.ts";
import { refuse, type Transaction } from "./transaction.ts";

/**
 * Replaces what was set. It takes nothing from the keys there are, which are judged when somebody changes them, but for what it says of idle
 * ones; so no gateway has to know of it.
 */
export function setApiKeyPolicy(
  transaction: Transaction,
  { organization_id = INSTALLATION, settings }: Extract<Command, { type: "set_api_key_policy" }>,
): Record<string, unknown> {
  const { sql, nowMs } = transaction;
  if (organization_id === PLATFORM_ORGANIZATION_ID)
    refuse("platform_organization", "The keys of the platform organization have no policy of their own.");
  if (organization_id !== INSTALLATION && !organizationView(sql, organization_id))
    refuse("entity_not_found", `Organization not found: ${quoteId(organization_id)}.`);
  const previous = policyLayer(sql, organization_id)?.settings ?? {};
  const seq = transaction.append("api_key_policy.updated", organization_id, { settings, previous_attributes: { settings: previous } });
  putPolicyLayer(sql, organization_id, { settings, updated_at_ms: nowMs });
  if (organization_id === INSTALLATION) noteCatalogueChange(transaction, seq, null);
  return { ...policyView(sql, organization_id) };
}
