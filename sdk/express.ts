/** Middleware for Express, and for anything else that takes `(request, response, next)` of Node's http. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { ASSERTION_HEADER } from "../core/assertion.ts";
import type { Authenticator } from "./authenticator.ts";
import { demandOf, refusalBy, type Demand, type Permissions } from "./demand.ts";
import type { Principal } from "./principal.ts";
import { answerOf, type Refusal } from "./refusal.ts";

/** A middleware. */
export type Middleware<Request extends IncomingMessage = IncomingMessage> = (
  request: Request,
  response: ServerResponse,
  next: (error?: unknown) => void,
) => void;

/** Options of {@link authenticate}. */
export interface AuthenticateOptions<Request extends IncomingMessage> {
  /** The client's network address (see `IncomingRequest`), as in `(request) => request.ip` once `trust proxy` is right. */
  readonly clientAddress?: (request: Request) => string | undefined;
}

const principals = new WeakMap<IncomingMessage, Principal>();
const HEADERS_READ: ReadonlySet<string> = new Set([ASSERTION_HEADER, "authorization", "x-api-key"]);

/** Lets requests pass whose caller is known, for {@link principalOf}; answers the others with 400, 401 or 503. */
export function authenticate<Request extends IncomingMessage>(
  authenticator: Authenticator,
  { clientAddress }: AuthenticateOptions<Request> = {},
): Middleware<Request> {
  return (request, response, next) => {
    authenticator.authenticate({ headers: headersOf(request), clientAddress: clientAddress?.(request) }).then((authentication) => {
      if (!authentication.authenticated) return refuse(response, authentication.refusal, request.method);
      principals.set(request, authentication.principal);
      return next();
    }, next);
  };
}

/** Whom the request is from. Throws where {@link authenticate} did not come first. */
export function principalOf(request: IncomingMessage): Principal {
  const principal = principals.get(request);
  if (!principal) throw new Error("This request was not authenticated: put authenticate(…) before this handler.");
  return principal;
}

/** Lets requests pass whose caller holds all of these permissions; answers the others with 403. Comes after {@link authenticate}. */
export function requirePermission(...permissions: Permissions): Middleware {
  return demanding(demandOf(permissions, "all"));
}

/** Lets requests pass whose caller holds at least one of these permissions; answers the others with 403. Comes after {@link authenticate}. */
export function requireAnyPermission(...permissions: Permissions): Middleware {
  return demanding(demandOf(permissions, "any"));
}

function demanding(demand: Demand): Middleware {
  return (request, response, next) => {
    const refusal = refusalBy(demand, principalOf(request));
    if (refusal) refuse(response, refusal, request.method);
    else next();
  };
}

/** The headers as they came: Node keeps only the first of two Authorization headers, and two keys are not one. */
function headersOf({ rawHeaders }: IncomingMessage): Headers {
  const headers = new Headers();
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]?.toLowerCase() ?? "";
    if (HEADERS_READ.has(name)) headers.append(name, rawHeaders[at + 1] ?? "");
  }
  return headers;
}

function refuse(response: ServerResponse, refusal: Refusal, method = "GET"): void {
  const { status, headers, body } = answerOf(refusal, method);
  response.writeHead(status, headers).end(body);
}
