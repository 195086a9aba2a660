/** The home cell's catalogue on its way to cells that are away, slow, or have missed a part of it. */
import { env, exports } from "cloudflare:workers";
import { afterEach, beforeAll, expect, it, vi } from "vitest";
import { cellOfId } from "../../core/identifier.ts";
import { healKv } from "./faulty-kv.ts";
import { install, type Installation, type Answer, type IssuedKey, type Json } from "./installation.ts";
import { healLedger, ledgerFaults } from "./ledger-faults.ts";
import { observeGateway } from "./observed-gateway.ts";

const CELLS = 4;
const AWAY = 2;
const IN_TIME = { timeout: 60_000, interval: 20 };

let installation: Installation;
beforeAll(async () => {
  installation = await install();
});
afterEach(() => {
  healLedger();
  healKv();
});

async function call(method: string, path: string, body?: Json, headers: Record<string, string> = {}): Promise<Answer> {
  const response = await exports.default.fetch(
    new Request(`https://control.example${path}`, {
      method,
      headers: { Authorization: `Bearer ${installation.adminKey}`, "Content-Type": "application/json", ...headers },
      ...(body && { body: JSON.stringify(body) }),
    }),
  );
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: text === "" ? {} : (JSON.parse(text) as Json) };
}

async function keyInCell(cell: number, permissions: string[]): Promise<IssuedKey> {
  for (;;) {
    const key = await installation.key(await installation.organization(), permissions);
    if (cellOfId("api_key", key.id, CELLS) === cell) return key;
  }
}

const permissionsOfMember = async (cell: number) => (await env.LEDGER.getByName(`cell-${cell}`).role("member"))?.permissions;
const setMember = (permissions: string[], headers?: Record<string, string>) =>
  call("PUT", "/authorization/roles/member/permissions", { permissions }, headers);

it("a permission that was deleted and made again while a cell was away is nobody's there: no memory of it is believed", async () => {
  const key = await keyInCell(AWAY, ["reports:read"]);
  const gateway = observeGateway({ REGION: "enam" });
  expect((await gateway.get("/reports", key.value)).status).toBe(200);
  ledgerFaults.onCatalogue.set(`cell-${AWAY}`, "throws");
  const once = { "Idempotency-Key": "delete-reports" };
  expect((await call("DELETE", "/authorization/permissions/reports:read", undefined, once)).status).toBe(503);
  expect((await call("POST", "/authorization/permissions", { slug: "reports:read", name: "Made again" })).status).toBe(503);
  healLedger();
  expect((await call("DELETE", "/authorization/permissions/reports:read", undefined, once)).status).toBe(204);
  expect((await gateway.get("/reports", key.value)).status).toBe(403);
});

it("whoever is told that a key is gone does not wait for a cell that is away", async () => {
  const key = await keyInCell(0, ["orders:read"]);
  expect((await call("DELETE", `/api_keys/${key.id}`)).status).toBe(204);
  ledgerFaults.onCatalogue.set(`cell-${AWAY}`, "throws");
  const change = await setMember(["orders:read"], { Prefer: "respond-async" });
  expect(change.status).toBe(202);
  expect((await call("DELETE", `/api_keys/${key.id}`)).status).toBe(404);
  expect((await call("GET", change.headers.get("location") ?? "")).body["effective_at"]).toBeNull();
});

it("a cell that hangs keeps no later change from the others", async () => {
  ledgerFaults.onCatalogue.set(`cell-${AWAY}`, "hangs");
  await setMember(["orders:read", "orders:write"], { Prefer: "respond-async" });
  await vi.waitFor(async () => expect(await permissionsOfMember(1)).toEqual(["orders:read", "orders:write"]), IN_TIME);
  const change = await setMember(["orders:read"], { Prefer: "respond-async" });
  expect(change.status).toBe(202);
  await vi.waitFor(
    async () => expect([await permissionsOfMember(1), await permissionsOfMember(3)]).toEqual([["orders:read"], ["orders:read"]]),
    IN_TIME,
  );
  expect((await call("GET", change.headers.get("location") ?? "")).body["effective_at"]).toBeNull();
});
