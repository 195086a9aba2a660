/** A route with what the gateway needs of it worked out, once for each table: no request pays for what its route does not use. */
import { prepareCors, type PreparedCors } from "./cors.ts";
import type { CredentialPlace } from "./credential.ts";
import { prepareHeaderRules, type PreparedHeaderRules } from "./header-rule.ts";
import { LIMIT_HEADERS } from "./limits/headers.ts";
import { methodsOf, placesOf, type Route } from "./route.ts";

/** What is worked out; undefined where the route says nothing. */
interface Preparation {
  readonly places: ReadonlySet<CredentialPlace>;
  readonly cors: PreparedCors | undefined;
  readonly requestHeaders: PreparedHeaderRules | undefined;
  readonly responseHeaders: PreparedHeaderRules | undefined;
}

/** A route that requests can be decided by. */
export type PreparedRoute = Route & { readonly prepared: Preparation };

/** Works a route out. */
export function prepareRoute(route: Route): PreparedRoute {
  const places = placesOf(route);
  const prepared = {
    places: new Set(places),
    cors: route.cors && prepareCors(route.cors, methodsOf(route), places, route.limits && LIMIT_HEADERS),
    requestHeaders: prepareHeaderRules(route.headers?.request),
    responseHeaders: prepareHeaderRules(route.headers?.response),
  };
  return { ...route, prepared };
}
