/** The control plane's HTTP application: the endpoints, and what all of them share. */
import { Hono, type Context } from "hono";
import { RequestIds } from "../core/request-id.ts";
import { LedgerUnreachableError } from "./cells.ts";
import { ApiError } from "./http/api-error.ts";
import type { Services } from "./http/endpoint.ts";
import { ENDPOINTS } from "./http/sections.ts";
import { mount, type AppEnvironment } from "./http/serve.ts";
import { widgetCors } from "./http/widget-cors.ts";

/**
 * Builds the application's fetch handler; nothing else of it is let out, so that only declared endpoints can be on it. Every answer
 * carries `X-Request-ID`; every error is a JSON object with `message` and `code`.
 */
export function controlPlaneApp(services: Services): (request: Request) => Response | Promise<Response> {
  const app = new Hono<AppEnvironment>();
  const requestIds = new RequestIds((target) => crypto.getRandomValues(target));
  app.use(async (c, next) => {
    const startedAtMs = services.now();
    const requestId = requestIds.next();
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
  app.use("/_widgets/*", widgetCors(services.configuration.widgets.origins));
  mount(app, services, ENDPOINTS);
  app.notFound((c) => refuse(c, new ApiError("not_found", "There is no such endpoint. See docs/api.md for the ones there are.")));
  app.onError((error, c) => {
    if (error instanceof ApiError) return refuse(c, error);
    console.log(JSON.stringify({ event: "control_plane_failure", request_id: c.get("requestId"), name: error.name }));
    if (!(error instanceof LedgerUnreachableError)) return refuse(c, new ApiError("internal_error", FAILED));
    return refuse(c, new ApiError("temporarily_unavailable", UNFINISHED));
  });
  return (request) => app.fetch(request);
}

/** Asking again may help. */
const UNFINISHED = "The ledger could not be reached or did not finish. Send the request again with the same Idempotency-Key.";
/** A fault of the control plane or of the ledger: asking again will not help. */
const FAILED = "The control plane failed; whether it did what was asked is not known. Report the X-Request-ID of this answer.";

function refuse(c: Context<AppEnvironment>, error: ApiError): Response {
  for (const [name, value] of Object.entries(error.headers)) c.header(name, value);
  if (error.status === 401) c.header("WWW-Authenticate", 'Bearer realm="portcullis"');
  if (error.status === 503) c.header("Retry-After", "1");
  return c.json(error.body, error.status);
}
