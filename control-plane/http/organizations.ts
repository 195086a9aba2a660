/** Organizations and the keys they own. */
import { z } from "zod";
import { mintId } from "../../core/identifier.ts";
import { assemblePage, walkOf } from "../../core/page.ts";
import { apiKeySchema, organizationSchema, type OrganizationView } from "../ledger/view.ts";
import { notFound } from "./api-error.ts";
import { createApiKey, createdApiKeySchema, newKeySchema } from "./create-api-key.ts";
import { endpoint, type Section, type Services } from "./endpoint.ts";
import { displayName, externalId } from "./fields.ts";
import type { Located } from "./path-parameters.ts";
import { pageQuery, unsupportedFilter } from "./query.ts";
import { created, ok, pageOf } from "./reply.ts";
import { send } from "./send.ts";

/** Endpoints on organizations. */
export const organizations: Section = {
  title: "Organizations",
  endpoints: [
    endpoint({
      method: "POST",
      path: "/organizations",
      operationId: "createOrganization",
      summary: "Makes an organization",
      access: "portcullis:organizations:write",
      body: z.object({ name: displayName, external_id: externalId }),
      replies: { 201: organizationSchema },
      handler: async ({ services, body, terms }) => {
        const cell = services.cells.cellOf(terms.repetition.commandId);
        const id = mintOrganizationId(services, cell);
        const command = { type: "create_organization", id, name: body.name, external_id: body.external_id } as const;
        return created(await send(services, command, { cell, terms }));
      },
    }),

    endpoint({
      method: "GET",
      path: "/organizations",
      operationId: "listOrganizations",
      summary: "Lists organizations",
      access: "portcullis:organizations:read",
      query: pageQuery("org").safeExtend({ domains: unsupportedFilter, search: unsupportedFilter }),
      replies: { 200: pageOf(organizationSchema) },
      handler: async ({ services: { cells }, query }) =>
        ok(assemblePage(query, await cells.everywhere((ledger) => ledger.listOrganizations(walkOf(query))))),
    }),

    endpoint({
      method: "GET",
      path: "/organizations/:organization_id",
      operationId: "getOrganization",
      summary: "Reads an organization",
      access: "portcullis:organizations:read",
      replies: { 200: organizationSchema },
      handler: async ({ services, params }) => ok(await organization(services, params.organization_id)),
    }),

    endpoint({
      method: "GET",
      path: "/organizations/:organization_id/api_keys",
      operationId: "listOrganizationApiKeys",
      summary: "Lists the keys that the organization itself owns",
      access: "portcullis:api_keys:read",
      query: pageQuery("api_key"),
      replies: { 200: pageOf(apiKeySchema) },
      handler: async ({ services, params: { organization_id }, query }) => {
        const { id, cell } = organization_id;
        await organization(services, organization_id);
        const slice = await services.cells.ledger(cell).listApiKeys({ type: "organization", id }, walkOf(query));
        return ok(assemblePage(query, [slice]));
      },
    }),

    endpoint({
      method: "POST",
      path: "/organizations/:organization_id/api_keys",
      operationId: "createOrganizationApiKey",
      summary: "Makes a key that the organization owns",
      access: "portcullis:api_keys:write",
      body: newKeySchema,
      replies: { 201: createdApiKeySchema },
      errors: ["permission_not_assignable", "invalid_expiry", "reply_unavailable"],
      handler: async ({ services, params: { organization_id }, body, terms }) =>
        createApiKey(services, { type: "organization", id: organization_id.id }, body, terms),
    }),
  ],
};

async function organization({ cells }: Services, { id, cell }: Located): Promise<OrganizationView> {
  const found = await cells.ledger(cell).organization(id);
  if (!found) throw notFound("Organization", id);
  return found;
}

/**
 * An organization's id decides its cell, and a repeated request must come to the ledger that remembers it. So the
 * command picks the cell, and ids are minted until one hashes to it.
 */
function mintOrganizationId({ cells, now, randomBytes }: Services, cell: number): string {
  for (;;) {
    const id = mintId("org", now(), randomBytes);
    if (cells.cellOf(id) === cell) return id;
  }
}
