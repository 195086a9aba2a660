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

/** Changes the headers an upstream gets, by names in lower case. Also what CGI-like servers would take for a header that a rule names goes. */
export function ruleRequestHeaders(headers: Record<string, string>, { replaced, set }: PreparedHeaderRules): void {
  for (const name of Object.keys(headers)) if (replaced.has(asRead(name))) delete headers[name];
  for (const [name, value] of set) headers[name] = value;
}

/** Changes the headers of an upstream's answer. */
export function ruleResponseHeaders(headers: Headers, { replaced, set }: PreparedHeaderRules): void {
  // Clients tell names apart, so there is nothing to be looked for.
  for (const name of replaced) headers.delete(name);
  for (const [name, value] of set) headers.set(name, value);
}

/** How names are read that came with requests; the same few come each time. */
const read = new Map<string, string>();
const READ_MAX = 1_000;

function asRead(name: string): string {
  const known = read.get(name);
  if (known !== undefined) return known;
  const found = headerAsRead(name);
  if (read.size < READ_MAX) read.set(name, found);
  return found;
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
