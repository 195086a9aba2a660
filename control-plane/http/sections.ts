/** All endpoints of the control plane. What is not here does not exist. */
import { apiKeys } from "./api-keys.ts";
import { bootstrap } from "./bootstrap.ts";
import type { Section } from "./endpoint.ts";
import { health } from "./health.ts";
import { ledgerInspection } from "./ledger-inspection.ts";
import { memberships } from "./memberships.ts";
import { organizations } from "./organizations.ts";
import { permissions } from "./permissions.ts";
import { receipts } from "./receipts.ts";
import { reference } from "./reference.ts";
import { roles } from "./roles.ts";
import { routeTable } from "./route-table.ts";
import { users } from "./users.ts";
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
  routeTable,
  receipts,
  ledgerInspection,
  bootstrap,
  health,
  // Self-serve
  widgetTokens,
  widgetApiKeys,
  widgetUserApiKeys,
  reference(() => SECTIONS),
];

/** Every endpoint. */
export const ENDPOINTS = SECTIONS.flatMap((section) => section.endpoints);
