/**
 * Public shapes of what a ledger keeps: the WorkOS objects, every key always present. Times are ISO 8601 UTC with milliseconds.
 * The schemas are the one truth: the types here and the published API document come from them.
 */
import { z } from "zod";
import { policyFields } from "../../core/api-key-policy.ts";
import type { IdPrefix } from "../../core/identifier.ts";

/** A type all of whose members, at any depth, are only for reading. */
type DeepReadonly<T> = T extends (infer Item)[]
  ? readonly DeepReadonly<Item>[]
  : T extends object
    ? { readonly [Member in keyof T]: DeepReadonly<T[Member]> }
    : T;

/** What a schema describes, for reading. */
export type View<Schema extends z.ZodType> = DeepReadonly<z.output<Schema>>;

/** An id that Portcullis minted; organizations include the reserved `org_platform`. */
export function idOf(prefix: IdPrefix): z.ZodString {
  return z.string().regex(new RegExp(`^${prefix}_(?:[0-7][0-9A-HJKMNP-TV-Z]{25}${prefix === "org" ? "|platform" : ""})$`));
}

/** A time. */
export const time = z.iso.datetime();
/** When something was made and changed last. */
export const dated = { created_at: time, updated_at: time } as const;

/** Who did something. */
const actorSchema = z.object({ type: z.string(), id: z.string() });

/** Who owns a key: an organization, or one of its members. */
export const keyOwnerSchema = z.union([
  z.object({ type: z.literal("organization"), id: idOf("org") }),
  z.object({ type: z.literal("user"), id: idOf("user"), organization_id: idOf("org") }),
]);

/** An API key without its value. `permissions` as granted; what it can do now also depends on what its owner may hold. */
export const apiKeySchema = z
  .object({
    object: z.literal("api_key"),
    id: idOf("api_key"),
    owner: keyOwnerSchema,
    name: z.string(),
    obfuscated_value: z.string(),
    last_used_at: time.nullable(),
    expires_at: time.nullable(),
    permissions: z.array(z.string()),
    environment: z.enum(["live", "test"]),
    ...dated,
    metadata: z.record(z.string(), z.string()),
    tags: z.array(z.string()).describe("Sorted."),
    allowed_networks: z.array(z.string()).nullable().describe("Networks it may be used from, or null for any."),
    disabled_at: time.nullable().describe("Since when it is disabled, or null."),
    created_by: actorSchema,
    updated_by: actorSchema.describe("Who changed it last."),
    previous_secret: z
      .object({ obfuscated_value: z.string(), expires_at: time, last_used_at: time.nullable() })
      .nullable()
      .describe("The secret before the newest, until it is ended by hand or the next one takes its place; null before the first rotation."),
  })
  .meta({ id: "ApiKey" });
export type ApiKeyView = View<typeof apiKeySchema>;

/** An organization. `domains` is empty: the WorkOS shape has it. Since when it is suspended, or null. */
export const organizationSchema = z
  .object({
    object: z.literal("organization"),
    id: idOf("org"),
    name: z.string(),
    domains: z.array(z.never()),
    metadata: z.record(z.string(), z.string()),
    external_id: z.string().nullable(),
    suspended_at: time.nullable(),
    ...dated,
  })
  .meta({ id: "Organization" });
export type OrganizationView = View<typeof organizationSchema>;

/** A user. What Portcullis does not keep has the value that says so in the WorkOS shape. */
export const userSchema = z
  .object({
    object: z.literal("user"),
    id: idOf("user"),
    email: z.string(),
    email_verified: z.boolean().describe("As it was said. Nothing is decided by it."),
    first_name: z.string().nullable(),
    last_name: z.string().nullable(),
    name: z.string().nullable().describe("As it was said, or else made of first and last name."),
    profile_picture_url: z.null(),
    last_sign_in_at: z.null(),
    locale: z.string().nullable().describe("BCP 47."),
    external_id: z.string().nullable(),
    metadata: z.record(z.string(), z.string()),
    ...dated,
  })
  .meta({ id: "User" });
export type UserView = View<typeof userSchema>;

const roleNameSchema = z.object({ slug: z.string() });

/** A user in an organization. Ended memberships are gone; the user's keys there work while it is active. `roles` holds the one `role`. */
export const membershipSchema = z
  .object({
    object: z.literal("organization_membership"),
    id: idOf("om"),
    user_id: idOf("user"),
    organization_id: idOf("org"),
    organization_name: z.string(),
    status: z.enum(["active", "inactive"]),
    directory_managed: z.literal(false),
    custom_attributes: z.record(z.string(), z.never()),
    role: roleNameSchema,
    roles: z.array(roleNameSchema),
    ...dated,
  })
  .meta({ id: "OrganizationMembership" });
