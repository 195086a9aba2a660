/** Headers that requests may carry and answers do. */
import type { Endpoint } from "../http/endpoint.ts";
import type { JsonSchema } from "./json-schemas.ts";
import type { Parameter } from "./openapi.ts";

/** A header of an answer. */
export interface Header {
  readonly description: string;
  readonly required: boolean;
  readonly schema: JsonSchema;
}

const text: JsonSchema = { type: "string" };

/** Headers of answers, by name. */
export const HEADERS = {
  "X-Request-ID": { description: "Names the request in the log.", required: true, schema: text },
  "Portcullis-Receipt": {
    description: "Where the change takes something away: the entry, and when it was in force (a dictionary of RFC 9651).",
    required: false,
    schema: text,
  },
  Location: { description: "The receipt, to ask again.", required: true, schema: text },
  "Preference-Applied": { description: "RFC 7240.", required: true, schema: { const: "respond-async" } },
  "WWW-Authenticate": { description: "RFC 6750.", required: true, schema: text },
  "Retry-After": { description: "Seconds to wait.", required: true, schema: { type: "integer", minimum: 0 } },
  "RateLimit-Policy": {
    description: "The limit that the caller is under: `q` requests in `w` seconds.",
    required: false,
    schema: text,
  },
  RateLimit: { description: "What is left of it: `r` requests, for the next `t` seconds.", required: false, schema: text },
} as const satisfies Readonly<Record<string, Header>>;

/** The headers an endpoint's answer of some status carries. */
export function headersOf(status: number, { access, replies }: Endpoint): Record<string, { readonly $ref: string }> {
  const names: (keyof typeof HEADERS)[] = ["X-Request-ID"];
  if (status < 300 && 202 in replies) names.push("Portcullis-Receipt");
  if (status === 202) names.push("Location", "Preference-Applied");
  if (status === 401) names.push("WWW-Authenticate");
  if (status === 429 || status === 503) names.push("Retry-After");
  if (access !== "public") names.push("RateLimit-Policy", "RateLimit");
  return Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]));
}

/** The headers an endpoint takes. */
export function requestHeaders({ method, replies, needsIdempotencyKey }: Endpoint): Parameter[] {
  const parameters: Parameter[] = [];
  if (method !== "GET")
    parameters.push({
      name: "Idempotency-Key",
      in: "header",
      required: needsIdempotencyKey === true,
      description: "For 24 hours the same key with the same request is the same request: it is answered the same, and done once.",
      schema: { type: "string", pattern: "^[\\x21-\\x7e]{1,255}$" },
    });
  if (202 in replies)
    parameters.push({
      name: "Prefer",
      in: "header",
      required: false,
      description: "`respond-async` (RFC 7240): answer when the change is committed, without waiting until it is in force everywhere.",
      schema: text,
    });
  return parameters;
}
