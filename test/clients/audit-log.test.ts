/** From a running system to an auditor: what it exports is verified by the script that trusts nothing. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { startTestSystem, type TestSystem } from "../system.ts";
import { sdk } from "./workos-client.ts";

const SCRIPT = path.resolve(import.meta.dirname, "../../local/verify-audit-log.ts");
const folder = mkdtempSync(path.join(tmpdir(), "audit-log-"));

let system: TestSystem;
beforeAll(async () => {
  system = await startTestSystem();
});
afterAll(async () => {
  await system[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

async function call(method: string, place: string, body?: unknown): Promise<Response> {
  const headers = { Authorization: `Bearer ${system.adminKey}`, "Content-Type": "application/json" };
  return fetch(new URL(place, system.controlPlane), { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) });
}

const download = async (place: string) => (await call("GET", place)).text();

function verify(text: string, ...options: readonly string[]): { readonly status: number | null; readonly said: string } {
  const file = path.join(folder, "log.ndjson");
  writeFileSync(file, text);
  const { status, stdout, stderr } = spawnSync(process.execPath, [SCRIPT, file, ...options], { encoding: "utf8" });
  return { status, said: stdout + stderr };
}

it("a cell, an organization and what was refused verify, and a head noted once holds them to it", async () => {
  const made = (await (
    await call("POST", `/organizations/${system.organizationId}/api_keys`, { name: "a\u00e9\ud83d\ude00", permissions: [] })
  ).json()) as {
    readonly id: string;
  };
  const place = `/organizations/${system.organizationId}/audit_log.ndjson`;
  const first = await download(place);
  const head = /Head: ([0-9a-f]{64})/.exec(verify(first).said)?.[1] ?? "";
  await sdk(system.controlPlane, system.adminKey).auditLogs.createEvent(system.organizationId, {
    action: "document.shared",
    occurredAt: new Date(),
    actor: { type: "user", id: "user_42" },
    targets: [{ type: "document", id: "document \u2028 7" }],
    context: { location: "203.0.113.7", userAgent: "Mozilla/5.0" },
    metadata: { pages: 1e20, title: "a\ud800b" },
  });
  await call("DELETE", `/api_keys/${made.id}`);
  await call("DELETE", `/api_keys/${made.id}`);
  const later = verify(await download(place), "--head", head);
  expect([later.status, later.said]).toEqual([0, expect.stringMatching(/Everything up to entry \d+ is as it was/)]);
  const whole = await download(place);
  expect(whole).toContain('"type":"customer.document.shared"');
  const tampered = whole.replace(`"subject":"${made.id}"`, '"subject":"somebody else\'s"');
  expect(tampered).not.toBe(whole);
  expect(verify(tampered, "--head", head)).toMatchObject({ status: 1 });

  let entries = 0;
  for (let cell = 0; cell < 16; cell += 1)
    for (const name of ["audit_log", "denials"]) {
      const { status, said } = verify(await download(`/ledger/${cell}/${name}.ndjson`));
      expect([cell, name, status]).toEqual([cell, name, 0]);
      entries += Number(/The chain holds: (\d+) entries of 'denials'/.exec(said)?.[1] ?? 0);
    }
  expect(entries).toBe(1);
});