export type MembershipView = View<typeof membershipSchema>;

/** A permission of the catalogue, and the kinds of key it may be granted to. */
export const permissionSchema = z
  .object({
    object: z.literal("permission"),
    id: idOf("perm"),
    slug: z.string(),
    name: z.string(),
    description: z.string().nullable(),
    system: z.boolean(),
    resource_type_slug: z.literal("organization"),
    enabled_for: z.object({ user_api_keys: z.boolean(), organization_api_keys: z.boolean() }),
    ...dated,
  })
  .meta({ id: "Permission" });
export type PermissionView = View<typeof permissionSchema>;

/** A role and what it allows: in every organization, or in the one that made it. */
export const roleSchema = z
  .object({
    object: z.literal("role"),
    id: idOf("role"),
    slug: z.string(),
    name: z.string(),
    description: z.string().nullable(),
    type: z.enum(["EnvironmentRole", "OrganizationRole"]),
    resource_type_slug: z.literal("organization"),
    permissions: z.array(z.string()),
    ...dated,
  })
  .meta({ id: "Role" });
export type RoleView = View<typeof roleSchema>;

/** A role that an organization made for itself, as its events show it: it says whose it is. */
export const organizationRoleInEventsSchema = roleSchema.extend({
  object: z.literal("organization_role"),
  organization_id: idOf("org"),
  type: z.literal("OrganizationRole"),
});

/** What would end with something, and the keys among it that were used last. */
export const endingPreviewSchema = z
  .object({
    object: z.literal("ending_preview"),
    memberships: z.number().int(),
    api_keys: z.object({ total: z.number().int(), used_in_last_hour: z.number().int(), first: z.array(apiKeySchema) }),
  })
  .meta({ id: "EndingPreview" });
export type EndingPreviewView = View<typeof endingPreviewSchema>;

/** The proof that an entry is in force at every edge. Times by the cell's clock. */
export const receiptSchema = z
  .object({
    object: z.literal("receipt"),
    id: z.string(),
    cell: z.number().int(),
    seq: z.number().int(),
    committed_at: time,
    effective_at: time.nullable().describe("Null while some edge may still decide without the entry."),
    replicas: z
      .record(z.string(), z.enum(["acknowledged", "lease_expired"]))
      .describe("Replicas that could have answered without the entry, and how that ended."),
  })
  .meta({ id: "Receipt" });
export type ReceiptView = View<typeof receiptSchema>;

/** One ledger entry as it is read back; `hash` chains it to the one before. */
export const entrySchema = z
  .object({
    seq: z.number().int(),
    at: time,
    actor: z.object({ type: z.string(), id: z.string() }),
    type: z.string(),
    subject: z.string(),
    payload: z.record(z.string(), z.unknown()),
    hash: z.string().regex(/^[0-9a-f]{64}$/),
  })
  .meta({ id: "LedgerEntry" });
export type EntryView = View<typeof entrySchema>;

/** What a bulk revocation would end in one cell. */
export interface RevocationPreview {
  readonly count: number;
  readonly used_in_last_hour: number;
  /** The oldest few. */
  readonly first: readonly ApiKeyView[];
  /** Identifies the set. */
  readonly sha256: string;
}

// Events and webhooks

/** What an entry tells the outside, whatever its type. */
export const eventSchema = z.object({
  object: z.literal("event"),
  id: idOf("event").describe("Its place in the order of all events."),
  event: z.string(),
  data: z.record(z.string(), z.unknown()),
  created_at: time,
  context: z.object({ actor: z.object({ id: z.string(), source: z.enum(["api", "dashboard", "system"]), name: z.null() }) }),
});
export type EventView = View<typeof eventSchema>;

/** A webhook endpoint as the ledger shows it: without its secret, which only the sender of deliveries and the API can open. */
export const unsignedEndpointSchema = z.object({
  object: z.literal("webhook_endpoint"),
  id: idOf("we"),
  endpoint_url: z.string(),
  status: z.enum(["enabled", "disabled"]),
  disabled_reason: z.enum(["gone", "sustained_failure"]).nullable().describe("Why it was disabled without anybody asking."),
  events: z.array(z.string()),
  previous_secret_expires_at: time.nullable().describe("Until when the secret before the present one signs, too."),
  ...dated,
});
export type WebhookEndpointView = View<typeof unsignedEndpointSchema>;

