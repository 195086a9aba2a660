/** The API as an OpenAPI 3.1 document, made of the declarations that serve it. */
import { z } from "zod";
import { isServedScope } from "../../core/widget.ts";
import type { Access, Endpoint, Section } from "../http/endpoint.ts";
import { ERRORS, type ErrorCode } from "../http/error-catalogue.ts";
import { parameterNames, PATH_PARAMETERS } from "../http/path-parameters.ts";
import { errorsOf } from "./declared-errors.ts";
import { errorSchemas, errorSchemaName } from "./error-schemas.ts";
import { HEADERS, headersOf, requestHeaders, type Header } from "./headers.ts";
import { JsonSchemas, type JsonSchema } from "./json-schemas.ts";
import { DELIVERY_HEADERS, webhooks, type Webhook } from "./webhooks.ts";

/** A parameter in the path, the query or a header. */
export interface Parameter {
  readonly name: string;
  readonly in: "path" | "query" | "header";
  readonly required: boolean;
  readonly description?: string;
  readonly example?: string;
  readonly schema: JsonSchema;
}

/** What has one media type. */
type Content = Readonly<Record<string, { readonly schema: JsonSchema }>>;

/** An answer of one status. */
export interface ResponseObject {
  readonly description: string;
  readonly headers: Readonly<Record<string, { readonly $ref: string }>>;
  readonly content?: Content;
}

/** One endpoint. */
export interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly description?: string;
  readonly tags: readonly string[];
  readonly security: readonly Readonly<Record<string, readonly string[]>>[];
  /** The platform permission that the caller's key must hold, where one is needed. */
  readonly "x-portcullis-permission"?: string;
  readonly parameters: readonly Parameter[];
  readonly requestBody?: { readonly required: boolean; readonly content: Content };
  readonly responses: Readonly<Record<string, ResponseObject>>;
}

/** The document. */
export interface OpenApiDocument {
  readonly openapi: "3.1.1";
  readonly info: { readonly title: string; readonly version: string; readonly description: string };
  readonly servers: readonly { readonly url: string }[];
  readonly tags: readonly { readonly name: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly webhooks: Readonly<Record<string, Webhook>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, JsonSchema>>;
    readonly parameters: Readonly<Record<string, Parameter>>;
    readonly headers: Readonly<Record<string, Header>>;
    readonly securitySchemes: Readonly<Record<string, unknown>>;
  };
}

/** The version of the package. */
const VERSION = "0.1.0";
const JSON_TYPE = "application/json";

const SECURITY_SCHEMES = {
  platformKey: { type: "http", scheme: "bearer", description: "A live key of the organization `org_platform`." },
  identityProvider: {
    type: "http",
    scheme: "bearer",
    bearerFormat: "JWT",
    description: "A token of your identity provider, where one is set up.",
  },
  widgetToken: { type: "http", scheme: "bearer", bearerFormat: "JWT", description: "A token of `POST /widgets/token` with the scope." },
  bootstrapSecret: { type: "http", scheme: "bearer", description: "The installation's bootstrap secret." },
} as const;

/** Describes sections of endpoints. */
export function openApiDocument(sections: readonly Section[]): OpenApiDocument {
  const endpoints = sections.flatMap((section) => section.endpoints.map((endpoint) => ({ endpoint, tag: section.title })));
  const schemas = publish(endpoints.map(({ endpoint }) => endpoint));
  const paths: Record<string, Record<string, Operation>> = {};
  for (const { endpoint, tag } of endpoints)
    (paths[endpoint.path.replaceAll(/:(\w+)/g, "{$1}")] ??= {})[endpoint.method.toLowerCase()] = operation(endpoint, tag, schemas.of);
  return {
    openapi: "3.1.1",
    info: {
      title: "Portcullis control plane",
      version: VERSION,
      description: "Issues, changes and ends API keys, and keeps the organizations, users, roles and routes that they are about.",
    },
    servers: [{ url: "/" }],
    tags: sections.map(({ title }) => ({ name: title })),
    paths,
    webhooks: webhooks(),
    components: { schemas: schemas.shared, parameters: DELIVERY_HEADERS, headers: HEADERS, securitySchemes: SECURITY_SCHEMES },
  };
}

/** Finds the published form of a part of an endpoint. */
type SchemaOf = (endpoint: Endpoint, part: string) => JsonSchema;

