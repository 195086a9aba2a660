/** Holds answers against the OpenAPI document that the control plane publishes. Works in workerd and in Node: the validator compiles nothing. */
import { Validator, type Schema } from "@cfworker/json-schema";

/** As much of a document as is needed here. Anything may be wrong with it: it is read as the server sent it. */
interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>>; readonly headers: Readonly<Record<string, Header>> };
}

interface Operation {
  readonly responses: Readonly<Record<string, PublishedResponse>>;
}

interface PublishedResponse {
  readonly headers?: Readonly<Record<string, { readonly $ref: string }>>;
  readonly content?: Readonly<Record<string, { readonly schema: Schema }>>;
}

interface Header {
  readonly required: boolean;
  readonly schema: Schema;
}

/** An answer, with its body as text. */
export interface Answered {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

/** What is said about one body at most: a value that fits no choice of many breaks them all. */
const FAULTS_MAX = 20;

/** What no endpoint answers. */
const NO_ENDPOINT: Operation = {
  responses: { 404: { content: { "application/json": { schema: { $ref: "#/components/schemas/NotFoundError" } } } } },
};

/** A published API. */
export class PublishedApi {
  readonly #document: Document;
  readonly #validators = new Map<Schema, Validator>();
  readonly #templates: readonly string[];

  constructor(document: unknown) {
    this.#document = document as Document;
    // Literals before parameters.
    this.#templates = Object.keys(this.#document.paths).toSorted((a, b) => (a.replaceAll("{", "~") < b.replaceAll("{", "~") ? -1 : 1));
  }

  /** What is wrong with an answer, in words and without its values; nothing, if it is as published. */
  faults(method: string, pathname: string, answer: Answered): string[] {
    // Preflights are between browsers and CORS.
    if (method === "OPTIONS") return [];
    const isHead = method === "HEAD";
    const operation = this.#operation(isHead ? "GET" : method, pathname);
    const response = operation.responses[answer.status];
    if (!response) return [`status ${answer.status} is not published for ${method} ${pathname}`];
    return [...this.#headerFaults(response, answer.headers), ...(isHead ? [] : this.#bodyFaults(response, answer))];
  }

  #operation(method: string, pathname: string): Operation {
    const template = this.#templates.find((each) => isLike(each, pathname) && this.#document.paths[each]?.[method.toLowerCase()]);
    return (template !== undefined && this.#document.paths[template]?.[method.toLowerCase()]) || NO_ENDPOINT;
  }

  #headerFaults({ headers = {} }: PublishedResponse, sent: Headers): string[] {
    return Object.entries(headers).flatMap(([name, { $ref }]) => {
      const published = this.#document.components.headers[$ref.slice($ref.lastIndexOf("/") + 1)];
      if (!published) return [`header ${name} refers to nothing`];
      const value = sent.get(name);
      if (value === null) return published.required ? [`header ${name} is missing`] : [];
      const isNumber = typeof published.schema === "object" && published.schema.type === "integer";
      return this.#schemaFaults(published.schema, isNumber ? Number(value) : value).map((fault) => `header ${name}: ${fault}`);
    });
  }

  #bodyFaults({ content }: PublishedResponse, { headers, text }: Answered): string[] {
    if (!content) return text === "" ? [] : ["there is a body, and none is published"];
    const type = headers.get("content-type") ?? "(none)";
    const published = content[type];
    if (!published) return [`media type ${type} is not published`];
    return type === "application/json" ? this.#schemaFaults(published.schema, JSON.parse(text)) : [];
  }

  #schemaFaults(schema: Schema, value: unknown): string[] {
    let validator = this.#validators.get(schema);
    if (!validator) {
      const whole = { ...schema, components: this.#document.components } as Schema;
      this.#validators.set(schema, (validator = new Validator(whole, "2020-12", false)));
    }
    const { errors } = validator.validate(value);
    return errors.slice(0, FAULTS_MAX).map(({ instanceLocation, keywordLocation }) => `${instanceLocation} breaks ${keywordLocation}`);
  }
}

function isLike(template: string, pathname: string): boolean {
  const segments = template.split("/");
  const given = pathname.split("/");
  return (
    segments.length === given.length &&
    segments.every((segment, at) => (segment.startsWith("{") ? given[at] !== "" : segment === given[at]))
  );
}
