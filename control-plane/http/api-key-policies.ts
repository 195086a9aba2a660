/** Policies on keys: the installation's defaults, and what organizations have instead. All ours. */
import { z } from "zod";
import { policyFields } from "../../core/api-key-policy.ts";
import { HOME_CELL } from "../../core/identifier.ts";
import { networks } from "../../core/network.ts";
import { assemblePage, walkOf } from "../../core/page.ts";
import { apiKeyPolicySchema, nonCompliantKeySchema } from "../ledger/view.ts";
import { notFound } from "./api-error.ts";
import { endpoint, type Section } from "./endpoint.ts";
import { given } from "./fields.ts";
import { reason } from "./key-fields.ts";
import { pageQuery } from "./query.ts";
import { ok, pageOf, settled } from "./reply.ts";
import { send } from "./send.ts";

/** What was misspelt would be a limit that is not there. */
const settingsBody = z.strictObject({ ...z.object(policyFields(networks)).partial().shape, reason });

const REPLACES =
  "The body replaces what was set: a field that is absent comes from the layer below, null is no limit. Other members are refused.";

/** Endpoints on policies. */
export const apiKeyPolicies: Section = {
  title: "Policies on keys",
  endpoints: [
    endpoint({
      method: "GET",
      path: "/api_key_policy",
      operationId: "getApiKeyPolicy",
      summary: "Reads the defaults that every organization's policy begins with",
      access: "portcullis:policies:read",
      replies: { 200: apiKeyPolicySchema },
      handler: async ({ services }) => {
        const policy = await services.cells.home().apiKeyPolicy();
        if (!policy) throw notFound("Policy", "installation");
        return ok(policy);
      },
    }),

    endpoint({
      method: "PUT",
      path: "/api_key_policy",
      operationId: "setApiKeyPolicy",
      summary: "Sets those defaults",
      description: `${REPLACES} When this answers, every organization that has not said otherwise has them.`,
      access: "portcullis:policies:write",
      body: settingsBody,
      replies: { 200: apiKeyPolicySchema },
      errors: ["not_yet_effective"],
      handler: async ({ services, body: { reason: why, ...settings }, terms }) =>
        settled(await send(services, { type: "set_api_key_policy", settings: given(settings) }, { cell: HOME_CELL, terms, reason: why })),
    }),

    endpoint({
      method: "GET",
      path: "/organizations/:organization_id/api_key_policy",
      operationId: "getOrganizationApiKeyPolicy",
      summary: "Reads what an organization demands of its keys",
      access: "portcullis:policies:read",
      replies: { 200: apiKeyPolicySchema },
      handler: async ({ services, params: { organization_id } }) => {
        const { id, cell } = organization_id;
        const policy = await services.cells.ledger(cell).apiKeyPolicy(id);
        if (!policy) throw notFound("Organization", id);
        return ok(policy);
      },
    }),

    endpoint({
      method: "PUT",
      path: "/organizations/:organization_id/api_key_policy",
      operationId: "setOrganizationApiKeyPolicy",
      summary: "Sets what an organization demands of its keys",
      description: `${REPLACES} Keys that there are go on; what they are to become must satisfy the policy. Only idle keys are disabled, after a warning.`,
      access: "portcullis:policies:write",
      body: settingsBody,
      replies: { 200: apiKeyPolicySchema },
      errors: ["platform_organization"],
      handler: async ({ services, params: { organization_id }, body: { reason: why, ...settings }, terms }) => {
        const { id, cell } = organization_id;
        const command = { type: "set_api_key_policy", organization_id: id, settings: given(settings) } as const;
        return settled(await send(services, command, { cell, terms, reason: why }));
      },
    }),

    endpoint({
      method: "GET",
      path: "/organizations/:organization_id/api_key_policy/violations",
      operationId: "listNonCompliantApiKeys",
      summary: "Lists the keys that the policy would not allow to be made as they are",
      description:
        "They are from before the policy, or before somebody had another role, and go on until somebody ends them. Looked at are life, networks, the roles of owner and creator, and approvals. A page looks at 1,000 keys, so that it can be short or empty: go on while there is a cursor.",
      access: "portcullis:api_keys:read",
      query: pageQuery("api_key"),
      replies: { 200: pageOf(nonCompliantKeySchema) },
      handler: async ({ services, params: { organization_id }, query }) => {
        const { id, cell } = organization_id;
        const ledger = services.cells.ledger(cell);
        if (!(await ledger.organization(id))) throw notFound("Organization", id);
        return ok(assemblePage(query, [await ledger.nonCompliantApiKeys(id, walkOf(query))]));
      },
    }),
  ],
};
