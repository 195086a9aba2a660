/** Passing an accepted request on. Bodies stream both ways; redirects are the client's business. */
import type { ActiveRecord } from "../core/record.ts";
import type { Route } from "../core/route.ts";
import { IDENTITY_HEADER_PREFIX, REQUEST_HEADERS_REMOVED, RESPONSE_HEADERS_REMOVED, VIA } from "./header-rules.ts";

/** An accepted request. `path` is the normalised path that the route was matched on. */
export interface Accepted {
  readonly request: Request;
  readonly route: Route;
  readonly path: string;
  /** Query string with its "?", or empty. */
  readonly search: string;
  /** Whose key it was; null on a public route without one. */
  readonly record: ActiveRecord | null;
  readonly requestId: string;
}

/** The request the upstream gets. */
export function upstreamRequest(accepted: Accepted): Request {
  const { request, route, path, search } = accepted;
  return new Request(route.upstream + path + search, {
    method: request.method,
    headers: requestHeaders(accepted),
    body: request.body,
    redirect: "manual",
  });
}

/** The response the client gets, or undefined when the upstream's is no final answer. */
export function clientResponse(upstream: Response, requestId: string): Response | undefined {
  if (upstream.status < 200 && upstream.status !== 101) return undefined;
  if (upstream.status === 101) return upstream;
  const response = new Response(upstream.body, upstream);
  for (const name of RESPONSE_HEADERS_REMOVED) response.headers.delete(name);
  response.headers.append("Via", VIA);
  response.headers.set("Portcullis-Request-Id", requestId);
  return response;
}

function requestHeaders({ request, record, requestId }: Accepted): Headers {
  const headers = new Headers(request.headers);
  const client = headers.get("cf-connecting-ip");
  const host = headers.get("host");
  for (const name of REQUEST_HEADERS_REMOVED) headers.delete(name);
  const claimed = Array.from(headers.keys()).filter((name) => name.startsWith(IDENTITY_HEADER_PREFIX));
  for (const name of claimed) headers.delete(name);
  if (record) headers.delete("authorization");
  headers.append("Via", VIA);
  if (client !== null) headers.set("X-Forwarded-For", client);
  if (host !== null) headers.set("X-Forwarded-Host", host);
  headers.set("X-Forwarded-Proto", request.url.startsWith("https:") ? "https" : "http");
  headers.set("Portcullis-Request-Id", requestId);
  if (record) identify(headers, record);
  return headers;
}

function identify(headers: Headers, record: ActiveRecord): void {
  headers.set("Portcullis-Key-Id", record.key_id);
  headers.set("Portcullis-Environment", record.environment);
  headers.set("Portcullis-Organization-Id", record.owner.type === "user" ? record.owner.organization_id : record.owner.id);
  if (record.owner.type === "user") headers.set("Portcullis-User-Id", record.owner.id);
  headers.set("Portcullis-Permissions", record.permissions.join(" "));
}
