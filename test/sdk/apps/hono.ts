/** A Hono app that uses the SDK, on Node. */
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createAdaptorServer } from "@hono/node-server";
import { getConnInfo } from "@hono/node-server/conninfo";
import { authenticate, requireAnyPermission, requirePermission } from "@portcullis/sdk/hono";
import { Hono } from "hono";
import { authenticatorOf, type RunningApp, type Settings } from "./settings.ts";

/** Starts it on a free port. */
export async function start(settings: Settings): Promise<RunningApp> {
  const app = new Hono();
  const server = createAdaptorServer(app).listen(0, "127.0.0.1");
  await once(server, "listening");
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  app.get("/forgotten", requirePermission("orders:read"), (c) => c.json("reached"));
  const authenticated = authenticate(authenticatorOf(settings, origin), { clientAddress: (c) => getConnInfo(c).remote.address });
  app.get("/me", authenticated, (c) => c.json(c.get("principal")));
  app.get("/orders", authenticated, requirePermission("orders:read"), (c) => c.json(c.get("principal")));
  app.get("/orders/:id", authenticated, requirePermission("orders:read", "orders:write"), (c) => c.json(c.req.param("id")));
  app.get("/invoices", authenticated, requireAnyPermission("invoices:read", "invoices:pay"), (c) => c.json("invoices"));

  return {
    origin,
    stop: async () => {
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
