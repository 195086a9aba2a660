/**
 * Scopes of widgets, by the names of the WorkOS API. They are permissions of the operator's own catalogue, so that roles can have
 * them; a widget's token carries those it was made with.
 */
import { coversAny } from "./permission.ts";

/** What a widget's token can be asked for with. Portcullis serves those on API keys. */
export const WIDGET_SCOPES = [
  "widgets:api-keys:manage",
  "widgets:user-api-keys:manage-self",
  "widgets:user-api-keys:manage-all",
  "widgets:users-table:manage",
  "widgets:domain-verification:manage",
  "widgets:sso:manage",
  "widgets:dsync:manage",
  "widgets:audit-log-streaming:manage",
  "widgets:pipes:manage",
] as const;

/** Scopes that endpoints want: the keys of the organization, and the caller's own. */
export const SERVED_SCOPES = { organization: "widgets:api-keys:manage", user: "widgets:user-api-keys:manage-self" } as const;

/** One of {@link SERVED_SCOPES}. */
export type ServedScope = (typeof SERVED_SCOPES)[keyof typeof SERVED_SCOPES];

/** Whether a text is one of {@link SERVED_SCOPES}. */
export function isServedScope(text: string): text is ServedScope {
  return text === SERVED_SCOPES.organization || text === SERVED_SCOPES.user;
}

/** Whether permissions, of a token or of a role, open what a scope is for. Who may manage everybody's keys may manage their own. */
export function opens(permissions: readonly string[], scope: ServedScope): boolean {
  return coversAny(permissions, scope) || (scope === SERVED_SCOPES.user && opensEverybodys(permissions));
}

/** Whether permissions, of a token or of a role, open the keys of all members of the organization. */
export function opensEverybodys(permissions: readonly string[]): boolean {
  return coversAny(permissions, "widgets:user-api-keys:manage-all");
}