/** One attempt to deliver an event. */
export const attemptSchema = z.object({
  at: time,
  duration_ms: z.number().int(),
  status: z.number().int().nullable().describe("HTTP status of the reply; null when none came."),
  error: z
    .enum(["timeout", "connection_failed", "redirected", "refused", "gone", "destination_not_allowed", "secret_unreadable"])
    .nullable()
    .describe("Null when it was accepted."),
});
export type AttemptView = View<typeof attemptSchema>;

/** How far an event has come on its way to an endpoint. */
export const deliverySchema = z
  .object({
    object: z.literal("webhook_delivery"),
    id: idOf("event").describe("The event's id."),
    event: z.string(),
    status: z
      .enum(["pending", "delivered", "failed"])
      .describe("`failed`: every attempt was refused, though the endpoint accepted other events meanwhile."),
    attempts: z.array(attemptSchema),
    next_attempt_at: time
      .nullable()
      .describe(
        "Null when it has ended, when an earlier event about the same object is still on its way, or when the endpoint is disabled.",
      ),
    created_at: time,
  })
  .meta({ id: "WebhookDelivery" });
export type DeliveryView = View<typeof deliverySchema>;

// Policies on keys

const shownPolicyFields = policyFields(z.array(z.string()));

/** An organization's policy on keys, or the installation's defaults. */
export const apiKeyPolicySchema = z
  .object({
    object: z.literal("api_key_policy"),
    organization_id: idOf("org").nullable().describe("Null for the installation's defaults."),
    settings: z.object(shownPolicyFields).partial().describe("What was set here."),
    effective: z.object(shownPolicyFields).describe("What holds: where nothing was set here, the installation's defaults."),
    updated_at: time.nullable().describe("When anything was set here last, or null."),
  })
  .meta({ id: "ApiKeyPolicy" });
export type ApiKeyPolicyView = View<typeof apiKeyPolicySchema>;

/** A key that the organization's policy would not allow to be made as it is. */
export const nonCompliantKeySchema = z
  .object({
    object: z.literal("non_compliant_api_key"),
    id: idOf("api_key"),
    name: z.string(),
    owner: keyOwnerSchema,
    violations: z.array(
      z.object({
        field: z.string(),
        limit: z.unknown().describe("What the policy has in that field; of several rules, the one."),
        message: z.string(),
      }),
    ),
  })
  .meta({ id: "NonCompliantApiKey" });
export type NonCompliantKeyView = View<typeof nonCompliantKeySchema>;

/** A request for a key. */
export const apiKeyRequestSchema = z
  .object({
    object: z.literal("api_key_request"),
    id: idOf("api_key_request"),
    organization_id: idOf("org"),
    status: z
      .enum(["pending", "approved", "denied", "issued", "expired"])
      .describe("`approved`: who asked may collect the key. `issued`: it was collected."),
    asked: z.object({
      owner: keyOwnerSchema,
      name: z.string(),
      permissions: z.array(z.string()),
      expires_at: z
        .union([time, z.literal("usual")])
        .nullable()
        .describe("`usual`: as the policy says when the key is made."),
      environment: z.enum(["live", "test"]),
      metadata: z.record(z.string(), z.string()),
      tags: z.array(z.string()),
      allowed_networks: z.array(z.string()).nullable(),
    }),
    reason: z.string().nullable().describe("Why, in the words of who asked."),
    requested_by: actorSchema,
    decided_by: actorSchema.nullable(),
    decided_at: time.nullable(),
    api_key_id: idOf("api_key").nullable().describe("The key, once it was collected."),
    expires_at: time.describe("Until when an open request can be decided, or collected."),
    ...dated,
  })
  .meta({ id: "ApiKeyRequest" });
export type ApiKeyRequestView = View<typeof apiKeyRequestSchema>;

// The route table

/** A version of the route table, without the routes. */
export const routeTableVersionSchema = z
  .object({
    object: z.literal("route_table_version"),
    version: z.number().int(),
    route_count: z.number().int(),
    restored_from: z.number().int().nullable().describe("The version that was put in force again, or null."),
    published_at: time.nullable().describe("Null for what was published before versions were kept."),
    published_by: actorSchema.nullable(),
  })
  .meta({ id: "RouteTableVersion" });
export type RouteTableVersionView = View<typeof routeTableVersionSchema>;
