/** For Next.js: route handlers of the App Router, and the proxy file. */
import type { Authentication, Authenticator } from "./authenticator.ts";
import { demandOf, refusalBy, type Demand, type Permissions } from "./demand.ts";
import type { Principal } from "./principal.ts";
import { refusalResponse } from "./refusal.ts";

/** Options of {@link withPrincipal} and {@link requirePrincipal}. */
export interface AuthenticateOptions {
  /** The client's network address (see `IncomingRequest`). */
  readonly clientAddress?: (request: Request) => string | undefined;
}

/** Demands that the caller holds all of these permissions. */
export function requirePermission(...permissions: Permissions): Demand {
  return demandOf(permissions, "all");
}

/** Demands that the caller holds at least one of these permissions. */
export function requireAnyPermission(...permissions: Permissions): Demand {
  return demandOf(permissions, "any");
}

/** Demands no permission: any caller will do who is known. */
export const authenticatedOnly: Demand = { permissions: [], required: "all" };

/** A route handler that is given the caller, beside what Next.js gives it (`params`). */
export type PrincipalHandler<Incoming extends Request, Given> = (
  request: Incoming,
  context: Given & { readonly principal: Principal },
) => Response | Promise<Response>;

/** The route handler that answers callers who meet the demand by `handler`, and the others with 400, 401, 403 or 503. */
export function withPrincipal<Incoming extends Request, Given>(
  authenticator: Authenticator,
  demand: Demand,
  handler: PrincipalHandler<Incoming, Given>,
  options: AuthenticateOptions = {},
): (request: Incoming, context: Omit<Given, "principal">) => Promise<Response> {
  return async (request, given) => {
    const authentication = await authenticated(authenticator, request, options);
    if (!authentication.authenticated) return refusalResponse(authentication.refusal, request.method);
    const { principal } = authentication;
    const refusal = refusalBy(demand, principal);
    if (refusal) return refusalResponse(refusal, request.method);
    const context = { ...given, principal } as Given & { readonly principal: Principal };
    return handler(request, context);
  };
}

/**
 * The `proxy` of a proxy file: turns away whoever is not known, for pages and handlers alike. It does not hand on who it was, and it is a
 * fence, not the lock: what must not be reached by strangers has {@link withPrincipal} as well.
 */
export function requirePrincipal(
  authenticator: Authenticator,
  options: AuthenticateOptions = {},
): (request: Request) => Promise<Response | undefined> {
  return async (request) => {
    const authentication = await authenticated(authenticator, request, options);
    return authentication.authenticated ? undefined : refusalResponse(authentication.refusal, request.method);
  };
}

function authenticated(authenticator: Authenticator, request: Request, options: AuthenticateOptions): Promise<Authentication> {
  return authenticator.authenticate({ headers: request.headers, clientAddress: options.clientAddress?.(request) });
}
