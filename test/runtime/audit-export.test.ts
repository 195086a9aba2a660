/** Exports of the audit log: one page at a time, whole or visibly not, and harmless in a spreadsheet. */
import { env, exports } from "cloudflare:workers";
import { runInDurableObject } from "cloudflare:test";
import { beforeAll, describe, expect, it } from "vitest";
import { CSV } from "../../control-plane/audit/csv.ts";
import { auditStream, type AuditExport, type ExportFormat } from "../../control-plane/audit/export.ts";
import { NDJSON } from "../../control-plane/audit/ndjson.ts";
import type { AuditScope } from "../../control-plane/ledger/audit-log.ts";
import type { LedgerContract } from "../../control-plane/ledger/contract.ts";
import { Transaction } from "../../control-plane/ledger/transaction.ts";
import { contentDigest, firstHash, linkHash } from "../../core/audit/chain.ts";
import { canonicalJson } from "../../core/audit/canonical-json.ts";
import { foreignEntry } from "./foreign-entries.ts";
import { install, type Installation, type Json } from "./installation.ts";

const CELL = 1;
const ledger = (): LedgerContract => env.LEDGER.getByName(`cell-${CELL}`);

/** Adds entries that concern an organization. */
async function fill(organization_id: string, entries: number, payload: Json = {}, actorId = "test", subject = "s"): Promise<void> {
  await runInDurableObject(env.LEDGER.getByName(`cell-${CELL}`), (_, state) =>
    state.storage.transactionSync(() => {
      for (let n = 0; n < entries; n += 1)
        new Transaction(state.storage.sql, Date.now(), { type: "api_key", id: actorId }).append(foreignEntry("test.done"), subject, {
          organization_id,
          n,
          ...payload,
        });
    }),
  );
}

/** An export that notes what it asks the ledger for. `fails` at that page. */
async function exportOf(scope: AuditScope, fails = Infinity): Promise<AuditExport & { readonly pages: number[] }> {
  const stretch = await ledger().auditStretch(scope, {}, 0);
  if (!stretch) throw new Error("no such chain");
  const pages: number[] = [];
  const auditExportPage: LedgerContract["auditExportPage"] = async (...asked) => {
    pages.push(0);
    if (pages.length >= fails) throw new Error("Network connection lost.");
    const page = await ledger().auditExportPage(...asked);
    pages[pages.length - 1] = JSON.stringify(page).length;
    return page;
  };
  return { ledger: { auditExportPage }, cell: CELL, scope, stretch, pages };
}

const textOf = async (exported: AuditExport, format: ExportFormat) => new Response(auditStream(exported, format)).text();
const linesOf = (text: string) =>
  text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Json);

/** Fields of RFC 4180, read as any parser would. */
function recordsOf(csv: string): string[][] {
  return [...csv.matchAll(/((?:"(?:[^"]|"")*"(?:,|(?=\r\n)))+)\r\n/g)].map(([, record = ""]) =>
    [...record.matchAll(/"((?:[^"]|"")*)"/g)].map(([, field = ""]) => field.replaceAll('""', '"')),
  );
}

