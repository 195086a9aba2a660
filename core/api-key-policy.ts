/**
 * What an organization demands of its keys. A policy is made in layers: what holds where nobody has said anything, the installation's
 * defaults over it, and the organization's own settings over both. Each field comes from the last layer that has it.
 */
import { z } from "zod";
import { permissionSlug } from "./permission-slug.ts";
import { roleSlug } from "./role.ts";

/** A day, in ms. */
export const DAY_MS = 86_400_000;

const days = z.number().int("must be whole days").min(1, "must be a day at least").max(3_650, "at most 3650 days");
const number = z.number().int("must be a whole number").min(0, "must be 0 or more").max(1_000_000, "at most 1000000");
const roles = z.array(roleSlug).max(100, "at most 100 roles");
/** Values of the claim that holds admins' roles: what they look like is up to the identity provider. */
const adminRoles = z.array(z.string().min(1, "must not be empty").max(255, "at most 255 characters")).max(100, "at most 100 roles");

/** The fields of a policy. `networkList` is how lists of networks are read, or described. */
export function policyFields<Networks extends z.ZodType<string[]>>(networkList: Networks) {
  return {
    organization_key_creator_roles: roles
      .nullable()
      .describe("Roles whose members make keys of the organization through a widget; null: every role that has the widget's scope."),
    user_key_owner_roles: roles.nullable().describe("Roles whose members get keys of their own, whoever makes them; null: every role."),
    organization_key_admin_roles: adminRoles
      .nullable()
      .describe(
        "Roles at the operator's identity provider whose admins get secrets of the organization's keys over the API; null: every role.",
      ),
    user_key_admin_roles: adminRoles.nullable().describe("Roles whose admins get secrets of users' keys over the API; null: every role."),
    organization_key_lifetime_days_max: days.nullable().describe("Longest life of a key of the organization; null: any."),
    organization_key_lifetime_days_default: days.nullable().describe("Its life where none is asked for; null: the longest."),
    user_key_lifetime_days_max: days.nullable().describe("Longest life of a user's key; null: any."),
    user_key_lifetime_days_default: days.nullable().describe("Its life where none is asked for; null: the longest."),
    never_expiring_keys: z.boolean().describe("Whether keys may have no end. With a longest life none may."),
    idle_days_max: days.nullable().describe("A key that was not used for so many days is disabled; null: none is."),
    idle_warning_days: days.or(z.literal(0)).describe("So many days before that, `api_key.idle` tells of it; 0: nothing does."),
    organization_keys_max: number.nullable().describe("Most keys that the organization itself owns; null: any number."),
    user_keys_max: number.nullable().describe("Most keys that a user owns in the organization; null: any number."),
    approval_required_permissions: z
      .array(permissionSlug)
      .max(256, "at most 256 permissions")
      .describe("A key gets one of these only by a request that a second admin has approved."),
    required_networks: z
      .array(z.object({ permission: permissionSlug, networks: networkList }))
      .max(64, "at most 64 permissions")
      .describe("A key with the permission must be bound to networks within these."),
    expiry_notice_days: z
      .array(days)
      .max(10, "at most 10 notices")
      .describe("How many days before its end `api_key.expiring_soon` tells of a key."),
  } as const;
}

const plainPolicy = z.object(policyFields(z.array(z.string())));

/** A policy with every field. */
export type ApiKeyPolicy = z.output<typeof plainPolicy>;
/** One layer; what is absent comes from the layer below. */
export type ApiKeyPolicySettings = { readonly [Field in PolicyField]?: ApiKeyPolicy[Field] };
/** Name of a field. */
export type PolicyField = keyof ApiKeyPolicy;

/** What holds where nobody has said anything: notices, and no limits. */
export const UNLIMITED: ApiKeyPolicy = {
  organization_key_creator_roles: null,
  user_key_owner_roles: null,
  organization_key_admin_roles: null,
  user_key_admin_roles: null,
  organization_key_lifetime_days_max: null,
  organization_key_lifetime_days_default: null,
  user_key_lifetime_days_max: null,
  user_key_lifetime_days_default: null,
  never_expiring_keys: true,
  idle_days_max: null,
  idle_warning_days: 7,
  organization_keys_max: null,
  user_keys_max: null,
  approval_required_permissions: [],
  required_networks: [],
  expiry_notice_days: [30, 7, 1],
};

/** The policy that layers come to, the lowest first. */
export function effectivePolicy(...layers: readonly ApiKeyPolicySettings[]): ApiKeyPolicy {
  return Object.assign({}, UNLIMITED, ...layers) as ApiKeyPolicy;
}

/** When a key ends for which no end is asked; null: never. */
export function usualEnd(policy: ApiKeyPolicy, kind: KeyKind, nowMs: number): number | null {
  const max = policy[`${kind}_key_lifetime_days_max` as const];
  const lifetimeDays = Math.min(max ?? Infinity, policy[`${kind}_key_lifetime_days_default` as const] ?? Infinity);
  return lifetimeDays === Infinity ? null : nowMs + lifetimeDays * DAY_MS;
}

/** Whose a key is: of an organization, or of one of its members. */
export type KeyKind = "organization" | "user";
