/** The errors an endpoint can answer: those its declaration names, and those that follow from the rest of it. */
import { isServedScope } from "../../core/widget.ts";
import type { Endpoint } from "../http/endpoint.ts";
import type { ErrorCode } from "../http/error-catalogue.ts";
import { ERRORS } from "../http/error-catalogue.ts";
import { hasRange } from "../http/query.ts";

const OF_ANY_BODY: readonly ErrorCode[] = [
  "bad_request",
  "body_too_large",
  "unsupported_media_type",
  "invalid_request_parameters",
  "idempotency_key_reused",
];

const OF_ANY_CALLER: readonly ErrorCode[] = ["rate_limit_exceeded", "internal_error", "temporarily_unavailable"];

/** Codes, by status and then by name. */
export function errorsOf({ access, method, path, query, errors = [] }: Endpoint): ErrorCode[] {
  const codes = new Set<ErrorCode>(errors);
  if (access !== "public") for (const code of OF_ANY_CALLER) codes.add(code);
  if (access !== "public" && !isServedScope(access)) codes.add("unauthorized");
  if (access.startsWith("portcullis:") || access === "any_platform_key")
    for (const code of ["insufficient_permissions", "identity_provider_unreachable"] as const) codes.add(code);
  if (isServedScope(access)) for (const code of ["insufficient_permissions", "widget_token_refused"] as const) codes.add(code);
  if (path.includes("/:")) codes.add("entity_not_found");
  if (query) codes.add("invalid_request_parameters");
  if (query && hasRange(query)) codes.add("invalid_range");
  if (method !== "GET") for (const code of OF_ANY_BODY) codes.add(code);
  return [...codes].toSorted((a, b) => ERRORS[a].status - ERRORS[b].status || (a < b ? -1 : 1));
}
