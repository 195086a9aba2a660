/** The reference page: the published document, rendered once, without a script and without anything from elsewhere. */
import { html } from "hono/html";
import { sha256Hex } from "../../core/digest.ts";
import type { JsonSchema } from "./json-schemas.ts";
import type { OpenApiDocument, Operation, Parameter, ResponseObject } from "./openapi.ts";
import { STYLE } from "./page-style.ts";
import { memberHtml, prose, schemaAnchor, schemaHtml, trusted, type Html } from "./schema-html.ts";

const STYLE_HASH = Buffer.from(sha256Hex(STYLE), "hex").toString("base64");

/** What a browser may do with the page: show it, in the one style it has. */
export const REFERENCE_PAGE_POLICY = {
  "Content-Security-Policy": `default-src 'none'; style-src 'sha256-${STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
  "Referrer-Policy": "no-referrer",
  "X-Content-Type-Options": "nosniff",
} as const;

/** An operation with where it is. */
interface Placed {
  readonly method: string;
  readonly path: string;
  readonly operation: Operation;
}

/** The page. The style stands in it byte for byte, as its hash demands. */
export async function referencePage(document: OpenApiDocument): Promise<string> {
  const { info, tags, components } = document;
  const sections = tags.map(({ name }) => ({ name, operations: operationsOf(document, name) }));
  const schemas = Object.entries(components.schemas);
  const page = await html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${info.title}</title>
        ${trusted(`<style>${STYLE}</style>`)}
      </head>
      <body>
        <nav aria-label="Contents">
          ${sections.map(sectionLinks)}
          <h2>Shapes</h2>
          <ul>
            ${schemas.map(([name]) => html`<li><a href="#${schemaAnchor(name)}">${name}</a></li>`)}
          </ul>
        </nav>
        <main>
          <h1>${info.title}</h1>
          <p>${prose(info.description)}</p>
          <p class="faint">
            Version ${info.version}. Made from <a href="/openapi.json">/openapi.json</a>, which is made from the code that serves it.
          </p>
          ${sections.map(sectionHtml)}
          <h2>Shapes</h2>
          ${schemas.map(([name, schema]) => sharedSchemaHtml(name, schema))}
        </main>
      </body>
    </html> `;
  return page.toString();
}

function operationsOf({ paths }: OpenApiDocument, tag: string): Placed[] {
  return Object.entries(paths)
    .flatMap(([path, item]) => Object.entries(item).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })))
    .filter(({ operation }) => operation.tags.includes(tag));
}

function sectionLinks({ name, operations }: { readonly name: string; readonly operations: readonly Placed[] }): Html {
  const links = operations.map(({ operation }) => html`<li><a href="#${operation.operationId}">${operation.summary}</a></li>`);
  return html`<h2>${name}</h2>
    <ul>
      ${links}
    </ul>`;
}

function sectionHtml({ name, operations }: { readonly name: string; readonly operations: readonly Placed[] }): Html {
  return html`<h2>${name}</h2>
    ${operations.map(operationHtml)}`;
}

function operationHtml({ method, path, operation }: Placed): Html {
  const { operationId, summary, description, parameters, requestBody, responses } = operation;
  const body =
    requestBody &&
    html`<h4>Body</h4>
      ${Object.values(requestBody.content).map(({ schema }) => schemaHtml(schema))}`;
  return html`<article id="${operationId}">
    <h3>${summary}</h3>
    <p class="place"><span class="method ${method}">${method}</span> ${path}</p>
    <p class="faint">${callersHtml(operation)}</p>
    ${description === undefined ? "" : html`<p>${prose(description)}</p>`}
    ${
      parameters.length === 0
        ? ""
        : html`<h4>Parameters</h4>
            <dl>${parameters.map(parameterHtml)}</dl>`
    }
    ${body ?? ""}
    <h4>Answers</h4>
    ${Object.entries(responses).map(([status, response]) => responseHtml(status, response))}
  </article> `;
}

function callersHtml({ security, "x-portcullis-permission": permission }: Operation): Html {
  if (permission !== undefined) return html`Needs <code>${permission}</code>.`;
  const [scheme] = security.flatMap((each) => Object.keys(each));
  if (scheme === undefined) return html`Open to anyone.`;
  return scheme === "bootstrapSecret" ? html`Needs the bootstrap secret.` : html`Needs any platform key.`;
}

function parameterHtml(parameter: Parameter): Html {
  return memberHtml(parameter.name, parameter.schema, parameter.required, `In the ${parameter.in}. ${parameter.description ?? ""}`);
}

function responseHtml(status: string, { description, content = {} }: ResponseObject): Html {
  const shapes = Object.entries(content).map(
    ([type, { schema }]) =>
      html`<p class="faint">${type}</p>
        ${schemaHtml(schema)}`,
  );
  return html`<details>
    <summary><strong>${status}</strong> ${prose(description.split("\n\n").join(" "))}</summary>
    <div>${shapes}</div>
  </details>`;
}

function sharedSchemaHtml(name: string, schema: JsonSchema): Html {
  const about = schema.description === undefined ? "" : html`<p>${prose(schema.description)}</p>`;
  return html`<article id="${schemaAnchor(name)}">
    <h3>${name}</h3>
    ${about}${schemaHtml(schema)}
  </article>`;
}