function publish(endpoints: readonly Endpoint[]): { readonly of: SchemaOf; readonly shared: Readonly<Record<string, JsonSchema>> } {
  const taken = new JsonSchemas("input");
  const answered = new JsonSchemas("output");
  for (const { operationId, query, body, replies } of endpoints) {
    if (query) taken.add(`${operationId} query`, query);
    if (body) taken.add(`${operationId} body`, body);
    for (const [status, reply] of Object.entries(replies)) if (reply instanceof z.ZodType) answered.add(`${operationId} ${status}`, reply);
  }
  const [input, output] = [taken.publish(), answered.publish()];
  const all = new Map([...input.named, ...output.named]);
  return {
    of: ({ operationId }, part) => all.get(`${operationId} ${part}`) ?? {},
    shared: { ...input.shared, ...output.shared, ...errorSchemas() },
  };
}

function operation(endpoint: Endpoint, tag: string, schemaOf: SchemaOf): Operation {
  const { operationId, summary, description, access, body } = endpoint;
  return {
    operationId,
    summary,
    ...(description !== undefined && { description }),
    tags: [tag],
    security: securityOf(access),
    ...(access.startsWith("portcullis:") && { "x-portcullis-permission": access }),
    parameters: [...pathParameters(endpoint), ...queryParameters(schemaOf(endpoint, "query")), ...requestHeaders(endpoint)],
    ...(body && { requestBody: { required: !acceptsNothing(body), content: { [JSON_TYPE]: { schema: schemaOf(endpoint, "body") } } } }),
    responses: { ...successes(endpoint, schemaOf), ...failures(endpoint) },
  };
}

function securityOf(access: Access): Operation["security"] {
  if (access === "public" || access === "signed_url") return [];
  if (access === "bootstrap_secret") return [{ bootstrapSecret: [] }];
  return isServedScope(access) ? [{ widgetToken: [access] }] : [{ platformKey: [] }, { identityProvider: [] }];
}

function pathParameters({ path }: Endpoint): Parameter[] {
  return parameterNames(path).map((name) => {
    const { description, example } = PATH_PARAMETERS[name];
    return { name, in: "path", required: true, description, example, schema: { type: "string" } };
  });
}

/** Parameters that are there only to be refused are not published. */
function queryParameters({ properties = {}, required = [] }: JsonSchema): Parameter[] {
  return Object.entries(properties as Record<string, JsonSchema>)
    .filter(([, schema]) => schema.not === undefined)
    .map(([name, { description, ...schema }]) => ({
      name,
      in: "query",
      required: required.includes(name),
      ...(description !== undefined && { description }),
      schema,
    }));
}

/** No body is as good as `{}`. */
function acceptsNothing(body: z.ZodType): boolean {
  return body.safeParse({}).success;
}

const DONE: Readonly<Record<string, string>> = {
  200: "Done.",
  201: "Made.",
  202: "Committed, and not yet in force everywhere: `Prefer: respond-async` was sent.",
  204: "Done, and in force everywhere.",
};

function successes(endpoint: Endpoint, schemaOf: SchemaOf): Record<string, ResponseObject> {
  return Object.fromEntries(
    Object.entries(endpoint.replies).map(([status, reply]) => {
      const headers = headersOf(Number(status), endpoint);
      const description = DONE[status] ?? "";
      if (reply === null) return [status, { description, headers }];
      const content =
        reply instanceof z.ZodType ? { [JSON_TYPE]: { schema: schemaOf(endpoint, status) } } : { [reply.mediaType]: { schema: {} } };
      return [status, { description, headers, content }];
    }),
  );
}

function failures(endpoint: Endpoint): Record<string, ResponseObject> {
  const byStatus = Map.groupBy(errorsOf(endpoint), (code) => ERRORS[code].status);
  return Object.fromEntries([...byStatus].map(([status, codes]) => [status, failure(status, codes, endpoint)]));
}

function failure(status: number, codes: readonly ErrorCode[], endpoint: Endpoint): ResponseObject {
  const refs = codes.map((code) => ({ $ref: `#/components/schemas/${errorSchemaName(code)}` }));
  const [only] = refs;
  return {
    description: codes.map((code) => `\`${code}\`: ${ERRORS[code].meaning}`).join("\n\n"),
    headers: headersOf(status, endpoint),
    content: { [JSON_TYPE]: { schema: refs.length === 1 && only ? only : { oneOf: refs } } },
  };
}