describe("a stream", () => {
  const scope = { organization_id: "org_stream" };
  beforeAll(() => fill(scope.organization_id, 3_000));

  it("asks for the next page only when the one before has been taken, and for none when the reader has gone", async () => {
    const exported = await exportOf(scope);
    const reader = auditStream(exported, NDJSON).getReader();
    await scheduler.wait(50);
    expect(exported.pages).toHaveLength(0);
    for (let read = 1; read <= 5; read += 1) {
      await reader.read();
      await scheduler.wait(50);
      expect(exported.pages.length).toBeLessThanOrEqual(read);
    }
    const asked = exported.pages.length;
    expect(asked).toBeGreaterThanOrEqual(4);
    await reader.cancel();
    await scheduler.wait(50);
    expect(exported.pages).toHaveLength(asked);
  });

  it("brings every entry once and ends at the entry that was last when it began", async () => {
    const exported = await exportOf(scope);
    await fill(scope.organization_id, 1);
    const [header, ...rest] = linesOf(await textOf(exported, NDJSON));
    const end = rest.pop();
    expect(header).toEqual({
      format: "portcullis-audit-log-1",
      chain: "organization org_stream",
      cell: CELL,
      after: { seq: 0, hash: firstHash("organization org_stream") },
    });
    expect(rest.map((line) => (line["payload"] as Json)["n"])).toEqual(Array.from({ length: 3_000 }, (_, n) => n));
    expect(end).toEqual({ end: { entries: 3_000, seq: rest.at(-1)?.["seq"], hash: rest.at(-1)?.["hash"] } });
    expect(Math.max(...exported.pages)).toBeLessThan(150_000);
  });

  it("takes few entries at a time when they are long", async () => {
    await fill("org_long", 12, { text: "x".repeat(100_000) });
    const exported = await exportOf({ organization_id: "org_long" });
    expect(linesOf(await textOf(exported, NDJSON))).toHaveLength(14);
    expect(exported.pages.length).toBeGreaterThanOrEqual(4);
    expect(Math.max(...exported.pages)).toBeLessThan(400_000);
  });

  it("that cannot be finished says so in its last line, or is broken off where a line cannot say it", async () => {
    const lines = linesOf(await textOf(await exportOf(scope, 3), NDJSON));
    expect(lines.length).toBeGreaterThan(100);
    expect(lines.at(-1)).toEqual({ error: expect.stringMatching(/before its end/) as string });
    expect(lines.some((line) => "end" in line)).toBe(false);
    await expect(textOf(await exportOf(scope, 3), CSV)).rejects.toThrow("Network connection lost.");
  });

  it("that is brought fewer entries than there are is not taken for whole", async () => {
    const exported = await exportOf(scope);
    const auditExportPage: LedgerContract["auditExportPage"] = async (...asked) =>
      asked[1] === 0 ? ledger().auditExportPage(...asked) : [];
    const lines = linesOf(await textOf({ ...exported, ledger: { auditExportPage } }, NDJSON));
    expect(lines.at(-1)).toHaveProperty("error");
  });

  it("has hashes that follow from what it says and nothing else", async () => {
    let hash = firstHash("organization org_stream");
    for (const line of linesOf(await textOf(await exportOf(scope), NDJSON)).slice(1, -1)) {
      const content = line as unknown as Parameters<typeof contentDigest>[0];
      hash = linkHash(hash, contentDigest({ ...content, payload: canonicalJson(line["payload"]) }));
      expect(line["hash"]).toBe(hash);
    }
  });
});

describe("a spreadsheet", () => {
  it.each([
    "=1+1",
    "+1",
    "-1",
    "@SUM(1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "  =1",
    "\u0000=1",
    "\u00a0=1",
    "\uff1d1",
    '=HYPERLINK("https://evil.example";"x")',
  ])("takes %j for text", async (text) => {
    await fill("org_csv", 1, {}, text, text);
    const csv = await textOf(await exportOf({ organization_id: "org_csv" }), CSV);
    const last = recordsOf(csv).at(-1);
    expect(last?.slice(4, 7)).toEqual([`'${text}`, "test.done", `'${text}`]);
  });

  it("is given every text in its own field, whatever is in it", async () => {
    const hostile = { text: 'a","b\r\n"c",\u2028=1' };
    await fill("org_fields", 2, hostile, "plain", 'quo"te,\r\n');
    const records = recordsOf(await textOf(await exportOf({ organization_id: "org_fields" }), CSV));
    const columns = ["cell", "seq", "at", "actor_type", "actor_id", "type", "subject", "organizations", "payload", "hash"];
    expect(records[0]).toEqual(columns);
    expect(records).toHaveLength(3);
    for (const record of records) expect(record).toHaveLength(columns.length);
    expect(records[2]?.slice(3, 8)).toEqual(["api_key", "plain", "test.done", 'quo"te,\r\n', "org_fields"]);
    expect(JSON.parse(records[2]?.[8] ?? "")).toMatchObject({ n: 1, ...hostile });
  });
});

