/** Organizations and the keys they own. */
import { z } from "zod";
import { mintId } from "../../core/identifier.ts";
import { assemblePage, walkOf } from "../../core/page.ts";
import { apiKeySchema, organizationSchema, type OrganizationView } from "../ledger/view.ts";
import { notFound } from "./api-error.ts";
import { createApiKey, createdApiKeySchema, newKeySchema } from "./create-api-key.ts";
import { endpoint, type Endpoint, type Section, type Services } from "./endpoint.ts";
import { displayName, externalId, externalIdChange, given, metadata, metadataChange, reason } from "./fields.ts";
import type { Located } from "./path-parameters.ts";
import { pageQuery, unsupportedFilter } from "./query.ts";
import { changed, created, ended, ENDED, inForceWithReceipt, ok, pageOf, settled } from "./reply.ts";
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
      body: z.object({ name: displayName, external_id: externalId, metadata: metadata.default({}) }),
      replies: { 201: organizationSchema },
      errors: ["external_id_already_used"],
      handler: async ({ services, body, terms }) => {
        const cell = services.cells.cellOf(terms.repetition.commandId);
        const id = mintOrganizationId(services, cell);
        return created(await send(services, { type: "create_organization", id, ...body }, { cell, terms }));
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
      path: "/organizations/external_id/:external_id",
      operationId: "getOrganizationByExternalId",
      summary: "Reads the organization with an external id",
      access: "portcullis:organizations:read",
      replies: { 200: organizationSchema },
      handler: async ({ services: { cells }, params: { external_id } }) => {
        const id = await cells.home().externalIdHolder(external_id);
        const found = id === null ? null : await cells.ledger(cells.cellOf(id)).organization(id);
        if (found?.external_id !== external_id) throw notFound("Organization with the external id", external_id);
        return ok(found);
      },
    }),

    endpoint({
      method: "PUT",
      path: "/organizations/:organization_id",
      operationId: "updateOrganization",
      summary: "Changes what an organization is called and known by",
      description: "What is absent stays. `metadata` is merged into what is there; null takes a name away.",
      access: "portcullis:organizations:write",
      body: z.object({ name: displayName.optional(), external_id: externalIdChange, metadata: metadataChange }),
      replies: { 200: organizationSchema },
      errors: ["external_id_already_used", "too_much_metadata", "platform_organization"],
      handler: async ({ services, params: { organization_id }, body, terms }) => {
        const { id, cell } = organization_id;
        return settled(await send(services, { type: "update_organization", id, ...given(body) }, { cell, terms }));
      },
    }),

    suspension("suspend", {
      summary: "Keeps every key in an organization from working until it is resumed",
      description: "Its own keys and its members'. They stay as they are; none can be made meanwhile.",
    }),

    suspension("resume", { summary: "Lets the keys of a suspended organization work again" }),

    endpoint({
      method: "DELETE",
      path: "/organizations/:organization_id",
      operationId: "deleteOrganization",
      summary: "Ends an organization with its memberships, its roles and every key in it",
      access: "portcullis:organizations:write",
      body: z.object({ reason }),
      replies: ENDED,
      errors: ["platform_organization"],
      handler: async ({ services, params: { organization_id }, body, terms }) => {
        const { id, cell } = organization_id;
        return ended(await send(services, { type: "end_organization", id }, { cell, terms, reason: body.reason }));
      },
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
      errors: ["permission_not_assignable", "invalid_expiry", "organization_suspended", "reply_unavailable", "api_key_policy_violated"],
      handler: async ({ services, params: { organization_id }, body, terms }) =>
        createApiKey(services, { type: "organization", id: organization_id.id }, body, terms),
    }),
  ],
};

/** The beginning or the end of an organization's suspension. */
function suspension(verb: "suspend" | "resume", said: Pick<Endpoint, "summary" | "description">): Endpoint {
  return endpoint({
    method: "POST",
    path: `/organizations/:organization_id/${verb}`,
    operationId: `${verb}Organization`,
    ...said,
    access: "portcullis:organizations:write",
    body: z.object({ reason }),
    replies: inForceWithReceipt(organizationSchema),
    errors: ["platform_organization"],
    handler: async ({ services, params: { organization_id }, body, terms }) => {
      const { id, cell } = organization_id;
      const committed = await send(services, { type: `${verb}_organization`, id }, { cell, terms, reason: body.reason });
      return changed(committed, { receiptInBody: true });
    },
  });
}

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
