/** What the API says about itself. */
import { openApiDocument, type OpenApiDocument } from "../reference/openapi.ts";
import { REFERENCE_PAGE_POLICY, referencePage } from "../reference/page.ts";
import { endpoint, type Section } from "./endpoint.ts";

/** The document about some sections, as text, and the page made of it. Each is made when it is first asked for, and then kept. */
export function reference(sections: () => readonly Section[]): Section {
  let document: OpenApiDocument | undefined;
  let text: string | undefined;
  let page: string | undefined;
  const published = () => (document ??= openApiDocument(sections()));
  return {
    title: "Reference",
    endpoints: [
      endpoint({
        method: "GET",
        path: "/openapi.json",
        operationId: "getOpenApiDocument",
        summary: "This API as an OpenAPI 3.1 document",
        access: "public",
        replies: { 200: { mediaType: "application/json" } },
        handler: async () => ({ status: 200, body: (text ??= JSON.stringify(published())) }),
      }),

      endpoint({
        method: "GET",
        path: "/reference",
        operationId: "getReferencePage",
        summary: "This API as a page to read",
        access: "public",
        replies: { 200: { mediaType: "text/html; charset=utf-8" } },
        handler: async () => ({ status: 200, body: (page ??= await referencePage(published())), headers: REFERENCE_PAGE_POLICY }),
      }),
    ],
  };
}
