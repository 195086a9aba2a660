/** How long an organization's audit log keeps the customer's own events: what is dropped, what is not, and what every chain says of that. */
import { env, exports } from "cloudflare:workers";
import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { DAY_MS } from "../../core/api-key-policy.ts";
import { cellOfOrganization, PLATFORM_ORGANIZATION_ID } from "../../core/identifier.ts";
import { dropExpiredCustomerEvents, nextCustomerExpiryAtMs } from "../../control-plane/ledger/customer-event-retention.ts";
import { Transaction } from "../../control-plane/ledger/transaction.ts";
import { firstHash, linkHash } from "../../core/audit/chain.ts";
import { ask, changingNothing, faultyFields } from "./control-plane-client.ts";
import { install, type Installation, type Json } from "./installation.ts";

const CELLS = 4;

let installation: Installation;
let organizationId: string;
beforeAll(async () => {
  installation = await install();
});
/** An entry is never earlier than the one before it in its cell, so over all tests the time only goes on. */
let aheadMs = 0;
beforeEach(async () => {
  vi.useFakeTimers({ now: Date.now() + aheadMs, toFake: ["Date"] });
  organizationId = await installation.organization();
});
afterEach(() => {
  vi.useRealTimers();
});

const cellOf = (id: string) => env.LEDGER.getByName(`cell-${cellOfOrganization(id, CELLS)}`);
function later(days: number): void {
  aheadMs += days * DAY_MS;
  vi.setSystemTime(Date.now() + days * DAY_MS);
}
const keep = (retention_period: string | null, id = organizationId) =>
  installation.call("PUT", `/organizations/${id}/audit_logs_retention`, { retention_period });
const record = (name: string, id = organizationId) =>
  installation.must("POST", "/audit_logs/events", {
    organization_id: id,
    event: {
      action: "document.shared",
      occurred_at: "2026-01-15T14:00:00Z",
      actor: { type: "user", id: "user_42", name },
      targets: [{ type: "document", id: "1" }],
      context: { location: "203.0.113.7" },
    },
  });
const typesListed = async (id = organizationId) =>
  ((await installation.must("GET", `/audit_logs/entries?organization_id=${id}&order=asc&limit=100`))["data"] as Json[]).map(
    ({ type }) => type,
  );
/** Lets the cell do what is due until nothing is. */
async function sweep(id = organizationId): Promise<void> {
  const isDue = () => runInDurableObject(cellOf(id), (_, { storage: { sql } }) => (nextCustomerExpiryAtMs(sql) ?? Infinity) <= Date.now());
  do await runDurableObjectAlarm(cellOf(id));
  while (await isDue());
}
async function exported(place: string): Promise<Json[]> {
  const headers = { Authorization: `Bearer ${installation.adminKey}` };
  const response = await exports.default.fetch(new Request(`https://control.example${place}`, { headers }));
  return (await response.text())
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Json);
}
/** The types on each page of a list of two, from the newest on. */
async function pages(id: string): Promise<unknown[][]> {
  const seen: unknown[][] = [];
  for (let query = ""; ;) {
    const { data, list_metadata } = await installation.must("GET", `/audit_logs/entries?organization_id=${id}&limit=2${query}`);
    seen.push((data as Json[]).map(({ type }) => type));
    const { after } = list_metadata as { readonly after: string | null };
    if (after === null) return seen;
    query = `&after=${after}`;
  }
}
const verified = async (id = organizationId) => installation.must("GET", `/ledger/${cellOfOrganization(id, CELLS)}/verify`);

