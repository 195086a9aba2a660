/** A cell that cannot write down what has come into force takes it up again by itself. */
import { env } from "cloudflare:workers";
import { runInDurableObject } from "cloudflare:test";
import { expect, it, vi } from "vitest";
import { cellOfId } from "../../core/identifier.ts";
import { install } from "./installation.ts";
import { observeGateway } from "./observed-gateway.ts";

const CELLS = 4;

it("comes into force also when the ledger could not write it down at first and nobody asks again", async () => {
  const installation = await install();
  const key = await installation.key(await installation.organization(), ["orders:read"]);
  const gateway = observeGateway();
  expect((await gateway.get("/orders", key.value)).status).toBe(200);
  const log = vi.spyOn(console, "log");
  const ledger = env.LEDGER.getByName(`cell-${cellOfId("api_key", key.id, CELLS) ?? 0}`);
  const { seq } = await runInDurableObject(ledger, (_, { storage }) => {
    storage.sql.exec("CREATE TRIGGER deaf BEFORE UPDATE ON receipts BEGIN SELECT RAISE(ABORT, 'not now'); END");
    return storage.sql.exec<{ seq: number }>("SELECT max(seq) AS seq FROM entries").one();
  });
  const revoked = installation.call("DELETE", `/api_keys/${key.id}`);
  await vi.waitFor(() => expect(log.mock.calls.flat().join()).toContain("in_force_failed"), { timeout: 10_000 });
  expect((await ledger.receipt(seq + 1))?.effective_at).toBeNull();
  await runInDurableObject(ledger, (_, { storage }) => void storage.sql.exec("DROP TRIGGER deaf"));
  expect((await revoked).status).toBe(204);
  expect((await ledger.receipt(seq + 1))?.effective_at).toEqual(expect.any(String));
  expect((await gateway.get("/orders", key.value)).status).toBe(401);
});
