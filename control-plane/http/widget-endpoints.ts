/** The endpoints that the widgets on an organization's keys and on a member's have in common, but for where they are and what they are called. */
import type { ServedScope } from "../../core/widget.ts";
import { endpoint, type Endpoint } from "./endpoint.ts";
import type { ErrorCode } from "./error-catalogue.ts";
import {
  createdWidgetKeySchema,
  createOwn,
  newWidgetKeySchema,
  offeredQuery,
  offeredSchema,
  offerPermissions,
  revokeOwn,
  successSchema,
} from "./own-keys.ts";
import { ownOf } from "./widget-caller.ts";

type Root = `/_widgets/${"ApiKeys" | "UserApiKeys"}`;

/** What tells one widget's endpoint from the other's. */
interface Named<Path extends string> {
  readonly path: Path;
  readonly operationId: string;
  readonly summary: string;
  readonly access: ServedScope;
  readonly description?: string;
}

/** Makes a key. `errors` besides those that both can answer. */
export function creationEndpoint(named: Named<`${Root}/${string}api-keys`>, errors: readonly ErrorCode[] = []): Endpoint {
  return endpoint({
    ...named,
    method: "POST",
    body: newWidgetKeySchema,
    replies: { 201: createdWidgetKeySchema },
    errors: ["entity_not_found", "permission_not_assignable", "invalid_expiry", "reply_unavailable", "api_key_policy_violated", ...errors],
    handler: async ({ services, caller, body, terms }) => createOwn(services, ownOf(caller), body, terms),
  });
}

/** Lists what a new key can be given. */
export function offerEndpoint(named: Named<`${Root}/permissions`>): Endpoint {
  return endpoint({
    ...named,
    method: "GET",
    query: offeredQuery,
    replies: { 200: offeredSchema },
    handler: async ({ services, caller, query }) => offerPermissions(services, ownOf(caller), query),
  });
}

/** Revokes a key. */
export function revocationEndpoint(named: Named<`${Root}/:api_key_id`>): Endpoint {
  return endpoint({
    ...named,
    method: "DELETE",
    description: "When this answers, no gateway accepts the key any more.",
    replies: { 200: successSchema },
    handler: async ({ services, caller, params, terms }) => revokeOwn(services, ownOf(caller), params.api_key_id, terms),
  });
}
