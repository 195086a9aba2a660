/** Customers' own events in the audit log of one of their organizations, as the WorkOS API takes them. */
import { z } from "zod";
import { isoTime } from "../ledger/iso-time.ts";
import { faultsOf } from "../../core/audit/event-schema.ts";
import { ApiError } from "./api-error.ts";
import { endpoint, type Services } from "./endpoint.ts";
import { auditAction, isoInstant, plainText as plain } from "./fields.ts";
import { ok } from "./reply.ts";
import { send } from "./send.ts";

const METADATA_PAIRS_MAX = 50;
const TARGETS_MAX = 100;
/** Of the whole event as JSON. */
const CHARACTERS_MAX = 32_768;

const metadata = z
  .record(
    z.string().regex(/^[\x20-\x7e]{1,40}$/, "1 to 40 ASCII characters, no control characters"),
    z.union([z.string().max(500, "at most 500 characters"), z.number(), z.boolean()]),
  )
  .refine((pairs) => Object.keys(pairs).length <= METADATA_PAIRS_MAX, `at most ${METADATA_PAIRS_MAX} pairs`)
  .optional();
const named = z.strictObject({ id: plain(128), type: plain(128), name: plain(255).optional(), metadata });

/** What is not named here is refused: an audit log must not leave out what it was told. */
const event = z
  .strictObject({
    action: auditAction.describe("In the log its type is `customer.` and this."),
    occurred_at: isoInstant.transform(isoTime),
    actor: named,
    targets: z.tuple([named], named).refine((targets) => targets.length <= TARGETS_MAX, `at most ${TARGETS_MAX} targets`),
    context: z.strictObject({ location: plain(255), user_agent: plain(1_024).optional() }),
    metadata,
    version: z
      .number()
      .int()
      .min(1)
      .optional()
      .describe("Of the action's schemas, where it has any: the one that the event is to be as. Absent: 1."),
  })
  .refine((given) => JSON.stringify(given).length <= CHARACTERS_MAX, `at most ${CHARACTERS_MAX} characters as JSON`);

const EXAMPLE = {
  organization_id: "org_01ARZ3NDEKTSV4RRFFQ69G5FAV",
  event: {
    action: "document.shared",
    occurred_at: "2026-01-15T12:00:00.000Z",
    actor: { type: "user", id: "user_42", name: "Ada" },
    targets: [{ type: "document", id: "document_7" }],
    context: { location: "203.0.113.7", user_agent: "Mozilla/5.0" },
    metadata: { pages: 3 },
  },
} as const;

/** The endpoint that takes them. */
export const recordAuditLogEvent = endpoint({
  method: "POST",
  path: "/audit_logs/events",
  operationId: "recordAuditLogEvent",
  summary: "Puts an event of your own product on record in an organization's audit log",
  description:
    "It is in that log's lists and exports, in the same chain, with `customer.` and the action as its type, which no entry of Portcullis's own has, and " +
    "this call's key as its actor. It is no event of `GET /events`. Where the action has a schema, what is not as that says is refused. With an `Idempotency-Key` a repeated call records it once.",
  access: "portcullis:audit_logs:write",
  body: z.object({ organization_id: z.string().max(64), event }).meta({ examples: [EXAMPLE] }),
  replies: { 200: z.object({ success: z.literal(true) }) },
  errors: ["entity_not_found", "invalid_audit_log_event"],
  handler: async ({ services, body: { organization_id, event: told }, terms }) => {
    await requireAsSchemaSays(services, told);
    const cell = services.cells.cellOf(organization_id);
    await send(services, { type: "record_customer_event", organization_id, event: told }, { cell, terms });
    return ok({ success: true as const });
  },
});

/** 400 for an event that is not as the schema of its action and version says. */
async function requireAsSchemaSays({ cells }: Services, told: z.output<typeof event>): Promise<void> {
  const { action, version = 1 } = told;
  const schema = await cells.home().auditLogSchema(action, version);
  if (schema === null) return;
  const faults = schema === "unknown_version" ? [{ path: ["version"], message: "is none that the action has" }] : faultsOf(schema, told);
  if (faults.length === 0) return;
  const errors = faults.map(({ path, message }) => ({ code: "invalid", field: ["event", ...path].join("."), message }));
  throw new ApiError("invalid_audit_log_event", `The event is not as version ${version} of its action's schema says.`, { errors });
}
