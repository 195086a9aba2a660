/**
 * Errors of the HTTP API, in the shapes WorkOS SDKs map to their exception classes: a JSON object with `message` always,
 * `code` mostly, `errors` on 422, and never a member called `error`.
 */
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { quoteId } from "../../core/identifier.ts";
import type { Refusal } from "../ledger/command.ts";

/** One field at fault. */
interface FieldError {
  readonly code: string;
  readonly field: string;
  readonly message: string;
}

/** An answer that is not a success. */
export class ApiError extends Error {
  readonly status: ContentfulStatusCode;
  readonly body: Record<string, unknown>;

  constructor(status: ContentfulStatusCode, code: string, message: string, more: Record<string, unknown> = {}) {
    super(message);
    this.status = status;
    this.body = { message, code, ...more };
  }
}

/** 422 with the fields at fault. */
export function invalid(errors: readonly FieldError[]): ApiError {
  return new ApiError(422, "invalid_request_parameters", "Validation failed.", { errors });
}

/** 404 for an entity. */
export function notFound(kind: string, id: string): ApiError {
  return new ApiError(404, "entity_not_found", `${kind} not found: ${quoteId(id)}.`);
}

const REFUSAL_STATUS: Readonly<Record<Refusal["code"], ContentfulStatusCode>> = {
  entity_not_found: 404,
  already_exists: 409,
  already_bootstrapped: 409,
  api_key_already_expired: 409,
  version_conflict: 409,
  permission_not_assignable: 422,
  insufficient_permissions: 403,
  last_holder_of_permission: 409,
  membership_not_active: 422,
  invalid_expiry: 422,
  idempotency_key_reused: 422,
  not_yet_effective: 503,
};

/** A ledger's refusal as an answer; `codes` renames codes where an endpoint has its own word. */
export function refused(refusal: Refusal, codes: Partial<Record<Refusal["code"], string>> = {}): ApiError {
  const status = REFUSAL_STATUS[refusal.code];
  const code = codes[refusal.code] ?? refusal.code;
  if (status !== 422) return new ApiError(status, code, refusal.message);
  return new ApiError(422, code, refusal.message, { errors: [{ code, field: refusal.field ?? "", message: refusal.message }] });
}
