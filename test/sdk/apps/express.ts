/** An Express app that uses the SDK. */
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { authenticate, principalOf, requireAnyPermission, requirePermission } from "@portcullis/sdk/express";
import express, { type Request } from "express";
import { authenticatorOf, type RunningApp, type Settings } from "./settings.ts";

/** Starts it on a free port. */
export async function start(settings: Settings): Promise<RunningApp> {
  const app = express();
  const server = app.listen(0, "127.0.0.1");
  await once(server, "listening");
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  app.get("/forgotten", requirePermission("orders:read"), (_, response) => void response.json("reached"));
  app.use(authenticate(authenticatorOf(settings, origin), { clientAddress: (request: Request) => request.ip }));
  app.get("/me", (request, response) => void response.json(principalOf(request)));
  app.get("/orders", requirePermission("orders:read"), (request, response) => void response.json(principalOf(request)));
  app.get("/orders/:id", requirePermission("orders:read", "orders:write"), (request, response) => void response.json(request.params.id));
  app.get("/invoices", requireAnyPermission("invoices:read", "invoices:pay"), (_, response) => void response.json("invoices"));

  return {
    origin,
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
