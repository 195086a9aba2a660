/** Middleware for Hono, on every platform that Hono runs on. */
import type { Context, MiddlewareHandler } from "hono";
import type { Authenticator } from "./authenticator.ts";
import { demandOf, refusalBy, type Demand, type Permissions } from "./demand.ts";
import type { Principal } from "./principal.ts";
import { refusalResponse } from "./refusal.ts";

/** What {@link authenticate} adds to the context: `c.get("principal")`. */
export interface PrincipalEnv {
  readonly Variables: { readonly principal: Principal };
}

/** Options of {@link authenticate}. */
export interface AuthenticateOptions {
  /** The client's network address (see `IncomingRequest`). */
  readonly clientAddress?: (c: Context) => string | undefined;
}

/** Lets requests pass whose caller is known, as `c.get("principal")`; answers the others with 400, 401 or 503. */
export function authenticate(authenticator: Authenticator, { clientAddress }: AuthenticateOptions = {}): MiddlewareHandler<PrincipalEnv> {
  return async (c, next) => {
    const authentication = await authenticator.authenticate({ headers: c.req.raw.headers, clientAddress: clientAddress?.(c) });
    if (!authentication.authenticated) return refusalResponse(authentication.refusal, c.req.method);
    c.set("principal", authentication.principal);
    return next();
  };
}

/** Lets requests pass whose caller holds all of these permissions; answers the others with 403. Comes after {@link authenticate}. */
export function requirePermission(...permissions: Permissions): MiddlewareHandler<PrincipalEnv> {
  return demanding(demandOf(permissions, "all"));
}

/** Lets requests pass whose caller holds at least one of these permissions; answers the others with 403. Comes after {@link authenticate}. */
export function requireAnyPermission(...permissions: Permissions): MiddlewareHandler<PrincipalEnv> {
  return demanding(demandOf(permissions, "any"));
}

function demanding(demand: Demand): MiddlewareHandler<PrincipalEnv> {
  return async (c, next) => {
    const principal: Principal | undefined = c.get("principal");
    if (!principal) throw new Error("This request was not authenticated: put authenticate(…) before this handler.");
    const refusal = refusalBy(demand, principal);
    return refusal ? refusalResponse(refusal, c.req.method) : next();
  };
}
