/** The gateway's route table. */
import { Hono } from "hono";
import { z } from "zod";
import { HOME_CELL } from "../../core/identifier.ts";
import { routesSchema } from "../../core/route.ts";
import { admit, admitCaller, send, type AppEnvironment, type Services } from "./endpoint.ts";
import { answerCommitted } from "./receipts.ts";

const newTable = z.strictObject({ routes: routesSchema, version: z.number().int().nonnegative().optional() });

/** Endpoints under `/routes`. */
export function routeTableRoutes(services: Services): Hono<AppEnvironment> {
  const app = new Hono<AppEnvironment>();

  /** `GET /routes`: 200 `{object: "route_table", version, routes}`. */
  app.get("/", async (c) => {
    await admitCaller(services, c, "portcullis:routes:read");
    const { version, routes } = await services.cells.home().resolveRoutes(undefined);
    return c.json({ object: "route_table", version, routes });
  });

  /** `PUT /routes` `{routes, version?}`: 200 the table now in force, whole; 409 `version_conflict` if `version` is given and not the present one; 422 with the path of each fault. */
  app.put("/", async (c) => {
    const { body, terms } = await admit(services, c, "portcullis:routes:write", newTable);
    const command = { type: "replace_routes", routes: body.routes, expected_version: body.version ?? null } as const;
    return answerCommitted(c, await send(services, command, { cell: HOME_CELL, terms }), { status: 200, receiptInBody: true });
  });

  return app;
}
