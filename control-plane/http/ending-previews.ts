/** What would end with something, looked at before it is ended: how many keys, and which of them are in use. */
import { sumOfPreviews, type Ending } from "../ledger/ending-preview.ts";
import { endingPreviewSchema } from "../ledger/view.ts";
import { notFound } from "./api-error.ts";
import { endpoint, type Section, type Services } from "./endpoint.ts";
import { ok } from "./reply.ts";

const replies = { 200: endingPreviewSchema } as const;
const description = "Keys by number, by how many were used within the last hour, and the ten that were used last. Changes nothing.";

/** Endpoints that show what an ending would take with it. */
export const endingPreviews: Section = {
  title: "Ending previews",
  endpoints: [
    endpoint({
      method: "GET",
      path: "/organizations/:organization_id/preview",
      operationId: "previewOrganizationEnding",
      summary: "What would end with an organization",
      description,
      access: "portcullis:api_keys:read",
      replies,
      handler: async ({ services, params: { organization_id } }) => {
        const { id, cell } = organization_id;
        const ledger = services.cells.ledger(cell);
        if (!(await ledger.organization(id))) throw notFound("Organization", id);
        return ok(await ledger.previewEnding({ type: "organization", id }));
      },
    }),

    endpoint({
      method: "GET",
      path: "/user_management/users/:user_id/preview",
      operationId: "previewUserEnding",
      summary: "What would end with a user, in all organizations",
      description,
      access: "portcullis:api_keys:read",
      replies,
      handler: async ({ services, params: { user_id } }) => {
        if (!(await services.cells.home().user(user_id))) throw notFound("User", user_id);
        return ok(await previewEverywhere(services, { type: "user", id: user_id }));
      },
    }),

    endpoint({
      method: "GET",
      path: "/user_management/organization_memberships/:organization_membership_id/preview",
      operationId: "previewOrganizationMembershipEnding",
      summary: "What would end with a membership",
      description,
      access: "portcullis:api_keys:read",
      replies,
      handler: async ({ services, params: { organization_membership_id } }) => {
        const { id, cell } = organization_membership_id;
        const ledger = services.cells.ledger(cell);
        if (!(await ledger.membership(id))) throw notFound("Organization membership", id);
        return ok(await ledger.previewEnding({ type: "membership", id }));
      },
    }),

    endpoint({
      method: "GET",
      path: "/authorization/roles/:role_slug/preview",
      operationId: "previewRoleEnding",
      summary: "Whose keys would lose what a role allows",
      description,
      access: "portcullis:api_keys:read",
      replies,
      handler: async ({ services, params: { role_slug } }) => {
        if (!(await services.cells.home().role(role_slug))) throw notFound("Role", role_slug);
        return ok(await previewEverywhere(services, { type: "role", slug: role_slug }));
      },
    }),

    endpoint({
      method: "GET",
      path: "/authorization/permissions/:permission_slug/preview",
      operationId: "previewPermissionEnding",
      summary: "Which keys would lose a permission, and how many members' roles hold it",
      description,
      access: "portcullis:api_keys:read",
      replies,
      handler: async ({ services, params: { permission_slug } }) => {
        if (!(await services.cells.home().permission(permission_slug))) throw notFound("Permission", permission_slug);
        return ok(await previewEverywhere(services, { type: "permission", slug: permission_slug }));
      },
    }),

    endpoint({
      method: "GET",
      path: "/authorization/organizations/:organization_id/roles/:role_slug/preview",
      operationId: "previewOrganizationRoleEnding",
      summary: "Whose keys in an organization would lose what a role allows",
      description,
      access: "portcullis:api_keys:read",
      replies,
      handler: async ({ services, params: { organization_id, role_slug } }) => {
        const { id, cell } = organization_id;
        const ledger = services.cells.ledger(cell);
        if (!(await ledger.organization(id))) throw notFound("Organization", id);
        if (!(await ledger.applicableRole(id, role_slug))) throw notFound("Role", role_slug);
        return ok(await ledger.previewEnding({ type: "role", organization_id: id, slug: role_slug }));
      },
    }),
  ],
};

async function previewEverywhere({ cells }: Services, ending: Ending) {
  return sumOfPreviews(await cells.everywhere((ledger) => ledger.previewEnding(ending)));
}
