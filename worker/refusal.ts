/**
 * The answer to a refused request: RFC 9457 problem details, with an RFC 6750 challenge where a key is at issue, and an RFC 9209
 * Proxy-Status, by which it can be told from the upstream's own errors.
 */
import type { MissingPermissions } from "../core/authorize.ts";
import type { LimitReport } from "../core/limits/headers.ts";
import { challengeOf, problemOf, RETRY_AFTER_S } from "../core/problem.ts";
import { TOLD, type ProxyError, type Reason, type Told } from "../core/reason.ts";

/** Name of the gateway in Proxy-Status. */
const PROXY = "portcullis";

/** What a refusal says beyond its reason. */
interface RefusalContext {
  readonly requestId: string;
  readonly method: string;
  /** On 403. */
  readonly missing?: MissingPermissions | undefined;
  /** On 429. */
  readonly limits?: LimitReport | undefined;
  readonly excluded?: readonly string[] | undefined;
}

/** What is the same each time. */
interface Prepared {
  /** The problem as JSON text, up to where the request's own members begin. */
  readonly bodyHead: string;
  /** Status and headers: the platform copies another response's faster than it reads the same from a plain object. */
  readonly head: Response;
  /** Those of `head`: to look them up there makes another object of the platform. */
  readonly headers: Headers;
}

/** Made once: refusing must cost next to nothing. */
const PREPARED = Object.fromEntries(Object.entries(TOLD).map(([reason, told]) => [reason, prepare(told)])) as Record<Reason, Prepared>;

/** The response for a refusal. `HEAD` gets no body (RFC 9110 section 9.3.2). */
export function refusalResponse(reason: Reason, context: RefusalContext): Response {
  const { bodyHead, head, headers } = PREPARED[reason];
  const body =
    context.method === "HEAD"
      ? null
      : `${bodyHead},"request_id":"${context.requestId}"${missingMembers(context.missing)}${excludedMember(context.excluded)}${violatedMember(context.limits)}}`;
  // Set before they are copied: a look at a response's own headers makes another object of the platform.
  headers.set("Portcullis-Request-Id", context.requestId);
  const response = new Response(body, head);
  if (context.missing) response.headers.set("WWW-Authenticate", challengeOf(TOLD.insufficient_scope, context.missing.permissions));
  if (context.limits) for (const [name, value] of Object.entries(context.limits.headers)) response.headers.set(name, value);
  return response;
}

function prepare(told: Told): Prepared {
  const headers = new Headers({ "Content-Type": "application/problem+json", "Cache-Control": "no-store" });
  const challenge = challengeOf(told);
  if (challenge !== "") headers.set("WWW-Authenticate", challenge);
  if (told.allow !== undefined) headers.set("Allow", told.allow);
  if (told.status === 503) headers.set("Retry-After", RETRY_AFTER_S);
  headers.set("Proxy-Status", `${PROXY};error=${told.proxyError ?? proxyErrorOf(told.status)};details="${told.code}"`);
  const head = new Response(null, { status: told.status, headers });
  return { bodyHead: JSON.stringify(problemOf(told)).slice(0, -1), head, headers: head.headers };
}

/** RFC 9209 section 2.3: all answers that are the gateway's own say so, and why. */
function proxyErrorOf(status: Told["status"]): ProxyError {
  if (status >= 500) return "proxy_internal_error";
  return status === 401 || status === 403 ? "http_request_denied" : "http_request_error";
}

/** `required` says whether all of the missing permissions are needed or any one of them. */
function missingMembers(missing: MissingPermissions | undefined): string {
  return missing ? `,"missing_permissions":${JSON.stringify(missing.permissions)},"required":"${missing.any ? "any" : "all"}"` : "";
}

/** As draft-ietf-httpapi-ratelimit-headers-11 section 5.1 names it. */
function violatedMember(limits: LimitReport | undefined): string {
  return limits ? `,"violated-policies":${JSON.stringify(limits.violated)}` : "";
}

function excludedMember(excluded: readonly string[] | undefined): string {
  return excluded ? `,"excluded_permissions":${JSON.stringify(excluded)}` : "";
}
