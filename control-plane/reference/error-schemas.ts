/** Schemas of the catalogued errors, one for each code. */
import { UNLIMITED } from "../../core/api-key-policy.ts";
import { ERRORS, type ErrorCode } from "../http/error-catalogue.ts";
import type { JsonSchema } from "./json-schemas.ts";

/** `ApiKeyAlreadyExpiredError` for `api_key_already_expired`. */
export function errorSchemaName(code: ErrorCode): string {
  return `${code.replaceAll(/(?:^|_)([a-z])/g, (_, letter: string) => letter.toUpperCase())}Error`;
}

/** By name. Errors of 422, of a range and of audit events name the fields at fault. */
export function errorSchemas(): Record<string, JsonSchema> {
  return Object.fromEntries(Object.keys(ERRORS).map((code) => [errorSchemaName(code as ErrorCode), errorSchema(code as ErrorCode)]));
}

function errorSchema(code: ErrorCode): JsonSchema {
  const { status, meaning, remedy } = ERRORS[code];
  const isFieldError = status === 422 || code === "invalid_range" || code === "invalid_audit_log_event";
  return {
    description: `${meaning} ${remedy}`,
    type: "object",
    properties: {
      message: { type: "string", description: "For people." },
      code: { const: code },
      ...(isFieldError && { errors: { type: "array", items: FIELD_ERROR } }),
      ...(code === "api_key_policy_violated" && { policy: POLICY }),
      ...(code === "insufficient_permissions" && { missing_permissions: { type: "array", items: { type: "string" } } }),
    },
    required: ["message", "code", ...(isFieldError ? ["errors"] : [])],
    additionalProperties: false,
  };
}

const FIELD_ERROR: JsonSchema = {
  type: "object",
  properties: {
    code: { type: "string" },
    field: { type: "string", description: "Path of a member of the body, or name of a parameter or header." },
    message: { type: "string" },
  },
  required: ["code", "field", "message"],
  additionalProperties: false,
};

const POLICY: JsonSchema = {
  type: "object",
  properties: {
    field: { enum: Object.keys(UNLIMITED) },
    limit: { description: "What the policy has in that field; of several rules, the one." },
  },
  required: ["field", "limit"],
  additionalProperties: false,
};
