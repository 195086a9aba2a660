/** Looking at a cell's ledger: its entries, and whether its hash chain holds. */
import { Hono } from "hono";
import { notFound } from "./api-error.ts";
import { admitCaller, type AppEnvironment, type Services } from "./endpoint.ts";

const ENTRIES_MAX = 100;

/** Endpoints under `/ledger`. */
export function ledgerInspectionRoutes(services: Services): Hono<AppEnvironment> {
  const app = new Hono<AppEnvironment>();

  /** `GET /ledger/:cell/verify`: 200 `{entries, broken_at}`; `broken_at` is the first seq whose hash does not fit, or null. */
  app.get("/:cell/verify", async (c) => {
    await admitCaller(services, c, "portcullis:ledger:read");
    const { entries, brokenAt } = await services.cells.ledger(cellOf(c.req.param("cell"))).verify();
    return c.json({ entries, broken_at: brokenAt });
  });

  /** `GET /ledger/:cell/entries?after=<seq>`: 200 up to 100 entries, oldest first. */
  app.get("/:cell/entries", async (c) => {
    await admitCaller(services, c, "portcullis:ledger:read");
    const after = /^\d{1,15}$/.test(c.req.query("after") ?? "") ? Number(c.req.query("after")) : 0;
    return c.json({ object: "list", data: await services.cells.ledger(cellOf(c.req.param("cell"))).entries(after, ENTRIES_MAX) });
  });

  return app;

  function cellOf(text: string): number {
    if (!/^\d{1,2}$/.test(text) || Number(text) >= services.cells.count) throw notFound("Cell", text);
    return Number(text);
  }
}
