/** What a route does to headers on their way, and what it lets web pages see. Its rules were judged when it was published. */
import { permitsOrigin, type PreparedCors } from "../core/cors.ts";
import type { Preflighted } from "../core/edge/request.ts";
import { headerAsRead, type PreparedHeaderRules } from "../core/header-rule.ts";

/** Headers of the CORS protocol on answers: on a route with `cors` the gateway says them, not the upstream. */
const CORS_HEADERS = [
  "Access-Control-Allow-Origin",
  "Access-Control-Allow-Credentials",
  "Access-Control-Allow-Headers",
  "Access-Control-Allow-Methods",
  "Access-Control-Allow-Private-Network",
  "Access-Control-Expose-Headers",
  "Access-Control-Max-Age",
] as const;

/** The headers an upstream gets, by names in lower case. Also what CGI-like servers would take for a header that a rule names is gone. */
export function ruledRequestHeaders(
  headers: Readonly<Record<string, string>>,
  { replaced, set }: PreparedHeaderRules,
): Record<string, string> {
  const kept = Object.entries(headers).filter(([name]) => !replaced.has(headerAsRead(name)));
  return Object.fromEntries([...kept, ...set]);
}

/** Changes the headers of an upstream's answer. */
export function ruleResponseHeaders(headers: Headers, { replaced, set }: PreparedHeaderRules): void {
  for (const name of headers.keys()) if (replaced.has(headerAsRead(name))) headers.delete(name);
  for (const [name, value] of set) headers.set(name, value);
}

/** The answer to a preflight, but for {@link shareWithPages}, as with any answer. */
export function preflightResponse({ route }: Preflighted, requestId: string): Response {
  const headers = new Headers({ "Portcullis-Request-Id": requestId });
  for (const [name, value] of route.prepared.cors?.ofPreflight ?? []) headers.set(name, value);
  return new Response(null, { status: 204, headers });
}

/** Lets pages of allowed origins read an answer of a route with `cors`, be it the upstream's or a refusal; pages of no other origin. */
export function shareWithPages(headers: Headers, cors: PreparedCors, origin: string | null): void {
  // Where origins are listed the answer depends on the origin, also for who sends none: caches must know.
  if (cors.origins !== undefined) headers.append("Vary", "Origin");
  if (origin === null || !permitsOrigin(cors, origin)) return;
  headers.set("Access-Control-Allow-Origin", cors.origins === undefined ? "*" : origin);
  for (const [name, value] of cors.ofAnswer) headers.set(name, value);
}

/** Takes out what an upstream says of its own accord on a route with `cors`. */
export function forgetSharing(headers: Headers): void {
  for (const name of CORS_HEADERS) headers.delete(name);
}
