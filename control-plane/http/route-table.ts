/** The gateway's route table. */
import { z } from "zod";
import { HOME_CELL } from "../../core/identifier.ts";
import { routesSchema } from "../../core/route.ts";
import { endpoint, type Section } from "./endpoint.ts";
import { changed, inForceWithReceipt, ok } from "./reply.ts";
import { send } from "./send.ts";

const version = z.number().int().nonnegative();
const routeTableSchema = z.object({ object: z.literal("route_table"), version, routes: routesSchema }).meta({ id: "RouteTable" });

/** Endpoints on the table. */
export const routeTable: Section = {
  title: "Routes",
  endpoints: [
    endpoint({
      method: "GET",
      path: "/routes",
      operationId: "getRoutes",
      summary: "Reads the route table",
      access: "portcullis:routes:read",
      replies: { 200: routeTableSchema },
      handler: async ({ services }) => {
        const table = await services.cells.home().resolveRoutes(undefined);
        return ok({ object: "route_table", version: table.version, routes: table.routes });
      },
    }),

    endpoint({
      method: "PUT",
      path: "/routes",
      operationId: "replaceRoutes",
      summary: "Replaces the whole route table, or nothing",
      description: "With `version`, only if that is the version in force.",
      access: "portcullis:routes:write",
      body: z.strictObject({ routes: routesSchema, version: version.optional() }),
      replies: inForceWithReceipt(routeTableSchema),
      errors: ["version_conflict"],
      handler: async ({ services, body, terms }) => {
        const command = { type: "replace_routes", routes: body.routes, expected_version: body.version ?? null } as const;
        return changed(await send(services, command, { cell: HOME_CELL, terms }), { receiptInBody: true });
      },
    }),
  ],
};
