/**
 * Every event there is: what it means and what its `data` holds. Whatever is appended to the ledger has its line here (the type checker
 * says so), and filters, the published document and docs/events.md are made from it.
 */
import { z } from "zod";
import type { UntoldEntryType } from "../../core/event.ts";
import { quoteId } from "../../core/identifier.ts";
import { auditLogSchemaSchema } from "./audit-view.ts";
import {
  apiKeyPolicySchema,
  apiKeyRequestSchema,
  apiKeySchema,
  eventSchema,
  membershipSchema,
  organizationRoleInEventsSchema,
  organizationSchema,
  permissionSchema,
  roleSchema,
  unsignedEndpointSchema,
  userSchema,
  type EventView,
} from "./view.ts";

interface CataloguedEvent {
  /** What has happened, in one sentence. */
  readonly means: string;
  readonly data: z.ZodObject;
}

/** An object as of the change. */
function told<Shape extends z.ZodRawShape>(id: string, object: z.ZodObject<Shape>) {
  const previous_attributes = z.record(z.string(), z.unknown()).optional().describe("What the change altered, as it was before.");
  return z.object({ ...object.shape, previous_attributes }).meta({ id });
}

const key = told("ApiKeyInEvent", apiKeySchema);
const organization = told("OrganizationInEvent", organizationSchema);
const membership = told("OrganizationMembershipInEvent", membershipSchema);
const user = told("UserInEvent", userSchema);
const permission = told("PermissionInEvent", permissionSchema);
const role = told("RoleInEvent", roleSchema);
const organizationRole = told("OrganizationRoleInEvent", organizationRoleInEventsSchema);
const webhookEndpoint = told("WebhookEndpointInEvent", unsignedEndpointSchema);

const given = { reason: z.string().optional().describe("Why, in the caller's words.") } as const;
const bulkRevocation = z
  .object({
    organization_id: z.string().optional().describe("The organization whose keys they are, where only one's were asked for."),
    filter: z.record(z.string(), z.unknown()).describe("Which keys were to end."),
    count: z.number().int().describe("How many there were."),
    sha256: z.string().describe("Identifies the set of their ids."),
    ids: z.array(z.string()).optional().describe("Their ids, unless there are too many."),
    ...given,
  })
  .meta({ id: "BulkRevocationInEvent" });
const routeTable = z
  .object({
    routes: z.array(z.record(z.string(), z.unknown())).describe("The routes in force now."),
    previous_version: z.number().int().describe("Version of the table before."),
    restored_from: z.number().int().optional().describe("The version that was put in force again, if it is one."),
    ...given,
  })
  .meta({ id: "RouteTableInEvent" });

const notice = (holds: z.ZodRawShape) => z.object(holds).describe("What the key itself does not tell.");
const idleDays = z.number().int().describe("Days without use that the policy allows.");
const expiringKey = key
  .extend({ notice: notice({ days: z.number().int().describe("Days before its end, as configured.") }) })
  .meta({ id: "ExpiringApiKeyInEvent" });
const idleKey = key
  .extend({
    notice: notice({ disabled_at: z.iso.datetime().describe("When it is disabled, unless it is used."), idle_days_max: idleDays }),
  })
  .meta({ id: "IdleApiKeyInEvent" });
const disabledKey = key
  .extend({ notice: notice({ idle_days_max: idleDays }).optional().describe("Where it was disabled because nobody used it.") })
  .meta({ id: "DisabledApiKeyInEvent" });
const policyViolation = z
  .object({
    organization_id: z.string(),
    api_key_id: z.string().nullable().describe("The key that was to be changed; null for one that was to be made."),
    field: z.string().describe("The field of the policy."),
    limit: z.unknown().describe("What the policy has in that field."),
    attempted: z.string().describe("What was tried."),
    unrecorded_before: z
      .number()
      .int()
      .describe("Violations of the same caller that were only counted, since the last one that was recorded."),
    ...given,
  })
  .meta({ id: "PolicyViolationInEvent" });
const auditSchema = z
  .object({
    id: z.string(),
    action: z.string(),
    ...auditLogSchemaSchema.omit({ object: true, id: true, created_at: true }).shape,
    ...given,
  })
  .meta({ id: "AuditLogSchemaInEvent" });
const texts = z.array(z.string()).optional();
const auditExport = z
  .object({
    id: z.string(),
    organization_id: z.string(),
    range_start: z.iso.datetime(),
    range_end: z.iso.datetime(),
    actions: texts,
    actor_ids: texts,
    actor_names: texts,
    targets: texts,
    ...given,
  })
  .meta({ id: "AuditLogExportInEvent" });
const days = z.number().int().nullable();
const auditRetention = z
  .object({
    organization_id: z.string(),
    retention_period_in_days: days,
    previous_attributes: z.object({ retention_period_in_days: days }),
    ...given,
  })
  .meta({ id: "AuditLogRetentionInEvent" });
const keyPolicy = told("ApiKeyPolicyInEvent", apiKeyPolicySchema);
const keyRequest = told("ApiKeyRequestInEvent", apiKeyRequestSchema);

