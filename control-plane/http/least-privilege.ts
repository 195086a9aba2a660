/** What keys may do and do not use: a report, and one call that takes the rest from them. Ours. */
import { z } from "zod";
import { PLATFORM_ORGANIZATION_ID } from "../../core/identifier.ts";
import { assemblePage, walkOf } from "../../core/page.ts";
import { FINDINGS, keyReviewSchema, narrowingDigest, type ReviewTerms } from "../ledger/least-privilege.ts";
import { apiKeySchema } from "../ledger/view.ts";
import { notFound } from "./api-error.ts";
import { endpoint, type Section, type Services } from "./endpoint.ts";
import { organizationId } from "./events.ts";
import { reason } from "./key-fields.ts";
import { daysQuery, pageQuery } from "./query.ts";
import { changed, inForceWithReceipt, ok, pageOf } from "./reply.ts";
import { send } from "./send.ts";

const DAYS_MAX = 400;
const DAYS_DEFAULT = 90;

const spans = {
  window_days: daysQuery(DAYS_DEFAULT, DAYS_MAX).describe("Permissions that were not used for so many days are excess."),
  idle_days: daysQuery(DAYS_DEFAULT, DAYS_MAX).describe("Keys that were not used for so many days are idle."),
} as const;

const previewSchema = keyReviewSchema.extend({
  confirmation: z.string().describe("Narrows the key to exactly `proposed_permissions` when it is sent with the same `window_days`."),
});

/** Endpoints on what keys use. */
export const leastPrivilege: Section = {
  title: "Least privilege",
  endpoints: [
    endpoint({
      method: "GET",
      path: "/least_privilege_report",
      operationId: "getLeastPrivilegeReport",
      summary: "Reviews keys: what they may do and do not use, and what else can be said against them",
      description:
        "Keys of one organization and its members, or of all. `limit` is how many keys are looked at; with `finding` only those that have it " +
        "are shown, so that a page can be short or empty: go on until `after` is null.",
      access: "portcullis:api_keys:read",
      query: pageQuery("api_key").safeExtend({
        organization_id: organizationId.optional().describe("Only keys of this organization and its members."),
        finding: z.enum(FINDINGS, { error: `must be one of ${FINDINGS.join(", ")}` }).optional(),
        ...spans,
      }),
      replies: { 200: pageOf(keyReviewSchema) },
      handler: async ({ services, query }) => {
        const { organization_id, finding } = query;
        const terms = await termsOf(services, query);
        const { cells } = services;
        const ledgers = organization_id === undefined ? cells.all() : [cells.ledger(cells.cellOf(organization_id))];
        const slices = await Promise.all(ledgers.map((ledger) => ledger.listKeyReviews(organization_id, terms, walkOf(query))));
        const page = assemblePage(query, slices);
        return ok({ ...page, data: page.data.filter(({ findings }) => finding === undefined || findings.includes(finding)) });
      },
    }),

    endpoint({
      method: "GET",
      path: "/api_keys/:api_key_id/least_privilege",
      operationId: "reviewApiKey",
      summary: "Reviews one key, and shows what narrowing it to its use would leave it",
      access: "portcullis:api_keys:read",
      query: z.object(spans),
      replies: { 200: previewSchema },
      handler: async ({ services, params: { api_key_id }, query }) => {
        const { id, cell } = api_key_id;
        const review = await services.cells.ledger(cell).keyReview(id, await termsOf(services, query));
        if (!review) throw notFound("API key", id);
        return ok({ ...review, confirmation: narrowingDigest(id, review.api_key.permissions, review.proposed_permissions) });
      },
    }),

    endpoint({
      method: "POST",
      path: "/api_keys/:api_key_id/narrow",
      operationId: "narrowApiKey",
      summary: "Takes from a key what a review showed that it does not use",
      description:
        "Refused when the key has been used for more since, or has been changed. What it was used for in the last half minute may not be known yet.",
      access: "portcullis:api_keys:write",
      body: z.object({
        window_days: z
          .number()
          .int("must be whole days")
          .min(1, `must be 1 to ${DAYS_MAX}`)
          .max(DAYS_MAX, `must be 1 to ${DAYS_MAX}`)
          .default(DAYS_DEFAULT),
        confirmation: z.string().regex(/^[0-9a-f]{64}$/, "must be the confirmation of a review"),
        reason,
      }),
      replies: inForceWithReceipt(apiKeySchema),
      errors: ["preview_outdated", "api_key_unused", "insufficient_permissions", "last_holder_of_permission"],
      handler: async ({ services, params: { api_key_id }, body, terms }) => {
        const { id, cell } = api_key_id;
        const command = { type: "narrow_api_key", id, window_days: body.window_days, expected: body.confirmation } as const;
        return changed(await send(services, command, { cell, terms, reason: body.reason }), { receiptInBody: true });
      },
    }),
  ],
};

async function termsOf({ cells }: Services, asked: { readonly window_days: number; readonly idle_days: number }): Promise<ReviewTerms> {
  const livePlatformKeys = await cells.ledger(cells.cellOf(PLATFORM_ORGANIZATION_ID)).livePlatformKeys();
  return { windowDays: asked.window_days, idleDays: asked.idle_days, livePlatformKeys };
}
