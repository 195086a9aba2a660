/** A JSON Schema as something people read: members with their types, bounds and meaning. */
import { html, raw } from "hono/html";
import type { JsonSchema } from "./json-schemas.ts";

/** A piece of the page. */
export type Html = ReturnType<typeof html>;

/** Prose in which backticks mark code. */
export function prose(text: string): Html {
  const parts = text.split("`");
  return html`${parts.map((part, at) => (at % 2 === 1 ? html`<code>${part}</code>` : part))}`;
}

/** A schema: its type, and below that its members. */
export function schemaHtml(schema: JsonSchema): Html {
  const inner = membersOf(schema);
  const [example] = schema.examples ?? [];
  const shown = example === undefined ? "" : html`<p><span class="faint">For example</span> <code>${JSON.stringify(example)}</code></p>`;
  return html`<div class="schema">${typeHtml(schema)}${inner}${shown}</div>`;
}

/** One member, parameter or header, with what is inside it. */
export function memberHtml(name: string, schema: JsonSchema, isRequired: boolean, description = schema.description): Html {
  return html`<dt><code>${name}</code> ${typeHtml(schema)}${isRequired ? "" : html`<span class="tag">optional</span>`}</dt>
    <dd>${description === undefined ? "" : prose(description)} ${boundsHtml(schema)}${membersOf(schema)}</dd>`;
}

/** Where a shared schema stands on the page. */
export function schemaAnchor(name: string): string {
  return `schema-${name}`;
}

function typeHtml(schema: JsonSchema): Html {
  if (schema.$ref !== undefined) {
    const name = schema.$ref.slice(schema.$ref.lastIndexOf("/") + 1);
    return html`<a href="#${schemaAnchor(name)}">${name}</a>`;
  }
  if (schema.const !== undefined) return html`<code>${JSON.stringify(schema.const)}</code>`;
  if (schema.enum) return joined(schema.enum.map((value) => html`<code>${JSON.stringify(value)}</code>`));
  const choices = choicesOf(schema);
  if (choices.length > 0) return joined(choices.map(typeHtml));
  if (schema.type === "array") return html`<span class="faint">array of</span> ${typeHtml(itemsOf(schema))}`;
  const type = [schema.type ?? "anything"].flat().join(" or ");
  if (schema.format !== undefined) return html`<span class="faint">${type}, ${schema.format}</span>`;
  return html`<span class="faint">${type}</span>`;
}

function joined(parts: readonly Html[]): Html {
  return html`${parts.map((part, at) => html`${at === 0 ? "" : " or "}${part}`)}`;
}

/** Pairs of keywords, and of what they count. */
const BOUNDS = [
  ["minLength", "maxLength", " characters"],
  ["minimum", "maximum", ""],
  ["minItems", "maxItems", " items"],
] as const;

function boundsHtml(schema: JsonSchema): Html {
  const bounds = BOUNDS.flatMap(([least, most, of]) => {
    const [from, to] = [bound(schema[least]), bound(schema[most])];
    if (from === undefined) return to === undefined ? [] : [`At most ${to}${of}.`];
    return to === undefined ? [`At least ${from}${of}.`] : [`${from === to ? from : `${from} to ${to}`}${of}.`];
  });
  const more = schema.default === undefined ? "" : html` Default: <code>${JSON.stringify(schema.default)}</code>.`;
  return html`<span class="faint">${bounds.join(" ")}</span>${more}`;
}

/** A bound that is none but the size of a number is not worth saying. */
function bound(value: number | undefined): number | undefined {
  return value === undefined || Math.abs(value) === Number.MAX_SAFE_INTEGER ? undefined : value;
}

/** The members of an object, of an array's items, or of each choice. */
function membersOf(schema: JsonSchema): Html {
  if (schema.properties) {
    const required = new Set(schema.required);
    const members = Object.entries(schema.properties as Record<string, JsonSchema>);
    return html`<dl>${members.map(([name, member]) => memberHtml(name, member, required.has(name)))}</dl>`;
  }
  if (schema.type === "array") return membersOf(itemsOf(schema));
  return html`${choicesOf(schema).map(membersOf)}`;
}

function itemsOf(schema: JsonSchema): JsonSchema {
  return (schema.items ?? {}) as JsonSchema;
}

function choicesOf(schema: JsonSchema): readonly JsonSchema[] {
  return schema.anyOf ?? schema.oneOf ?? [];
}

/** Text that is HTML already. */
export const trusted = raw;