/** The catalogue. */
export const EVENTS = {
  "api_key.created": { data: key, means: "A key was issued." },
  "api_key.updated": { data: key, means: "A key was renamed, or its permissions, end, networks, tags or metadata were changed." },
  "api_key.rotated": { data: key, means: "A key was given a new secret; the one before works until `previous_secret.expires_at`." },
  "api_key.previous_secret_revoked": { data: key, means: "Every secret of a key but the newest was ended." },
  "api_key.previous_secret_expired": { data: key, means: "The overlap of a rotation has ended: the newest secret alone works." },
  "api_key.disabled": { data: disabledKey, means: "A key was kept from working until it is enabled." },
  "api_key.enabled": { data: key, means: "A key that was disabled works again." },
  "api_key.revoked": { data: key, means: "A key has ended: by itself, or with what it hung on, whose event comes just before." },
  "api_key.bulk_revoked": {
    data: bulkRevocation,
    means: "All keys that met some conditions were ended; an `api_key.revoked` for each follows.",
  },
  "api_key.expiring_soon": { data: expiringKey, means: "A key ends in as many days as the policy wants to be told of." },
  "api_key.expired": { data: key, means: "The end that was set for a key has come." },
  "api_key.idle": { data: idleKey, means: "A key has not been used for so long that it will soon be disabled." },
  "api_key.policy_violated": { data: policyViolation, means: "The policy on keys kept somebody from something." },
  "api_key_policy.updated": { data: keyPolicy, means: "An organization's policy on keys, or the installation's defaults, were changed." },
  "api_key_request.created": { data: keyRequest, means: "Somebody asked for a key that a second admin must approve." },
  "api_key_request.approved": { data: keyRequest, means: "A second admin approved of a key; who asked can collect it." },
  "api_key_request.denied": { data: keyRequest, means: "A second admin refused a key." },
  "api_key_request.issued": { data: keyRequest, means: "A key that was approved was collected by who had asked for it." },
  "api_key_request.expired": { data: keyRequest, means: "A request for a key was not decided, or not collected, in time." },
  "organization.created": { data: organization, means: "An organization was made." },
  "organization.updated": { data: organization, means: "An organization's name, external id or metadata were changed." },
  "organization.suspended": { data: organization, means: "Every key in an organization was kept from working until it is resumed." },
  "organization.resumed": { data: organization, means: "The keys of an organization that was suspended work again." },
  "organization.deleted": { data: organization, means: "An organization has ended, with its memberships, its roles and every key in it." },
  "organization_membership.created": { data: membership, means: "A user was let into an organization." },
  "organization_membership.updated": { data: membership, means: "A member was given another role, was deactivated or reactivated." },
  "organization_membership.deleted": { data: membership, means: "A user has left an organization; the user's keys there ended with that." },
  "user.created": { data: user, means: "A user was added." },
  "user.updated": { data: user, means: "A user's record was changed." },
  "user.deleted": { data: user, means: "A user has ended, with all memberships and all keys." },
  "permission.created": { data: permission, means: "A permission was added to the catalogue." },
  "permission.updated": { data: permission, means: "What a permission is called, or which keys it may be granted to, was changed." },
  "permission.deleted": { data: permission, means: "A permission was taken out of the catalogue; no key has it any more." },
  "role.created": { data: role, means: "A role of the installation was made." },
  "role.updated": { data: role, means: "What a role is called or allows was changed; whoever has it follows at once." },
  "role.deleted": { data: role, means: "A role that nobody had was removed." },
  "organization_role.created": { data: organizationRole, means: "An organization made a role of its own." },
  "organization_role.updated": { data: organizationRole, means: "What an organization's own role is called or allows was changed." },
  "organization_role.deleted": { data: organizationRole, means: "An organization's own role, which nobody had, was removed." },
  "routes.replaced": { data: routeTable, means: "Which path needs which permission was changed." },
  "audit_log_schema.created": { data: auditSchema, means: "An action of customers' own audit events was given a schema." },
  "audit_log_export.created": { data: auditExport, means: "Somebody asked for an export of an organization's audit log." },
  "audit_log_retention.updated": {
    data: auditRetention,
    means: "How long an organization's audit log keeps the customer's own events was changed.",
  },
  "webhook_endpoint.created": { data: webhookEndpoint, means: "A webhook endpoint was added." },
  "webhook_endpoint.updated": { data: webhookEndpoint, means: "A webhook endpoint's URL, events or status were changed." },
  "webhook_endpoint.secret_rotated": { data: webhookEndpoint, means: "A webhook endpoint was given a new secret." },
  "webhook_endpoint.disabled": {
    data: webhookEndpoint,
    means: "A webhook endpoint took nothing for three days, or said that it is gone, and was given up.",
  },
  "webhook_endpoint.deleted": { data: webhookEndpoint, means: "A webhook endpoint was removed." },
} as const satisfies Readonly<Record<string, CataloguedEvent>>;

/** Name of an event. */
export type EventType = keyof typeof EVENTS;

/** What an entry of the ledger can be of. */
export type EntryType = EventType | UntoldEntryType;

/** Every name, in the order of the catalogue. */
export const EVENT_TYPES = Object.keys(EVENTS) as readonly EventType[];

/** The name of an event, as callers give it. */
export const eventType = z
  .enum(EVENT_TYPES, { error: ({ input }) => `${quoteId(String(input))} is no event: docs/events.md lists them` })
  .meta({ id: "EventType", examples: ["api_key.created"] });

/** Where the published form of one type's events is kept. */
export function eventSchemaId(type: EventType): string {
  return `event.${type}`;
}

/** Events as they are published: one form for each type. */
export const publishedEventSchema: z.ZodType<EventView> = z
  .union(
    EVENT_TYPES.map((type) => {
      const { means, data } = EVENTS[type];
      return eventSchema.extend({ event: z.literal(type), data }).meta({ id: eventSchemaId(type), description: means });
    }),
  )
  .meta({ id: "Event", description: "Something that has happened: `event` says what, and `data` is the object as of the change." });
