/** Passing an allowed request on. Bodies stream both ways; redirects are the client's business. */
import type { Candidate } from "../core/edge/candidate.ts";
import type { PreparedRoute } from "../core/prepared-route.ts";
import { passesUpstream, RESPONSE_HEADERS_REMOVED, VIA } from "./header-rules.ts";
import { ruledRequestHeaders } from "./route-headers.ts";
import type { IdentityHeaders } from "./upstream-identity.ts";

/** Methods that may be sent again when the connection broke (RFC 9110 section 9.2.2) and that have no body to lose. */
const REPEATABLE: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"]);
/** Methods whose requests have no body to pass on (RFC 9110 section 9.3.1); the platform refuses to send one. */
const BODILESS: ReadonlySet<string> = new Set(["GET", "HEAD"]);
const SWITCHING_PROTOCOLS = 101;

/** What the upstream gets. */
export interface UpstreamRequest {
  readonly url: string;
  readonly init: RequestInit;
}

/**
 * The request the upstream gets, as `fetch` takes it: every object of the platform that is made on the way costs as much as all
 * the work of ours, so none is.
 */
export function upstreamRequest(
  request: Request,
  candidate: Candidate,
  route: PreparedRoute,
  identity: IdentityHeaders,
  requestId: string,
): UpstreamRequest {
  const { method, path, search } = candidate;
  const { requestHeaders: rules } = route.prepared;
  const headers = upstreamHeaders(request, candidate, identity, requestId);
  const init: RequestInit = {
    method,
    headers: rules ? ruledRequestHeaders(headers, rules) : headers,
    redirect: "manual",
    // Past the platform's cache: without the caller's key in the request it would serve one caller's answer to another.
    cache: "no-store",
  };
  if (!BODILESS.has(method)) init.body = request.body;
  return { url: route.upstream + path + search, init };
}

/** Towards the upstream. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/**
 * Sends the request; once more if the connection broke and nothing can have been lost: an upstream that closes a kept-alive
 * connection at the wrong moment is not the client's business. Rejects when there is no answer.
 */
export async function send({ url, init }: UpstreamRequest, method: string, fetch: Fetch): Promise<Response> {
  if (!REPEATABLE.has(method) || init.body) return fetch(url, init);
  try {
    return await fetch(url, init);
  } catch {
    return fetch(url, init);
  }
}

/** The response the client gets, or undefined when the upstream's is no final answer. That of a WebSocket passes as it is. */
export function clientResponse(upstream: Response, requestId: string): Response | undefined {
  const { status } = upstream;
  if (status < 200) return status === SWITCHING_PROTOCOLS ? upstream : undefined;
  const response = new Response(upstream.body, upstream);
  const { headers } = response;
  for (const name of RESPONSE_HEADERS_REMOVED) headers.delete(name);
  headers.set("Portcullis-Request-Id", requestId);
  return response;
}

function upstreamHeaders(
  request: Request,
  { method, isHttps }: Candidate,
  identity: IdentityHeaders,
  requestId: string,
): Record<string, string> {
  const headers: Record<string, string> = { ...identity };
  headers["x-forwarded-proto"] = isHttps ? "https" : "http";
  headers["portcullis-request-id"] = requestId;
  // Names are in lower case here, and what came several times has been joined.
  request.headers.forEach((value, name) => {
    if (passesUpstream(name)) headers[name] = value;
    else if (name === "host") headers["x-forwarded-host"] = value;
    else if (name === "upgrade" && value.toLowerCase() === "websocket") headers["upgrade"] = value;
    // The platform's own word; it passes as it is, too.
    if (name === "cf-connecting-ip") headers["x-forwarded-for"] = value;
  });
  headers["via"] = headers["via"] === undefined ? VIA : `${headers["via"]}, ${VIA}`;
  if (BODILESS.has(method)) delete headers["content-length"];
  return headers;
}
