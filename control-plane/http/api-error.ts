/**
 * Errors of the HTTP API, in the shapes WorkOS SDKs map to their exception classes: a JSON object with `message` and `code`
 * always, `errors` on 422, and never a member called `error`.
 */
import { quoteId } from "../../core/identifier.ts";
import type { Actor, Refusal } from "../ledger/command.ts";
import type { Denial } from "../ledger/denials.ts";
import { ERRORS, type ErrorCode } from "./error-catalogue.ts";

/** One field at fault. */
export interface FieldError {
  readonly code: string;
  readonly field: string;
  readonly message: string;
}

/** An answer that is not a success; its status is the catalogue's. `headers` are those of this one answer. */
export class ApiError extends Error {
  readonly code: ErrorCode;
  readonly body: Record<string, unknown>;
  readonly headers: Readonly<Record<string, string>>;

  constructor(code: ErrorCode, message: string, more: Record<string, unknown> = {}, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.headers = headers;
    this.code = code;
    this.body = { message, code, ...more };
  }

  get status(): (typeof ERRORS)[ErrorCode]["status"] {
    return ERRORS[this.code].status;
  }
}

/** A refusal to a caller who is known. It goes on record. */
export class DeniedError extends ApiError {
  readonly actor: Actor;
  /** Whether the door did not let the caller in, or the ledger refused the command. */
  readonly kind: Denial["type"];

  constructor(actor: Actor, kind: Denial["type"], code: ErrorCode, message: string, more: Record<string, unknown> = {}) {
    super(code, message, more);
    this.actor = actor;
    this.kind = kind;
  }
}

/** 422 with the fields at fault. */
export function invalid(errors: readonly FieldError[]): ApiError {
  return new ApiError("invalid_request_parameters", "Validation failed.", { errors });
}

/** 400 for a range of time that ends before it begins; `errors` is what the WorkOS SDKs need to tell it from a failure. */
export function reversedRange(): ApiError {
  const message = "range_start must not be after range_end: there is nothing between them.";
  return new ApiError("invalid_range", message, { errors: [{ code: "invalid_range", field: "range_start", message }] });
}

/** 404 for an entity. */
export function notFound(kind: string, id: string): ApiError {
  return new ApiError("entity_not_found", `${kind} not found: ${quoteId(id)}.`);
}

/** The answer to whoever is nobody. */
export function unauthorized(): ApiError {
  return new ApiError("unauthorized", "Unauthorized");
}

/** A ledger's refusal of an actor's command as an answer; `codes` renames codes where an endpoint has its own word. */
export function refused(refusal: Refusal, actor: Actor, codes: Partial<Record<Refusal["code"], ErrorCode>> = {}): ApiError {
  const code = codes[refusal.code] ?? refusal.code;
  const { message } = refusal;
  const { violation } = refusal;
  const more = {
    ...(ERRORS[code].status === 422 && { errors: [{ code, field: refusal.field ?? "", message }] }),
    ...(violation && { policy: { field: violation.field, limit: violation.limit } }),
  };
  // What is committed, or not decided, has not been refused.
  return ERRORS[code].status === 503 ? new ApiError(code, message) : new DeniedError(actor, "command.refused", code, message, more);
}
