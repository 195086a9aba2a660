/** Which pages may have a widget that calls us: those of the configured origins. No cookies are involved. */
import { cors } from "hono/cors";
import type { MiddlewareHandler } from "hono";

/** How long a browser may remember a preflight's answer. */
const PREFLIGHT_SECONDS = 600;
/** What the WorkOS widgets send. */
const REQUEST_HEADERS = [
  "Authorization",
  "Content-Type",
  "WorkOS-Widgets-Version",
  "WorkOS-Widgets-Type",
  "X-Elevated-Access-Token",
  "Idempotency-Key",
];

/** Answers preflights, and lets pages of these origins read answers. To pages of any other origin nothing is allowed. */
export function widgetCors(origins: ReadonlySet<string>): MiddlewareHandler {
  return cors({
    origin: (origin) => (origins.has(origin) ? origin : null),
    allowMethods: ["GET", "POST", "DELETE"],
    allowHeaders: REQUEST_HEADERS,
    exposeHeaders: ["X-Request-ID"],
    maxAge: PREFLIGHT_SECONDS,
  });
}
