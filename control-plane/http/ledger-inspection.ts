/** Looking at a cell's ledger: its entries, and whether its hash chain holds. */
import { Hono } from "hono";
import type { LedgerContract } from "../ledger/contract.ts";
import { CHAIN_START, type ChainCheck } from "../ledger/journal.ts";
import { invalid, notFound } from "./api-error.ts";
import { admitCaller, type AppEnvironment, type Services } from "./endpoint.ts";

/** Checks a cell's chain from its start, a part at a time. */
async function verifyWhole(ledger: LedgerContract): Promise<ChainCheck> {
  let check = await ledger.verify(CHAIN_START);
  while (!check.isEnd) check = await ledger.verify(check);
  return check;
}

const ENTRIES_MAX = 100;

/** Endpoints under `/ledger`. */
export function ledgerInspectionRoutes(services: Services): Hono<AppEnvironment> {
  const app = new Hono<AppEnvironment>();

  /** `GET /ledger/:cell/verify`: 200 `{entries, hash, broken_at}`; `hash` is the last one that fits, `broken_at` the first seq that does not, or null. */
  app.get("/:cell/verify", async (c) => {
    await admitCaller(services, c, "portcullis:ledger:read");
    const check = await verifyWhole(services.cells.ledger(cellOf(c.req.param("cell"))));
    return c.json({ entries: check.seq, hash: check.hash, broken_at: check.brokenAt });
  });

  /** `GET /ledger/:cell/entries?after=<seq>`: 200 up to 100 entries, oldest first. */
  app.get("/:cell/entries", async (c) => {
    await admitCaller(services, c, "portcullis:ledger:read");
    const after = c.req.query("after") ?? "0";
    if (!/^\d{1,15}$/.test(after)) throw invalid([{ code: "invalid", field: "after", message: "must be the seq of an entry" }]);
    return c.json({ object: "list", data: await services.cells.ledger(cellOf(c.req.param("cell"))).entries(Number(after), ENTRIES_MAX) });
  });

  return app;

  function cellOf(text: string): number {
    if (!/^(?:0|[1-9]\d?)$/.test(text) || Number(text) >= services.cells.count) throw notFound("Cell", text);
    return Number(text);
  }
}
