/** Why a request is refused, and the answer that says so: RFC 9457 problem details, with an RFC 6750 challenge where a key is at issue. */
import { challengeOf, problemOf, RETRY_AFTER_S } from "../core/problem.ts";

/** Permissions that are asked for and not held: every one of `permissions`, or any one of them would do. */
export interface MissingPermissions {
  readonly permissions: readonly string[];
  readonly required: "all" | "any";
}

/** A refusal. All but `cause` is told to the client. */
export interface Refusal {
  readonly status: 400 | 401 | 403 | 503;
  /** Stable, for programs. */
  readonly code: string;
  readonly title: string;
  /** What the client can do about it. */
  readonly detail: string;
  /** Error code of the challenge (RFC 6750 section 3.1); "" is the bare one to a request without a credential. */
  readonly challenge?: "" | "invalid_request" | "invalid_token" | "insufficient_scope";
  readonly missing?: MissingPermissions;
  /** What it came from; for your log. It holds no secret. */
  readonly cause?: unknown;
}

/** An answer before it is put in the form of a framework. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Null for HEAD (RFC 9110 section 9.3.2). */
  readonly body: string | null;
}

/** The answer to a refused request of this method. */
export function answerOf(refusal: Refusal, method: string): Answer {
  const { status, missing } = refusal;
  const challenge = challengeOf(refusal, missing?.permissions);
  const problem = { ...problemOf(refusal), ...(missing && { missing_permissions: missing.permissions, required: missing.required }) };
  return {
    status,
    headers: {
      "Content-Type": "application/problem+json",
      "Cache-Control": "no-store",
      ...(challenge !== "" && { "WWW-Authenticate": challenge }),
      ...(status === 503 && { "Retry-After": RETRY_AFTER_S }),
    },
    body: method === "HEAD" ? null : JSON.stringify(problem),
  };
}

/** The same as a `Response`. */
export function refusalResponse(refusal: Refusal, method: string): Response {
  const { body, ...init } = answerOf(refusal, method);
  return new Response(body, init);
}
