/** Customers' own events in the audit log: in the chain, in lists and exports, told apart from what Portcullis says, bounded, and once. */
import { exports } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import { cellOfOrganization, PLATFORM_ORGANIZATION_ID } from "../../core/identifier.ts";
import { callControlPlane, install, type Installation, type Json } from "./installation.ts";

const CELLS = 4;
const EVENT = {
  action: "document.shared",
  occurred_at: "2026-01-15T14:00:00+02:00",
  actor: { type: "user", id: "user_42", name: "Ada", metadata: { admin: true } },
  targets: [
    { type: "document", id: "=HYPERLINK(1)" },
    { type: "team", id: "team_1" },
  ],
  context: { location: "203.0.113.7" },
  metadata: { pages: 3, title: "\ud800 @SUM(1)" },
};

let installation: Installation;
let organization_id: string;
beforeAll(async () => {
  installation = await install();
  organization_id = await installation.organization();
});

const record = async (event: unknown, id = organization_id) =>
  installation.call("POST", "/audit_logs/events", { organization_id: id, event });
const entries = async (query: string) => (await installation.must("GET", `/audit_logs/entries?${query}`))["data"] as Json[];
async function exported(extension: string): Promise<string> {
  const headers = { Authorization: `Bearer ${installation.adminKey}` };
  const place = `https://control.example/organizations/${organization_id}/audit_log.${extension}`;
  const response = await exports.default.fetch(new Request(place, { headers }));
  return new TextDecoder().decode(await response.arrayBuffer());
}

describe("an event of a customer's own", () => {
  it("is an entry of its organization, told apart from Portcullis's own by its type and its actor", async () => {
    expect(await record(EVENT)).toMatchObject({ status: 200, body: { success: true } });
    const [entry, ...others] = await entries("type=customer.document.shared");
    expect(others).toEqual([]);
    expect(entry).toMatchObject({
      object: "audit_log_entry",
      actor: { type: "api_key", id: expect.stringMatching(/^api_key_/) as string },
      subject: "=HYPERLINK(1)",
      organizations: [organization_id],
      payload: { organization_id, ...EVENT, occurred_at: "2026-01-15T12:00:00.000Z" },
    });
    expect(await entries(`organization_id=${organization_id}&subject=${encodeURIComponent("=HYPERLINK(1)")}`)).toHaveLength(1);
    expect(await entries("actor_id=user_42")).toEqual([]);
    expect(await entries(`organization_id=${await installation.organization()}&type=customer.document.shared`)).toEqual([]);
  });

  it("is in exports, where no spreadsheet takes it for a formula, and in a chain that holds", async () => {
    expect(await exported("ndjson")).toContain('"type":"customer.document.shared"');
    expect(await exported("csv")).toContain(`"'=HYPERLINK(1)"`);
    expect(await installation.must("GET", `/ledger/${cellOfOrganization(organization_id, CELLS)}/verify`)).toMatchObject({
      broken_at: null,
    });
  });

  it("is no event, and ends nothing, whatever it is called", async () => {
    const { id } = await installation.key(organization_id, []);
    const before = await installation.must("GET", `/events?organization_id=${organization_id}`);
    for (const action of ["organization.deleted", "api_key.revoked"])
      expect(await record({ ...EVENT, action, targets: [{ type: "organization", id: organization_id }] })).toMatchObject({ status: 200 });
    expect(await installation.must("GET", `/events?organization_id=${organization_id}`)).toEqual(before);
    expect(await installation.must("GET", `/api_keys/${id}`)).toMatchObject({ id });
    expect(await entries(`organization_id=${organization_id}&type=organization.deleted`)).toEqual([]);
  });

  it("is recorded once when it is sent again with its Idempotency-Key", async () => {
    const body = { organization_id, event: { ...EVENT, action: "sent.twice" } };
    for (let time = 0; time < 2; time++)
      expect(
        await callControlPlane(installation.adminKey, "POST", "/audit_logs/events", body, { "Idempotency-Key": "once" }),
      ).toMatchObject({ status: 200, body: { success: true } });
    expect(await entries("type=customer.sent.twice")).toHaveLength(1);
  });

  it("needs an organization that there is, and not the one that governs Portcullis", async () => {
    for (const id of ["org_01ARZ3NDEKTSV4RRFFQ69G5FAV", PLATFORM_ORGANIZATION_ID, "x"])
      expect(await record(EVENT, id)).toMatchObject({ status: 404, body: { code: "entity_not_found" } });
  });
});

describe("is refused:", () => {
  const target = { type: "document", id: "1" };
  it.each<[string, Json]>([
    ["half a character in what is looked up by", { targets: [{ ...target, id: "\ud800" }] }],
    ["a control character in what is looked up by", { targets: [{ ...target, id: "a\u0000b" }] }],
    ["an action that is not plain", { action: "=cmd" }],
    ["an empty action", { action: "" }],
    ["no target", { targets: [] }],
    ["too many targets", { targets: Array.from({ length: 101 }, () => target) }],
    ["a time that is none", { occurred_at: "yesterday" }],
    ["a member that nobody would look for", { note: "kept?" }],
    ["metadata inside metadata", { metadata: { deep: { er: 1 } } }],
    ["too much metadata", { metadata: Object.fromEntries(Array.from({ length: 51 }, (_, nth) => [`m${nth}`, nth])) }],
    ["more than an entry should hold", { targets: Array.from({ length: 100 }, () => ({ ...target, metadata: { a: "x".repeat(400) } })) }],
  ])("%s", async (_, change) => {
    const before = (await entries(`organization_id=${organization_id}`))[0]?.["id"];
    expect(await record({ ...EVENT, ...change })).toMatchObject({ status: 422, body: { code: "invalid_request_parameters" } });
    expect((await entries(`organization_id=${organization_id}`))[0]?.["id"]).toBe(before);
  });
});
