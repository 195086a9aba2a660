/** The route table of the soak, and how the oracle sees it. */
import type { Json } from "../../local/api-client.ts";
import { LIMITS } from "./limit-watch.ts";
import type { SoakRoute } from "./world.ts";

/** What keys may hold. */
export const PERMISSIONS = ["orders:read", "orders:write", "invoices:read"] as const;

/** An upstream has so long for its answer, in ms. */
const FIRST_BYTE_MS = 5_000;
/** Routes that say nothing of that. Their requests wait as most do in production, for a minute, and together. */
const PATIENT: ReadonlySet<string> = new Set(["/orders", "/stale", "/rate", "/public"]);

/** The route whose permission changes, and the one that comes and goes. */
export const TOGGLED = "/toggled";
export const SOMETIMES = "/sometimes";
/** The route that takes long bodies. */
export const UPLOADED = "/upload";

/** Routes that are always there. */
export const STEADY_ROUTES: Readonly<Record<string, SoakRoute>> = {
  "/orders": { permission: "orders:read" },
  "/payments": { permission: "orders:write" },
  "/strict": { permission: "orders:read" },
  "/stale": { permission: "orders:read", allowStaleS: 5 },
  "/rate": { permission: "orders:read", limit: "rate" },
  "/quota": { permission: "orders:read", limit: "quota" },
  "/places": { permission: "orders:read", limit: "concurrency" },
  "/download": { permission: "invoices:read" },
  [UPLOADED]: { permission: "orders:write" },
  "/fallback": { permission: "orders:read", hasSpare: true },
  "/public": { permission: null },
};
const POSTED: ReadonlySet<string> = new Set(["/payments", UPLOADED]);

/** The routes as they are published. */
export function publishedRoutes(routes: Iterable<readonly [path: string, route: SoakRoute | null]>, main: string, spare: string): Json[] {
  return [...routes].flatMap(([path, route]) => (route ? [publishedRoute(path, route, main, spare)] : []));
}

/** Whether requests of a path have a body. */
export function isPosted(path: string): boolean {
  return POSTED.has(path);
}

function publishedRoute(path: string, { permission, limit, allowStaleS, hasSpare }: SoakRoute, main: string, spare: string): Json {
  return {
    name: path.slice(1),
    methods: [isPosted(path) ? "POST" : "GET"],
    path,
    upstream: hasSpare ? [{ url: main }, { url: spare, weight: 0 }] : main,
    ...(!PATIENT.has(path) && { timeouts: { firstByte: FIRST_BYTE_MS } }),
    ...(permission === null ? { public: true } : { permissions: { all: [permission] } }),
    ...(path === "/strict" && { freshness: 0 }),
    ...(allowStaleS !== undefined && { outage: { allowStale: allowStaleS } }),
    ...(limit && { limits: [LIMITS[limit]] }),
  };
}
