/** The gateway's route table. */
import { z } from "zod";
import { HOME_CELL } from "../../core/identifier.ts";
import { publishableRoutesSchema } from "../../core/route-faults.ts";
import { routesSchema, type Route } from "../../core/route.ts";
import { unboundServices } from "../../core/upstream.ts";
import { routeTableVersionSchema } from "../ledger/view.ts";
import { invalid, notFound } from "./api-error.ts";
import { endpoint, type Section, type Services } from "./endpoint.ts";
import { changed, inForceWithReceipt, listOf, ok } from "./reply.ts";
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
      replies: {
        200: routeTableSchema
          .extend({
            upstream_services: z
              .array(z.string())
              .nullable()
              .describe("Service bindings that routes may name; null: the control plane does not know (`UPSTREAM_SERVICES`)."),
          })
          .meta({ id: "RouteTableInForce" }),
      },
      handler: async ({ services }) => {
        const { version: inForce, routes } = await services.cells.home().resolveRoutes(undefined);
        const { upstreamServices } = services.configuration;
        return ok({ object: "route_table", version: inForce, routes, upstream_services: upstreamServices && [...upstreamServices] });
      },
    }),

    endpoint({
      method: "PUT",
      path: "/routes",
      operationId: "replaceRoutes",
      summary: "Replaces the whole route table, or nothing",
      description:
        "With `version`, only if that is the version in force. Routes that overlap, or that never answer because others take all of their " +
        "requests, are refused like any fault; so are services that are not among `UPSTREAM_SERVICES`, where the control plane has been told.",
      access: "portcullis:routes:write",
      body: z.strictObject({ routes: publishableRoutesSchema, version: version.optional() }),
      replies: inForceWithReceipt(routeTableSchema),
      errors: ["version_conflict"],
      handler: async ({ services, body, terms }) => {
        requireBoundServices(services, body.routes);
        const command = { type: "replace_routes", routes: body.routes, expected_version: body.version ?? null } as const;
        return changed(await send(services, command, { cell: HOME_CELL, terms }), { receiptInBody: true });
      },
    }),

    endpoint({
      method: "GET",
      path: "/routes/versions",
      operationId: "listRouteVersions",
      summary: "Lists the latest versions of the route table, newest first",
      description: "50 are kept, the one in force among them.",
      access: "portcullis:routes:read",
      replies: { 200: listOf(routeTableVersionSchema) },
      handler: async ({ services }) => ok({ object: "list", data: await services.cells.home().routeTableVersions() }),
    }),

    endpoint({
      method: "GET",
      path: "/routes/versions/:route_table_version",
      operationId: "getRouteVersion",
      summary: "Reads a version of the route table, with its routes",
      access: "portcullis:routes:read",
      replies: { 200: routeTableVersionSchema.extend({ routes: routesSchema }).meta({ id: "RouteTableVersionWithRoutes" }) },
      handler: async ({ services, params: { route_table_version } }) => {
        const found = await services.cells.home().routeTableVersion(route_table_version);
        if (!found) throw notFound("Version of the route table", String(route_table_version));
        return ok(found);
      },
    }),

    endpoint({
      method: "POST",
      path: "/routes/versions/:route_table_version/restore",
      operationId: "restoreRouteVersion",
      summary: "Puts a version of the route table in force again, as a version of its own",
      description: "With `version`, only if that is the version in force. It was in force once, so it is not judged again.",
      access: "portcullis:routes:write",
      body: z.strictObject({ version: version.optional() }),
      replies: inForceWithReceipt(routeTableSchema),
      errors: ["version_conflict"],
      handler: async ({ services, params: { route_table_version }, body, terms }) => {
        const command = { type: "restore_routes", version: route_table_version, expected_version: body.version ?? null } as const;
        return changed(await send(services, command, { cell: HOME_CELL, terms }), { receiptInBody: true });
      },
    }),
  ],
};

/** 422 for services that the gateway is not bound to, as far as that is known here. */
function requireBoundServices({ configuration: { upstreamServices } }: Services, routes: readonly Route[]): void {
  const unbound = upstreamServices ? unboundServices(routes, upstreamServices) : [];
  if (unbound.length === 0) return;
  throw invalid(
    unbound.map(({ route, upstream, service }) => ({
      code: "unbound_service",
      field: `routes.${route}.upstream.${upstream}.service`,
      message: `the gateway has no service binding '${service}' for routes: bind it, and add it to UPSTREAM_SERVICES of both Workers`,
    })),
  );
}
