/** All endpoints of the control plane. What is not here does not exist. */
import { apiKeyPolicies } from "./api-key-policies.ts";
import { apiKeyRequests } from "./api-key-requests.ts";
import { apiKeys } from "./api-keys.ts";
import { auditLogs } from "./audit-logs.ts";
import { bootstrap } from "./bootstrap.ts";
import type { Section } from "./endpoint.ts";
import { events } from "./events.ts";
import { health } from "./health.ts";
import { keyImport } from "./key-import.ts";
import { keyLife } from "./key-life.ts";
import { keyRevocations } from "./key-revocations.ts";
import { leastPrivilege } from "./least-privilege.ts";
import { ledgerInspection } from "./ledger-inspection.ts";
import { metrics } from "./metrics.ts";
import { memberships } from "./memberships.ts";
import { endingPreviews } from "./ending-previews.ts";
import { organizationRoles } from "./organization-roles.ts";
import { organizations } from "./organizations.ts";
import { permissions } from "./permissions.ts";
import { receipts } from "./receipts.ts";
import { reference } from "./reference.ts";
import { roles } from "./roles.ts";
import { routeTable } from "./route-table.ts";
import { usage } from "./usage.ts";
import { users } from "./users.ts";
import { webhookEndpoints } from "./webhook-endpoints.ts";
import { widgetApiKeys } from "./widget-api-keys.ts";
import { widgetTokens } from "./widget-tokens.ts";
import { widgetUserApiKeys } from "./widget-user-api-keys.ts";

/** In the order of the reference. */
export const SECTIONS: readonly Section[] = [
  apiKeys,
  organizations,
  users,
  memberships,
  permissions,
  roles,
  organizationRoles,
  endingPreviews,
  routeTable,
  receipts,
  events,
  webhookEndpoints,
  ledgerInspection,
  bootstrap,
  health,
  // The audit log
  auditLogs,
  // Self-serve
  widgetTokens,
  widgetApiKeys,
  widgetUserApiKeys,
  reference(() => SECTIONS),
  // The life of a key
  keyLife,
  keyRevocations,
  keyImport,
  // Policies on keys
  apiKeyPolicies,
  apiKeyRequests,
  // Usage
  leastPrivilege,
  usage,
  // Metrics
  metrics,
];

/** Every endpoint. */
export const ENDPOINTS = SECTIONS.flatMap((section) => section.endpoints);
