/** Actions of customers' own audit events, and the schemas that their events must be as. Shapes as in the WorkOS API. */
import { z } from "zod";
import type { AuditEventSchema, MetadataSchema } from "../../core/audit/event-schema.ts";
import { HOME_CELL, mintId } from "../../core/identifier.ts";
import { assemblePage, walkOf } from "../../core/page.ts";
import { auditLogActionSchema, auditLogSchemaSchema } from "../ledger/audit-view.ts";
import { notFound } from "./api-error.ts";
import { endpoint, type Endpoint } from "./endpoint.ts";
import { plainText } from "./fields.ts";
import { pageQuery } from "./query.ts";
import { created, ok, pageOf } from "./reply.ts";
import { send } from "./send.ts";

const PROPERTIES_MAX = 50;
const TARGETS_MAX = 50;
const NOTHING: MetadataSchema = { type: "object", properties: {} };

/** Of JSON Schema only what is judged: another keyword is refused, and not passed over. */
const metadataSchema = z.strictObject({
  type: z.literal("object"),
  properties: z
    .record(
      z.string().regex(/^[\x20-\x7e]{1,40}$/, "1 to 40 ASCII characters, no control characters"),
      z.strictObject({ type: z.enum(["string", "number", "boolean"], { error: "must be 'string', 'number' or 'boolean'" }) }),
    )
    .refine((properties) => Object.keys(properties).length <= PROPERTIES_MAX, `at most ${PROPERTIES_MAX} properties`),
});

const newSchema = z
  .strictObject({
    targets: z
      .array(z.strictObject({ type: plainText(128), metadata: metadataSchema.default(NOTHING) }))
      .min(1, "at least one target")
      .max(TARGETS_MAX, `at most ${TARGETS_MAX} targets`)
      .refine((targets) => new Set(targets.map(({ type }) => type)).size === targets.length, "each type once")
      .describe("An event has at least one target, each of one of these types."),
    actor: z.strictObject({ metadata: metadataSchema.default(NOTHING) }).default({ metadata: NOTHING }),
    metadata: metadataSchema.default(NOTHING),
  })
  .meta({ examples: [{ targets: [{ type: "document", metadata: { type: "object", properties: { pages: { type: "number" } } } }] }] });

/** The endpoints on them. */
export const AUDIT_LOG_SCHEMAS: readonly Endpoint[] = [
  endpoint({
    method: "POST",
    path: "/audit_logs/actions/:audit_log_action/schemas",
    operationId: "createAuditLogSchema",
    summary: "Gives an action of your own audit events a schema, its first or its next version",
    description:
      "From then on, events of the action must be as the schema of their `version` says, 1 where they say none: so a new version breaks nobody who " +
      "sends the old one. What a schema does not name is not judged. It is for policies, not for who records events: another permission.",
    access: "portcullis:policies:write",
    body: newSchema,
    replies: { 201: auditLogSchemaSchema },
    errors: ["catalogue_limit"],
    handler: async ({ services, params: { audit_log_action }, body, terms }) => {
      const schema: AuditEventSchema = body;
      const [id, action_id] = (["audit_log_schema", "audit_log_action"] as const).map((prefix) =>
        mintId(prefix, services.now(), services.randomBytes),
      ) as [string, string];
      const command = { type: "create_audit_log_schema", id, action_id, action: audit_log_action, schema } as const;
      return created(await send(services, command, { cell: HOME_CELL, terms }));
    },
  }),

  endpoint({
    method: "GET",
    path: "/audit_logs/actions/:audit_log_action/schemas",
    operationId: "listAuditLogSchemas",
    summary: "Lists the schemas of an action",
    access: "portcullis:audit_logs:read",
    query: pageQuery("audit_log_schema"),
    replies: { 200: pageOf(auditLogSchemaSchema) },
    handler: async ({ services: { cells }, params: { audit_log_action }, query }) => {
      if ((await cells.home().auditLogSchema(audit_log_action, 1)) === null) throw notFound("Audit log action", audit_log_action);
      return ok(assemblePage(query, [await cells.home().listAuditLogSchemas(audit_log_action, walkOf(query))]));
    },
  }),

  endpoint({
    method: "GET",
    path: "/audit_logs/actions",
    operationId: "listAuditLogActions",
    summary: "Lists the actions that have a schema, each with its newest",
    access: "portcullis:audit_logs:read",
    query: pageQuery("audit_log_action"),
    replies: { 200: pageOf(auditLogActionSchema) },
    handler: async ({ services: { cells }, query }) => ok(assemblePage(query, [await cells.home().listAuditLogActions(walkOf(query))])),
  }),
];
