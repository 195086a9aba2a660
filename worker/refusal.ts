/** The answer to a refused request: RFC 9457 problem details, with an RFC 6750 challenge where a key is at issue. */
import { TOLD, type Reason, type Told } from "../core/reason.ts";

/** Name of the protection space in challenges (RFC 9110 section 11.5). */
const REALM = "portcullis";

/** What a refusal says beyond its reason. */
export interface RefusalContext {
  readonly requestId: string;
  readonly method: string;
  /** Permissions that were missing, on 403; `any`: one of them would do. */
  readonly missing?: readonly string[];
  readonly any?: boolean;
}

interface Prepared {
  readonly bodyHead: string;
  readonly headers: readonly (readonly [string, string])[];
}

/** Everything that is the same each time, made once: refusing must cost next to nothing. */
const PREPARED = Object.fromEntries(Object.entries(TOLD).map(([reason, told]) => [reason, prepare(told)])) as Record<Reason, Prepared>;

/** The response for a refusal. */
export function refusalResponse(reason: Reason, context: RefusalContext): Response {
  const { bodyHead, headers } = PREPARED[reason];
  const all: [string, string][] = [
    ...headers.map(([name, value]): [string, string] => [name, value]),
    ["Portcullis-Request-Id", context.requestId],
  ];
  if (context.missing) all.push(["WWW-Authenticate", scopeChallenge(context.missing)]);
  const body = context.method === "HEAD" ? null : bodyHead + tail(context);
  return new Response(body, { status: TOLD[reason].status, headers: all });
}

function prepare(told: Told): Prepared {
  const body = { type: "about:blank", title: told.title, status: told.status, code: told.code, detail: told.detail };
  const headers: [string, string][] = [
    ["Content-Type", "application/problem+json"],
    ["Cache-Control", "no-store"],
  ];
  if (told.challenge === "") headers.push(["WWW-Authenticate", `Bearer realm="${REALM}"`]);
  else if (told.challenge !== undefined && told.challenge !== "insufficient_scope")
    headers.push(["WWW-Authenticate", `Bearer realm="${REALM}", error="${told.challenge}", error_description="${told.title}"`]);
  if (told.status === 503) headers.push(["Retry-After", "1"]);
  return { bodyHead: JSON.stringify(body).slice(0, -1), headers };
}

function tail(context: RefusalContext): string {
  const missing = context.missing
    ? `,"missing_permissions":${JSON.stringify(context.missing)},"required":"${context.any ? "any" : "all"}"`
    : "";
  return `,"request_id":"${context.requestId}"${missing}}`;
}

function scopeChallenge(missing: readonly string[]): string {
  return `Bearer realm="${REALM}", error="insufficient_scope", scope="${missing.join(" ")}"`;
}
