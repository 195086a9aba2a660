/** The control plane's HTTP application: the endpoints, and what all of them share. */
import { Hono } from "hono";
import { mintRequestId } from "../core/request-id.ts";
import { ApiError } from "./http/api-error.ts";
import { apiKeyRoutes } from "./http/api-keys.ts";
import { bootstrapRoutes } from "./http/bootstrap.ts";
import type { AppEnvironment, Services } from "./http/endpoint.ts";
import { ledgerInspectionRoutes } from "./http/ledger-inspection.ts";
import { membershipRoutes } from "./http/memberships.ts";
import { organizationRoutes } from "./http/organizations.ts";
import { permissionRoutes } from "./http/permissions.ts";
import { receiptRoutes } from "./http/receipts.ts";
import { roleRoutes } from "./http/roles.ts";
import { routeTableRoutes } from "./http/route-table.ts";
import { userRoutes } from "./http/users.ts";

/** Builds the application. Every answer carries `X-Request-ID`; every error is a JSON object with `message`. */
export function controlPlaneApp(services: Services): Hono<AppEnvironment> {
  const app = new Hono<AppEnvironment>();
  app.use(async (c, next) => {
    const startedAtMs = services.now();
    const requestId = mintRequestId(() => crypto.randomUUID());
    c.set("requestId", requestId);
    await next();
    c.header("X-Request-ID", requestId);
    c.header("Cache-Control", "no-store");
    console.log(
      JSON.stringify({
        event: "control_plane_request",
        request_id: requestId,
        method: c.req.method,
        status: c.res.status,
        ms: services.now() - startedAtMs,
      }),
    );
  });

  /** `GET /health`: 200 while the Worker runs. */
  app.get("/health", (c) => c.json({ status: "ok" }));
  app.route("/bootstrap", bootstrapRoutes(services));
  app.route("/api_keys", apiKeyRoutes(services));
  app.route("/organizations", organizationRoutes(services));
  app.route("/user_management/users", userRoutes(services));
  app.route("/user_management/organization_memberships", membershipRoutes(services));
  app.route("/authorization/permissions", permissionRoutes(services));
  app.route("/authorization/roles", roleRoutes(services));
  app.route("/routes", routeTableRoutes(services));
  app.route("/ledger", ledgerInspectionRoutes(services));
  app.route("/receipts", receiptRoutes(services));

  app.notFound((c) => c.json({ message: "There is no such endpoint. See docs/api.md for the ones there are.", code: "not_found" }, 404));
  app.onError((error, c) => {
    if (error instanceof ApiError) {
      if (error.status === 401) c.header("WWW-Authenticate", 'Bearer realm="portcullis"');
      if (error.status === 503) c.header("Retry-After", "1");
      return c.json(error.body, error.status);
    }
    console.log(JSON.stringify({ event: "control_plane_failure", request_id: c.get("requestId"), name: error.name }));
    c.header("Retry-After", "1");
    return c.json(
      {
        message: "The ledger could not be reached or did not finish. Send the request again with the same Idempotency-Key.",
        code: "temporarily_unavailable",
      },
      503,
    );
  });
  return app;
}
