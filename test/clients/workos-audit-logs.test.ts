/** The official WorkOS SDK for Node, unmodified, on the running control plane: every call that its AuditLogs have. */
import { BadRequestException, NotFoundException, UnprocessableEntityException } from "@workos-inc/node";
import { describe, expect, it } from "vitest";
import { at, refusalOf, startWorkos } from "./workos-client.ts";

const { workos, freshOrganization } = await startWorkos();
const { auditLogs } = workos;

const EVENT = {
  action: "document.shared",
  occurredAt: new Date(),
  actor: { type: "user", id: "user_42", name: "Ada" },
  targets: [{ type: "document", id: "document_7" }],
  context: { location: "203.0.113.7", userAgent: "Mozilla/5.0" },
};
const RANGE = { rangeStart: new Date(Date.now() - 86_400_000), rangeEnd: new Date(Date.now() + 86_400_000) };

describe("an export", () => {
  it("is asked for, read again, and fetched from its URL without any credential", async () => {
    const organizationId = await freshOrganization("Exported");
    await auditLogs.createEvent(organizationId, EVENT);
    await auditLogs.createEvent(organizationId, {
      ...EVENT,
      action: "document.closed",
      actor: { type: "user", id: "user_7", name: "Grace" },
    });
    const whole = await auditLogs.createExport({ organizationId, ...RANGE });
    expect(whole).toMatchObject({ object: "audit_log_export", state: "ready", createdAt: expect.any(String) as string });
    const read = await auditLogs.getExport(whole.id);
    expect(read).toEqual({ ...whole, url: expect.stringMatching(/^http/) as string });
    const text = await (await fetch(read.url ?? "")).text();
    expect(text.trimEnd().split("\r\n")).toHaveLength(4);
    expect(text).toContain('"customer.document.shared"');

    const { url } = await auditLogs.createExport({
      organizationId,
      ...RANGE,
      actions: ["document.shared", "document.closed"],
      actorNames: ["Grace"],
      actorIds: ["user_7"],
      targets: ["document"],
    });
    const some = await (await fetch(url ?? "")).text();
    expect(some.trimEnd().split("\r\n")).toHaveLength(2);
    expect(some).toContain('"customer.document.closed"');
  });

  it("of nobody is not found", async () => {
    await refusalOf(auditLogs.createExport({ organizationId: "org_01ARZ3NDEKTSV4RRFFQ69G5FAV", ...RANGE }), NotFoundException);
    await refusalOf(auditLogs.getExport("audit_log_export_01ARZ3NDEKTSV4RRFFQ69G5FAV"), NotFoundException);
  });
});

describe("a schema", () => {
  it("is made, listed in all its versions, and events are held to it", async () => {
    const organizationId = await freshOrganization("Held");
    const action = "invoice.viewed";
    const first = await auditLogs.createSchema({
      action,
      targets: [{ type: "invoice", metadata: { cost: "number" } }],
      actor: { metadata: { role: "string" } },
      metadata: { paid: "boolean" },
    });
    expect(first).toMatchObject({
      object: "audit_log_schema",
      version: 1,
      targets: [{ type: "invoice", metadata: { cost: "number" } }],
      actor: { metadata: { role: "string" } },
      metadata: { paid: "boolean" },
    });
    const second = await auditLogs.createSchema({ action, targets: [{ type: "receipt" }] });
    expect(second).toMatchObject({ version: 2, targets: [{ type: "receipt", metadata: {} }], actor: { metadata: {} }, metadata: {} });
    expect(await (await auditLogs.listSchemas(action)).autoPagination()).toEqual([second, first]);

    const viewed = { ...EVENT, action, targets: [{ type: "invoice", id: "1", metadata: { cost: 7 } }] };
    await auditLogs.createEvent(organizationId, viewed);
    await auditLogs.createEvent(organizationId, { ...viewed, version: 2, targets: [{ type: "receipt", id: "1" }] });
    const refused = await refusalOf(auditLogs.createEvent(organizationId, { ...viewed, version: 2 }), BadRequestException);
    expect(refused).toMatchObject({ code: "invalid_audit_log_event", errors: [{ field: "event.targets.0.type" }] });
    await refusalOf(auditLogs.createSchema({ action: "no action", targets: [{ type: "a" }] }), NotFoundException);
    await refusalOf(auditLogs.createSchema({ action, targets: [] }), UnprocessableEntityException);
  });
});

describe("a retention", () => {
  it("is none at first, and what it was set to then", async () => {
    const id = await freshOrganization("Retained");
    expect(await auditLogs.getOrganizationAuditLogsRetention({ id })).toEqual({ retentionPeriodInDays: null });
    for (const [retentionPeriod, retentionPeriodInDays] of [
      ["1_MONTH", 30],
      ["11_MONTHS", 330],
      ["1_YEAR", 365],
      ["10_YEARS", 3650],
    ] as const) {
      expect(await auditLogs.updateOrganizationAuditLogsRetention({ id, retentionPeriod })).toEqual({ retentionPeriodInDays });
      expect(await auditLogs.getOrganizationAuditLogsRetention({ id })).toEqual({ retentionPeriodInDays });
    }
    await refusalOf(auditLogs.getOrganizationAuditLogsRetention({ id: "org_01ARZ3NDEKTSV4RRFFQ69G5FAV" }), NotFoundException);
  });
});

it("an event is recorded once, however often it is sent with one idempotency key", async () => {
  const organizationId = await freshOrganization("Once");
  for (let time = 0; time < 2; time += 1) await auditLogs.createEvent(organizationId, EVENT, { idempotencyKey: "once" });
  const { url } = await auditLogs.createExport({ organizationId, ...RANGE, actions: [EVENT.action] });
  const lines = (await (await fetch(url ?? "")).text()).trimEnd().split("\r\n");
  expect(at(lines, 1)).toContain(EVENT.action);
  expect(lines).toHaveLength(2);
});
