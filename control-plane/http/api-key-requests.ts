/** Requests for keys that a second admin decides. All ours. */
import { z } from "zod";
import { mintId } from "../../core/identifier.ts";
import { assemblePage, walkOf } from "../../core/page.ts";
import { apiKeyRequestSchema } from "../ledger/view.ts";
import { notFound } from "./api-error.ts";
import { createdApiKeySchema, environmentOf, newKeySchema, ownerIn, usualIfAbsent } from "./create-api-key.ts";
import { endpoint, type Endpoint, type Section, type Services } from "./endpoint.ts";
import { attributesOf, reason } from "./key-fields.ts";
import { mintKey } from "./mint.ts";
import type { Located } from "./path-parameters.ts";
import { pageQuery } from "./query.ts";
import { created, ok, pageOf, settled } from "./reply.ts";
import { prepareAndSend, send } from "./send.ts";

const statusFilter = z.enum(["pending", "approved", "denied", "issued", "expired"]).optional();
const withReason = z.object({ reason });

/** Endpoints on requests. */
export const apiKeyRequests: Section = {
  title: "Requests for keys",
  endpoints: [
    endpoint({
      method: "POST",
      path: "/organizations/:organization_id/api_key_requests",
      operationId: "createApiKeyRequest",
      summary: "Asks for a key that a second admin must approve",
      description: "It must be one that could be made now, but for the approval. It waits for 7 days.",
      access: "portcullis:api_keys:write",
      body: newKeySchema.extend({
        user_id: z.string().max(64).optional().describe("A member the key acts for; absent: the organization owns it."),
      }),
      replies: { 201: apiKeyRequestSchema },
      errors: [
        "permission_not_assignable",
        "membership_not_active",
        "invalid_expiry",
        "organization_suspended",
        "platform_organization",
        "api_key_policy_violated",
      ],
      handler: async ({ services, params: { organization_id }, body, terms }) => {
        const { id: organizationId, cell } = organization_id;
        const { name, permissions, expires_at, user_id, environment } = body;
        const command = {
          type: "create_api_key_request",
          id: mintId("api_key_request", services.now(), services.randomBytes, cell),
          owner: ownerIn(organizationId, user_id),
          name,
          permissions,
          expires_at_ms: usualIfAbsent(expires_at),
          environment: environmentOf(services, environment),
          attributes: attributesOf(body),
        } as const;
        return created(await send(services, command, { cell, terms, reason: body.reason }));
      },
    }),

    endpoint({
      method: "GET",
      path: "/organizations/:organization_id/api_key_requests",
      operationId: "listApiKeyRequests",
      summary: "Lists an organization's requests for keys",
      access: "portcullis:api_keys:read",
      query: pageQuery("api_key_request").safeExtend({ status: statusFilter }),
      replies: { 200: pageOf(apiKeyRequestSchema) },
      handler: async ({ services, params: { organization_id }, query }) => {
        const { id, cell } = organization_id;
        const { status, ...page } = query;
        const ledger = services.cells.ledger(cell);
        if (!(await ledger.organization(id))) throw notFound("Organization", id);
        return ok(assemblePage(page, [await ledger.listApiKeyRequests(id, status, walkOf(page))]));
      },
    }),

    endpoint({
      method: "GET",
      path: "/api_key_requests/:api_key_request_id",
      operationId: "getApiKeyRequest",
      summary: "Reads a request for a key",
      access: "portcullis:api_keys:read",
      replies: { 200: apiKeyRequestSchema },
      handler: async ({ services, params }) => ok(await request(services, params.api_key_request_id)),
    }),

    decision("approve", {
      summary: "Approves a request of somebody else's",
      description:
        "Who asked can then collect the key, for 7 days, or until your sign-in ends where you signed in with the identity provider. Nobody else ever sees its value.",
    }),

    decision("deny", { summary: "Denies a request of somebody else's" }),

    endpoint({
      method: "POST",
      path: "/api_key_requests/:api_key_request_id/issue",
      operationId: "issueApiKeyRequest",
      summary: "Collects the key that was asked for and approved",
      description: "For who asked alone, and once. Owner, permissions and policy are judged anew, by what holds now.",
      access: "portcullis:api_keys:write",
      body: withReason,
      replies: { 201: createdApiKeySchema },
      errors: [
        "api_key_request_not_open",
        "approval_void",
        "permission_not_assignable",
        "membership_not_active",
        "invalid_expiry",
        "organization_suspended",
        "api_key_policy_violated",
        "reply_unavailable",
      ],
      handler: async ({ services, params: { api_key_request_id }, body, terms }) => {
        const { id, cell } = api_key_request_id;
        const done = await prepareAndSend(services, "issue_api_key_request", { cell, terms, reason: body.reason }, async () => {
          const { asked } = await request(services, api_key_request_id);
          const { id: api_key_id, token, minted } = mintKey(services, cell, asked.environment);
          return { command: { type: "issue_api_key_request", id, api_key_id, minted }, secret: token };
        });
        return created(done, { value: done.secret });
      },
    }),
  ],
};

/** A second admin's word on a request. */
function decision(verb: "approve" | "deny", said: Pick<Endpoint, "summary" | "description">): Endpoint {
  return endpoint({
    method: "POST",
    path: `/api_key_requests/:api_key_request_id/${verb}`,
    operationId: `${verb}ApiKeyRequest`,
    ...said,
    access: "portcullis:api_keys:approve",
    body: withReason,
    replies: { 200: apiKeyRequestSchema },
    errors: ["api_key_request_not_open", "self_approval"],
    handler: async ({ services, params: { api_key_request_id }, body, terms }) => {
      const { id, cell } = api_key_request_id;
      return settled(await send(services, { type: `${verb}_api_key_request`, id }, { cell, terms, reason: body.reason }));
    },
  });
}

async function request({ cells }: Services, { id, cell }: Located) {
  const found = await cells.ledger(cell).apiKeyRequest(id);
  if (!found) throw notFound("API key request", id);
  return found;
}
