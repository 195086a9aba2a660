/** Passing an allowed request on. Bodies stream both ways; redirects are the client's business. */
import type { ActiveRecord } from "../core/record.ts";
import type { Allowed } from "../core/edge/request.ts";
import { passesUpstream, RESPONSE_HEADERS_REMOVED, VIA } from "./header-rules.ts";

/** Methods that may be sent again when the connection broke (RFC 9110 section 9.2.2) and that have no body to lose. */
const REPEATABLE: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"]);
/** Methods whose requests have no body to pass on (RFC 9110 section 9.3.1); the platform refuses to send one. */
const BODILESS: ReadonlySet<string> = new Set(["GET", "HEAD"]);
const SWITCHING_PROTOCOLS = 101;

/** The request the upstream gets. */
export function upstreamRequest(request: Request, allowed: Allowed, requestId: string): Request {
  return new Request(allowed.route.upstream + allowed.path + allowed.search, {
    method: request.method,
    headers: upstreamHeaders(request, allowed.record, requestId),
    body: BODILESS.has(request.method) ? null : request.body,
    redirect: "manual",
    // Past the platform's cache: without the caller's key in the request it would serve one caller's answer to another.
    cache: "no-store",
  });
}

/**
 * Sends the request; once more if the connection broke and nothing can have been lost: an upstream that closes a kept-alive
 * connection at the wrong moment is not the client's business. Rejects when there is no answer.
 */
export async function send(request: Request, fetch: (request: Request) => Promise<Response>): Promise<Response> {
  if (!REPEATABLE.has(request.method) || request.body !== null) return fetch(request);
  try {
    return await fetch(request);
  } catch {
    return fetch(request);
  }
}

/** The response the client gets, or undefined when the upstream's is no final answer. That of a WebSocket passes as it is. */
export function clientResponse(upstream: Response, requestId: string): Response | undefined {
  if (upstream.status === SWITCHING_PROTOCOLS) return upstream;
  if (upstream.status < 200) return undefined;
  const response = new Response(upstream.body, upstream);
  for (const name of RESPONSE_HEADERS_REMOVED) response.headers.delete(name);
  response.headers.append("Via", VIA);
  response.headers.set("Portcullis-Request-Id", requestId);
  return response;
}

function upstreamHeaders(request: Request, record: ActiveRecord | undefined, requestId: string): Headers {
  const headers = new Headers();
  for (const [name, value] of request.headers) if (passesUpstream(name)) headers.append(name, value);
  if (BODILESS.has(request.method)) headers.delete("Content-Length");
  if (request.headers.get("upgrade")?.toLowerCase() === "websocket") headers.set("Upgrade", "websocket");
  headers.append("Via", VIA);
  describeClient(headers, request);
  headers.set("Portcullis-Request-Id", requestId);
  if (record) identify(headers, record);
  return headers;
}

/** Where the request came from, in place of anything the client said about it. */
function describeClient(headers: Headers, request: Request): void {
  const address = request.headers.get("cf-connecting-ip");
  const host = request.headers.get("host");
  if (address !== null) headers.set("X-Forwarded-For", address);
  if (host !== null) headers.set("X-Forwarded-Host", host);
  headers.set("X-Forwarded-Proto", request.url.startsWith("https:") ? "https" : "http");
}

/** Who is calling, and what they may do. */
function identify(headers: Headers, record: ActiveRecord): void {
  const { owner } = record;
  headers.set("Portcullis-Key-Id", record.key_id);
  headers.set("Portcullis-Environment", record.environment);
  headers.set("Portcullis-Organization-Id", organizationOf(record));
  if (owner.type === "user") headers.set("Portcullis-User-Id", owner.id);
  headers.set("Portcullis-Permissions", record.permissions.join(" "));
}

/** The organization a key belongs to, its own or its user's. */
export function organizationOf({ owner }: ActiveRecord): string {
  return owner.type === "user" ? owner.organization_id : owner.id;
}