describe("events of a customer's own that an organization keeps for a month", () => {
  it("are dropped when their time is up, and nothing else is", async () => {
    const other = await installation.organization();
    await record("old");
    await record("other's", other);
    const { id } = await installation.key(organizationId, []);
    expect((await keep("1_MONTH")).body).toEqual({ retention_period_in_days: 30 });
    later(31);
    await record("new");
    await sweep();
    expect(await typesListed()).toEqual([
      "organization.created",
      "api_key.created",
      "audit_log_retention.updated",
      "customer.document.shared",
    ]);
    expect(await typesListed(other)).toContain("customer.document.shared");
    await runInDurableObject(cellOf(organizationId), (_, { storage: { sql } }) => {
      for (const table of ["entries", "events", "entry_organizations", "commands"])
        expect(JSON.stringify(sql.exec(`SELECT * FROM ${table}`).toArray()), table).not.toContain('"name":"old"');
      expect(JSON.stringify(sql.exec("SELECT * FROM entries").toArray())).toContain('\\"name\\":\\"new\\"');
    });
    expect(await installation.must("GET", `/api_keys/${id}`)).toMatchObject({ id });
  });

  it("leave every chain whole: the cell's own check, its export and the organization's, which say what has expired", async () => {
    await record("old");
    await installation.key(organizationId, []);
    await record("old, too");
    await keep("1_MONTH");
    const [, ...before] = await exported(`/organizations/${organizationId}/audit_log.ndjson`);
    later(31);
    await sweep();
    expect(await verified()).toMatchObject({ broken_at: null });
    const [header, ...lines] = await exported(`/organizations/${organizationId}/audit_log.ndjson`);
    expect(lines.map((line) => line["content"] ?? line["type"] ?? "end")).toEqual([
      "organization.created",
      "expired",
      "api_key.created",
      "expired",
      "audit_log_retention.updated",
      "end",
    ]);
    // The same links as before: a head that somebody noted still holds.
    expect(lines.map(({ hash }) => hash)).toEqual(before.map(({ hash }) => hash));
    let { hash } = (header as { readonly after: { readonly hash: string } }).after;
    expect(hash).toBe(firstHash(`organization ${organizationId}`));
    for (const line of lines.filter(({ content }) => content === "expired")) {
      const at = lines.indexOf(line);
      hash = String((at === 0 ? (header?.["after"] as Json) : lines[at - 1])?.["hash"]);
      expect(linkHash(hash, String(line["digest"]))).toBe(line["hash"]);
    }
    const cell = await exported(`/ledger/${cellOfOrganization(organizationId, CELLS)}/audit_log.ndjson`);
    expect(cell.filter(({ content }) => content === "expired").length).toBeGreaterThanOrEqual(2);
  });

  it("go a batch at a time over any number, and the next is looked at when its time comes", async () => {
    await keep("1_MONTH");
    for (let nth = 0; nth < 3; nth += 1) await record(`${nth}`);
    const due = () =>
      runInDurableObject(
        cellOf(organizationId),
        (_, { storage: { sql } }) =>
          sql.exec<{ due_at_ms: number }>("SELECT due_at_ms FROM customer_event_retentions WHERE organization_id = ?", organizationId).one()
            .due_at_ms,
      );
    await sweep();
    const [first] = (await installation.must("GET", `/audit_logs/entries?organization_id=${organizationId}&order=asc&limit=1`))[
      "data"
    ] as Json[];
    expect(await due()).toBe(Date.parse(String(first?.["at"])) + 30 * DAY_MS);
    const left = await runInDurableObject(cellOf(organizationId), (_, { storage }) => {
      const { sql } = storage;
      storage.transactionSync(() => {
        const admin = { type: "api_key", id: "settings_page" } as const;
        for (let nth = 3; nth < 1_100; nth += 1)
          new Transaction(sql, Date.now(), admin).append("customer.document.shared", "1", { organization_id: organizationId, nth });
        sql.exec("UPDATE customer_event_retentions SET due_at_ms = NULL WHERE organization_id <> ?", organizationId);
      });
      const query = "SELECT count(*) AS count FROM entry_organizations WHERE organization_id = ? AND type = 'customer.document.shared'";
      return Array.from({ length: 4 }, () => {
        storage.transactionSync(() => dropExpiredCustomerEvents(sql, Date.now() + 31 * DAY_MS));
        return [
          sql.exec<{ count: number }>(query, organizationId).one().count,
          (nextCustomerExpiryAtMs(sql) ?? 0) - Date.now() > 32 * DAY_MS,
        ];
      });
    });
    // Two other entries of the organization are among the first 500.
    expect(left).toEqual([
      [602, false],
      [102, false],
      [0, true],
      [0, true],
    ]);
    // A page looks at 1,000 entries, and says where it stopped.
    expect(await pages(organizationId)).toEqual([[], ["audit_log_retention.updated", "organization.created"]]);
  });

  it("leave lists that go on: a page looks past any number of them", async () => {
    await keep("1_MONTH");
    for (let nth = 0; nth < 25; nth += 1) await record(`${nth}`);
    later(31);
    await installation.key(organizationId, []);
    await sweep();
    expect((await pages(organizationId)).flat()).toEqual(["api_key.created", "audit_log_retention.updated", "organization.created"]);
  });
});

