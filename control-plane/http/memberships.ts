/** Memberships: who belongs to which organization, with which role. */
import { z } from "zod";
import { mintId } from "../../core/identifier.ts";
import { assemblePage, walkOf } from "../../core/page.ts";
import { membershipSchema } from "../ledger/view.ts";
import { ApiError, invalid, notFound } from "./api-error.ts";
import { endpoint, type Section } from "./endpoint.ts";
import { reason } from "./fields.ts";
import { pageQuery } from "./query.ts";
import { changed, created, ended, ENDED, inForce, ok, pageOf } from "./reply.ts";
import { prepareAndSend, send } from "./send.ts";

const roleSlug = z.string().min(1).max(48);
/** A role, as `role_slug` or as the one member of `role_slugs`. */
const roleFields = { role_slug: roleSlug.optional(), role_slugs: z.array(roleSlug).length(1, "must name one role").optional() } as const;
/** Statuses there are; a membership is never `pending`, nobody has to accept one. */
const STATUSES = ["active", "inactive"] as const;

/** Endpoints on memberships. */
export const memberships: Section = {
  title: "Organization memberships",
  endpoints: [
    endpoint({
      method: "POST",
      path: "/user_management/organization_memberships",
      operationId: "createOrganizationMembership",
      summary: "Makes a user a member of an organization",
      description: "Without a role, the role is `member`.",
      access: "portcullis:organizations:write",
      body: z.object({ user_id: z.string().max(64), organization_id: z.string().max(64), ...roleFields }),
      replies: { 201: membershipSchema },
      errors: ["entity_not_found", "organization_membership_already_exists"],
      handler: async ({ services, body, terms }) => {
        const { cells, now, randomBytes } = services;
        const { user_id, organization_id } = body;
        const cell = cells.cellOf(organization_id);
        const sending = { cell, terms, codes: { already_exists: "organization_membership_already_exists" } } as const;
        const done = await prepareAndSend(services, "create_membership", sending, async () => {
          const user = await cells.home().user(user_id);
          if (!user) throw notFound("User", user_id);
          const id = mintId("om", now(), randomBytes, cell);
          const role = roleOf(body) ?? "member";
          return { command: { type: "create_membership", id, organization_id, user_id, user_email: user.email, role } };
        });
        return created(done);
      },
    }),

    endpoint({
      method: "GET",
      path: "/user_management/organization_memberships",
      operationId: "listOrganizationMemberships",
      summary: "Lists the memberships of a user, of an organization, or of both",
      access: "portcullis:organizations:read",
      query: pageQuery("om").safeExtend({
        user_id: z.string().optional(),
        organization_id: z.string().optional(),
        statuses: z.string().optional().describe("`active`, `inactive`, or both, separated by a comma. Absent: both."),
      }),
      replies: { 200: pageOf(membershipSchema) },
      errors: ["missing_user_id_or_organization_id"],
      handler: async ({ services: { cells }, query }) => {
        const { user_id, organization_id, statuses, ...page } = query;
        if (!user_id && !organization_id) throw new ApiError("missing_user_id_or_organization_id", "Send user_id or organization_id.");
        const wanted = STATUSES.filter((status) => statuses?.split(",").includes(status) ?? true);
        const [status] = wanted;
        if (status === undefined) return ok(assemblePage(page, []));
        const filter = {
          ...(user_id && { user_id }),
          ...(organization_id && { organization_id }),
          ...(wanted.length === 1 && { status }),
        };
        const walk = walkOf(page);
        const slices = organization_id
          ? [await cells.ledger(cells.cellOf(organization_id)).listMemberships(filter, walk)]
          : await cells.everywhere((ledger) => ledger.listMemberships(filter, walk));
        return ok(assemblePage(page, slices));
      },
    }),

    endpoint({
      method: "GET",
      path: "/user_management/organization_memberships/:organization_membership_id",
      operationId: "getOrganizationMembership",
      summary: "Reads a membership",
      access: "portcullis:organizations:read",
      replies: { 200: membershipSchema },
      handler: async ({ services, params: { organization_membership_id } }) => {
        const { id, cell } = organization_membership_id;
        const membership = await services.cells.ledger(cell).membership(id);
        if (!membership) throw notFound("Organization membership", id);
        return ok(membership);
      },
    }),

    endpoint({
      method: "PUT",
      path: "/user_management/organization_memberships/:organization_membership_id",
      operationId: "updateOrganizationMembership",
      summary: "Gives a member another role",
      description: "The user's keys in the organization follow at once.",
      access: "portcullis:organizations:write",
      body: z.object(roleFields).meta({ examples: [{ role_slug: "member" }] }),
      replies: inForce(membershipSchema),
      handler: async ({ services, params: { organization_membership_id }, body, terms }) => {
        const { id, cell } = organization_membership_id;
        const role = roleOf(body);
        if (role === undefined) throw invalid([{ code: "required", field: "role_slug", message: "is required" }]);
        return changed(await send(services, { type: "change_membership_role", id, role }, { cell, terms }));
      },
    }),

    endpoint({
      method: "PUT",
      path: "/user_management/organization_memberships/:organization_membership_id/deactivate",
      operationId: "deactivateOrganizationMembership",
      summary: "Keeps the user's keys in the organization from working",
      description: "They stay as they are until the membership is active again; none can be made meanwhile.",
      access: "portcullis:organizations:write",
      body: z.object({ reason }),
      replies: inForce(membershipSchema),
      handler: async ({ services, params: { organization_membership_id }, body, terms }) => {
        const { id, cell } = organization_membership_id;
        return changed(await send(services, { type: "deactivate_membership", id }, { cell, terms, reason: body.reason }));
      },
    }),

    endpoint({
      method: "PUT",
      path: "/user_management/organization_memberships/:organization_membership_id/reactivate",
      operationId: "reactivateOrganizationMembership",
      summary: "Lets the user's keys in the organization work again",
      description: "With what the role allows now. A member whose role is gone needs another one first.",
      access: "portcullis:organizations:write",
      body: z.object({ reason }),
      replies: inForce(membershipSchema),
      handler: async ({ services, params: { organization_membership_id }, body, terms }) => {
        const { id, cell } = organization_membership_id;
        return changed(await send(services, { type: "reactivate_membership", id }, { cell, terms, reason: body.reason }));
      },
    }),

    endpoint({
      method: "DELETE",
      path: "/user_management/organization_memberships/:organization_membership_id",
      operationId: "deleteOrganizationMembership",
      summary: "Ends a membership",
      description: "The user's keys in the organization end with it; the organization's own keys live on.",
      access: "portcullis:organizations:write",
      body: z.object({ reason }),
      replies: ENDED,
      handler: async ({ services, params: { organization_membership_id }, body, terms }) => {
        const { id, cell } = organization_membership_id;
        return ended(await send(services, { type: "end_membership", id }, { cell, terms, reason: body.reason }));
      },
    }),
  ],
};

function roleOf(asked: z.output<z.ZodObject<typeof roleFields>>): string | undefined {
  return asked.role_slug ?? asked.role_slugs?.[0];
}
