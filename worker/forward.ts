/** Passing an allowed request on. Bodies stream both ways; redirects are the client's business. */
import type { Candidate } from "../core/edge/candidate.ts";
import type { Received } from "./candidate.ts";
import type { Cut } from "./decision-report.ts";
import { forwardedOf } from "./forwarded.ts";
import { RESPONSE_HEADERS_REMOVED, ruleOf } from "./header-rules.ts";
import { watchedResponse } from "./response-body.ts";
import { forgetSharing, ruleRequestHeaders, ruleResponseHeaders } from "./route-headers.ts";
import type { RoutePlan } from "./route-plan.ts";
import { UpstreamFault } from "./upstream-fault.ts";
import type { IdentityHeaders } from "./upstream-identity.ts";

/** Methods whose requests have no body to pass on (RFC 9110 section 9.3.1); the platform refuses to send one. */
const BODILESS: ReadonlySet<string> = new Set(["GET", "HEAD"]);
const SWITCHING_PROTOCOLS = 101;
/**
 * Past the platform's cache: without the caller's key in the request it would serve one caller's answer to another. This is what `cache: "no-store"`
 * tells the platform; that would tell the upstream as well, by headers that the client did not send, and that weigh on every request.
 */
const PAST_THE_CACHE: RequestInitCfProperties = { cacheTtl: -1, cacheLevel: "bypass" };

/** What an upstream gets, whichever it will be. */
export interface UpstreamRequest {
  readonly method: string;
  /** Path and query, to be put behind the upstream's URL. */
  readonly target: string;
  /** All but the body. */
  readonly init: RequestInit;
  readonly body: ReadableStream | null;
  /** Of the body, in bytes; undefined where the client did not say. */
  readonly length: number | undefined;
}

/** What the gateway adds to messages that pass. */
export interface Passage {
  readonly requestId: string;
  /** Its member of `Via`. */
  readonly via: string;
}

/**
 * The request an upstream gets, as `fetch` takes it: every object of the platform that is made on the way costs as much as all the work of
 * ours, so none is. Throws an {@link UpstreamFault} when its body announces that it is too large.
 */
export function upstreamRequest(
  { request, headers: sent }: Received,
  candidate: Candidate,
  plan: RoutePlan,
  identity: IdentityHeaders,
  passage: Passage,
): UpstreamRequest {
  const { method, path, search } = candidate;
  const headers = upstreamHeaders(sent, candidate, identity, passage);
  const body = BODILESS.has(method) ? null : request.body;
  const announced = headers["content-length"];
  const length = body && announced !== undefined ? Number(announced) : undefined;
  if (length !== undefined && plan.requestBytesMax !== undefined && length > plan.requestBytesMax)
    throw new UpstreamFault("request_too_large");
  if (plan.requestHeaders) ruleRequestHeaders(headers, plan.requestHeaders);
  const init: RequestInit = {
    method,
    headers,
    redirect: "manual",
    cf: PAST_THE_CACHE,
  };
  // What code reads of a body, or waits for the end of, would else be decoded, and encoded again for the client.
  if (plan.isRead) init.encodeResponseBody = "manual";
  return { method, target: path + search, init, body, length };
}

/**
 * The response the client gets. That of a WebSocket passes as it is. Throws an {@link UpstreamFault} when the upstream's is no final answer, or
 * announces a body that is too large; `wasCut` hears of what goes wrong later.
 */
export function clientResponse(upstream: Response, plan: RoutePlan, { requestId, via }: Passage, wasCut: (cut: Cut) => void): Response {
  const { status } = upstream;
  if (status === SWITCHING_PROTOCOLS) return upstream;
  if (status < 200) throw new UpstreamFault("upstream_invalid");
  const response = plan.watch ? watchedResponse(upstream, plan.watch, wasCut) : new Response(upstream.body, upstream);
  const { headers } = response;
  for (const name of RESPONSE_HEADERS_REMOVED) headers.delete(name);
  if (plan.responseHeaders) ruleResponseHeaders(headers, plan.responseHeaders);
  if (plan.isShared) forgetSharing(headers);
  headers.append("Via", via);
  headers.set("Portcullis-Request-Id", requestId);
  return response;
}

function upstreamHeaders(
  sent: Headers,
  { method, isHttps }: Candidate,
  identity: IdentityHeaders,
  { requestId, via }: Passage,
): Record<string, string> {
  const headers: Record<string, string> = { ...identity };
  const { host, address } = takeOver(sent, headers);
  headers["forwarded"] = forwardedOf(address, host, isHttps);
  if (address !== undefined) headers["x-forwarded-for"] = address;
  if (host !== undefined) headers["x-forwarded-host"] = host;
  headers["x-forwarded-proto"] = isHttps ? "https" : "http";
  headers["via"] = headers["via"] === undefined ? via : `${headers["via"]}, ${via}`;
  headers["portcullis-request-id"] = requestId;
  if (BODILESS.has(method)) delete headers["content-length"];
  return headers;
}

/**
 * Copies what passes, and finds what the gateway speaks of itself. Names are in lower case here, and what came several times has been joined.
 * By `forEach`: an iterator would be one more object of the platform.
 */
function takeOver(sent: Headers, headers: Record<string, string>): { readonly host?: string; readonly address?: string } {
  const found: { host?: string; address?: string } = {};
  sent.forEach((value, name) => {
    const rule = ruleOf(name);
    if (rule === "pass") headers[name] = value;
    else if (rule === "host") found.host = value;
    else if (rule === "cookie") headers[name] = cookiesOf(value);
    else if (rule === "address") headers[name] = found.address = value;
    else if (rule === "upgrade" && value.toLowerCase() === "websocket") headers[name] = value;
  });
  return found;
}

/** Where two Cookie headers were joined like any other list: a comma before what looks like a cookie (RFC 6265 section 4.2.1 has no other use for one). */
const JOINED = /, (?=[!#$%&'*+\-.^_`|~0-9A-Za-z]+=)/g;

/** Several Cookie headers as the one that servers understand (RFC 9113 section 8.2.3 for the same case). */
function cookiesOf(value: string): string {
  return value.includes(", ") ? value.replace(JOINED, "; ") : value;
}