describe("over HTTP", () => {
  let installation: Installation;
  beforeAll(async () => {
    installation = await install();
  });

  async function download(path: string): Promise<{ readonly response: Response; readonly text: string }> {
    const headers = { Authorization: `Bearer ${installation.adminKey}` };
    const response = await exports.default.fetch(new Request(`https://control.example${path}`, { headers }));
    return { response, text: await response.text() };
  }

  it("an organization's export has what concerns it and no word of another one", async () => {
    const [mine, others] = [await installation.organization(), await installation.organization()];
    const { id } = await installation.key(mine, []);
    const foreign = await installation.key(others, []);
    await installation.must("DELETE", `/api_keys/${id}`);
    const { response, text } = await download(`/organizations/${mine}/audit_log.ndjson`);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      "content-type": "application/x-ndjson",
      "content-disposition": 'attachment; filename="audit-log.ndjson"',
      "x-content-type-options": "nosniff",
      "cache-control": "no-store",
    });
    const types = linesOf(text).map((line) => line["type"] ?? Object.keys(line)[0]);
    expect(types).toEqual(["format", "organization.created", "api_key.created", "api_key.revoked", "end"]);
    for (const theirs of [others, foreign.id]) expect(text).not.toContain(theirs);
    const { response: sheet, text: csv } = await download(`/organizations/${mine}/audit_log.csv`);
    expect(sheet.headers.get("content-type")).toBe("text/csv; charset=utf-8; header=present");
    expect(recordsOf(csv).map((record) => record[5])).toEqual(["type", ...types.slice(1, -1)]);
  });

  it("goes on where the last one ended, so that the parts make up one chain", async () => {
    const mine = await installation.organization();
    const { id } = await installation.key(mine, []);
    const first = linesOf((await download(`/organizations/${mine}/audit_log.ndjson`)).text).at(-1)?.["end"] as Json;
    await installation.must("PATCH", `/api_keys/${id}`, { name: "later" });
    const path = `/organizations/${mine}/audit_log.ndjson?after=${String(first["seq"])}`;
    const [header, entry, end] = linesOf((await download(path)).text);
    expect(header?.["after"]).toEqual({ seq: first["seq"], hash: first["hash"] });
    expect(entry).toMatchObject({ type: "api_key.updated" });
    expect(end).toMatchObject({ end: { entries: 1 } });
  });

  it("keeps to a range of time", async () => {
    const mine = await installation.organization();
    const listed = await installation.must("GET", `/audit_logs/entries?organization_id=${mine}`);
    const at = String((listed["data"] as Json[])[0]?.["at"]);
    const justBefore = new Date(Date.parse(at) - 1).toISOString();
    const within = async (range: string) => linesOf((await download(`/organizations/${mine}/audit_log.ndjson?${range}`)).text).length - 2;
    expect(await within(`range_start=${at}&range_end=${at}`)).toBe(1);
    expect(await within(`range_end=${justBefore}`)).toBe(0);
  });

  it("an organization that there never was is 404, and a cell's export is all of it", async () => {
    const answer = await installation.call("GET", "/organizations/org_01ARZ3NDEKTSV4RRFFQ69G5FAV/audit_log.ndjson");
    expect(answer).toMatchObject({ status: 404, body: { code: "entity_not_found" } });
    for (const cell of [0, 1, 2, 3]) {
      const { entries, hash } = await installation.must("GET", `/ledger/${cell}/verify`);
      if (cell === CELL) continue;
      const end = linesOf((await download(`/ledger/${cell}/audit_log.ndjson`)).text).at(-1);
      expect(end).toEqual({ end: { entries, seq: entries, hash } });
    }
  });

  it("lists with filters, for one organization and over all", async () => {
    const mine = await installation.organization();
    const { id } = await installation.key(mine, []);
    await installation.must("PATCH", `/api_keys/${id}`, { name: "renamed" });
    const list = async (query: string) => (await installation.must("GET", `/audit_logs/entries?${query}`))["data"] as Json[];
    expect((await list(`organization_id=${mine}`)).map((row) => row["type"])).toEqual([
      "api_key.updated",
      "api_key.created",
      "organization.created",
    ]);
    expect((await list(`subject=${id}&type=api_key.updated`)).map((row) => row["organizations"])).toEqual([[mine]]);
    expect(await list(`organization_id=${mine}&type=api_key.revoked`)).toEqual([]);
    expect((await list("organization_id=installation&type=routes.replaced")).length).toBe(1);
    expect((await list("organization_id=org_platform"))[0]).toMatchObject({ organizations: ["org_platform"] });
    const [{ actor: by } = {}] = await list(`subject=${id}`);
    const actor = String((by as Json)["id"]);
    const pages: Json[] = [];
    let after: string | null = "";
    do {
      const page: Json = await installation.must("GET", `/audit_logs/entries?actor_id=${actor}&limit=5&after=${after}`);
      pages.push(...(page["data"] as Json[]));
      ({ after } = page["list_metadata"] as { readonly after: string | null });
    } while (after !== null);
    expect(new Set(pages.map((row) => row["id"])).size).toBe(pages.length);
    expect(pages.map((row) => String(row["id"]))).toEqual(
      pages
        .map((row) => String(row["id"]))
        .toSorted()
        .toReversed(),
    );
    expect(pages.length).toBeGreaterThan(15);
    const wrong = await installation.call("GET", "/audit_logs/entries?organization_id=acme&after=api_key_1&range_start=yesterday");
    expect(wrong.status).toBe(422);
  });
});
