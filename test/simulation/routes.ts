/** The routes of the simulation: one of each kind, and one whose demands change. */
import type { Route } from "../../core/route.ts";

/** How old, in seconds, knowledge may be on the route that bears an outage. */
export const ALLOWED_STALE_S = 2;

/** How old, in milliseconds, knowledge may be on the route that wants it fresher than a lease: less than many a round trip. */
export const FRESHNESS_MS = 20;

/** Paths that requests take. */
export const PATHS = ["/read", "/write", "/strict", "/fresh", "/stale", "/flex"] as const;
/** Leads nowhere. */
export const NO_PATH = "/nowhere";
/** Wants an answer that was asked for after the request came. */
export const STRICT_PATH = "/strict";
/** Takes no keys from elsewhere. */
export const OWN_PATH = "/own";
/** Imported keys are presented here where only those for tests are accepted; there are none. */
export const TEST_PATH = "/test";
/** Needs no key. */
export const PUBLIC_PATH = "/public";
/** May be called by a page of {@link PAGE_ORIGIN}, whose browser asks first. */
export const PAGE_PATH = "/page";
export const PAGE_ORIGIN = "https://page.example";

/** The table in which `/flex` asks for a permission; its name tells the table's version. */
export function routesAsking(permission: string, version: number): Route[] {
  return [
    routeTo("/read", "read"),
    routeTo("/write", "write"),
    { ...routeTo("/strict", "read"), freshness: 0 },
    { ...routeTo("/fresh", "read"), freshness: FRESHNESS_MS },
    { ...routeTo("/stale", "read"), outage: { allowStale: ALLOWED_STALE_S } },
    { ...routeTo(OWN_PATH, "read"), foreign: false },
    routeTo(TEST_PATH, "read"),
    { ...routeTo(PAGE_PATH, "read"), cors: { origins: [PAGE_ORIGIN] } },
    { ...routeTo("/flex", permission), name: `flex-${version}` },
    { name: "public", methods: ["GET"], path: PUBLIC_PATH, upstream: "http://upstream.example", public: true },
  ];
}

/** The permission a route asks for. */
export function askedBy(route: Route): string {
  return route.permissions?.all?.[0] ?? "";
}

function routeTo(path: string, permission: string): Route {
  return {
    name: path.slice(1),
    methods: ["GET"],
    path,
    upstream: "http://upstream.example",
    permissions: { all: [permission] },
    foreign: true,
  };
}
