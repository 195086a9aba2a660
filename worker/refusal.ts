/** The answer to a refused request: RFC 9457 problem details, with an RFC 6750 challenge where a key is at issue. */
import type { MissingPermissions } from "../core/authorize.ts";
import { TOLD, type Reason, type Told } from "../core/reason.ts";

/** Name of the protection space in challenges (RFC 9110 section 11.5). */
const REALM = "portcullis";
const RETRY_AFTER_S = "1";

/** What a refusal says beyond its reason. */
interface RefusalContext {
  readonly requestId: string;
  readonly method: string;
  /** On 403. */
  readonly missing?: MissingPermissions | undefined;
  readonly excluded?: readonly string[] | undefined;
}

/** What is the same each time. */
interface Prepared {
  readonly status: number;
  /** The problem as JSON text, up to where the request's own members begin. */
  readonly bodyHead: string;
  /** The platform copies these faster than it reads the same from a plain object. */
  readonly headers: Headers;
  readonly challenge: string;
}

/** Made once: refusing must cost next to nothing. */
const PREPARED = Object.fromEntries(Object.entries(TOLD).map(([reason, told]) => [reason, prepare(told)])) as Record<Reason, Prepared>;

/** The response for a refusal. `HEAD` gets no body (RFC 9110 section 9.3.2). */
export function refusalResponse(reason: Reason, context: RefusalContext): Response {
  const { status, bodyHead, headers, challenge } = PREPARED[reason];
  const body =
    context.method === "HEAD"
      ? null
      : `${bodyHead},"request_id":"${context.requestId}"${missingMembers(context.missing)}${excludedMember(context.excluded)}}`;
  const response = new Response(body, { status, headers });
  response.headers.set("Portcullis-Request-Id", context.requestId);
  if (context.missing) response.headers.set("WWW-Authenticate", `${challenge}, scope="${context.missing.permissions.join(" ")}"`);
  return response;
}

function prepare(told: Told): Prepared {
  const problem = {
    type: `urn:portcullis:problem:${told.code}`,
    title: told.title,
    status: told.status,
    detail: told.detail,
    code: told.code,
  };
  const headers = new Headers({ "Content-Type": "application/problem+json", "Cache-Control": "no-store" });
  const challenge = told.challenge === undefined ? "" : challengeOf(told.challenge, told.title);
  if (challenge !== "") headers.set("WWW-Authenticate", challenge);
  if (told.status === 503) headers.set("Retry-After", RETRY_AFTER_S);
  return { status: told.status, bodyHead: JSON.stringify(problem).slice(0, -1), headers, challenge };
}

/** RFC 6750 section 3: no error code where there was no credential. */
function challengeOf(code: string, description: string): string {
  return code === "" ? `Bearer realm="${REALM}"` : `Bearer realm="${REALM}", error="${code}", error_description="${description}"`;
}

/** `required` says whether all of the missing permissions are needed or any one of them. */
function missingMembers(missing: MissingPermissions | undefined): string {
  return missing ? `,"missing_permissions":${JSON.stringify(missing.permissions)},"required":"${missing.any ? "any" : "all"}"` : "";
}

function excludedMember(excluded: readonly string[] | undefined): string {
  return excluded ? `,"excluded_permissions":${JSON.stringify(excluded)}` : "";
}