describe("a retention", () => {
  it("is what was set last, null where nothing was, and is on record with what it was before", async () => {
    const read = async () => installation.must("GET", `/organizations/${organizationId}/audit_logs_retention`);
    expect(await read()).toEqual({ retention_period_in_days: null });
    for (const [period, days] of [
      ["11_MONTHS", 330],
      ["10_YEARS", 3650],
      ["1_YEAR", 365],
      [null, null],
    ] as const) {
      expect((await keep(period)).body).toEqual({ retention_period_in_days: days });
      expect(await read()).toEqual({ retention_period_in_days: days });
    }
    const { data } = await installation.must("GET", `/events?events=audit_log_retention.updated&organization_id=${organizationId}`);
    expect((data as Json[]).map((event) => event["data"])).toMatchObject([
      { retention_period_in_days: 330, previous_attributes: { retention_period_in_days: null } },
      { retention_period_in_days: 3650, previous_attributes: { retention_period_in_days: 330 } },
      { retention_period_in_days: 365 },
      { retention_period_in_days: null, previous_attributes: { retention_period_in_days: 365 } },
    ]);
  });

  it("that was taken back, or made longer, drops nothing more and brings nothing back", async () => {
    await record("old");
    await keep("1_MONTH");
    later(31);
    await sweep();
    await record("young");
    await keep(null);
    later(100);
    await sweep();
    expect(await typesListed()).toEqual([
      "organization.created",
      "audit_log_retention.updated",
      "customer.document.shared",
      "audit_log_retention.updated",
    ]);
    expect(await verified()).toMatchObject({ broken_at: null });
  });

  it("is of a month at least, and not of what governs Portcullis", async () => {
    for (const period of ["0_MONTHS", "1_DAY", "12_MONTHS", "11_YEARS", "1_MONTHS", 30])
      expect(faultyFields(await changingNothing(() => keep(period as string)))).toEqual(["retention_period"]);
    expect(await keep("1_MONTH", PLATFORM_ORGANIZATION_ID)).toMatchObject({ status: 409, body: { code: "platform_organization" } });
    expect(await keep("1_MONTH", "org_01ARZ3NDEKTSV4RRFFQ69G5FAV")).toMatchObject({ status: 404 });
  });

  it("is not for who records events", async () => {
    const sender = await installation.key(PLATFORM_ORGANIZATION_ID, ["portcullis:audit_logs:write", "portcullis:audit_logs:read"]);
    const path = `/organizations/${organizationId}/audit_logs_retention`;
    expect((await ask(sender.value, "PUT", path, { json: { retention_period: "1_MONTH" } })).status).toBe(403);
    expect((await ask(sender.value, "GET", path)).status).toBe(200);
  });
});

// Last: the cell's chain is broken from then on.
it("events that expired can be told from what somebody took out: that, the cell's check finds", async () => {
  await keep("1_MONTH");
  await installation.key(organizationId, []);
  await record("mine");
  later(31);
  await record("not old enough");
  await sweep();
  expect(await verified()).toMatchObject({ broken_at: null });
  const seqs = await runInDurableObject(cellOf(organizationId), (_, { storage: { sql } }) => {
    const taken = sql
      .exec<{ seq: number }>(
        "SELECT seq FROM entry_organizations WHERE organization_id = ? AND type <> 'customer.' ORDER BY seq",
        organizationId,
      )
      .toArray()
      .map(({ seq }) => seq);
    sql.exec(
      `UPDATE entries SET salt = NULL, actor_type = '', actor_id = '', type = '', subject = '', organizations = '[]', payload = '{}' WHERE seq = ?`,
      taken[2] ?? 0,
    );
    return taken;
  });
  expect(await verified()).toMatchObject({ broken_at: seqs[2] });
});
