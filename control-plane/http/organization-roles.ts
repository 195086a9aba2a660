/** Roles that an organization makes for itself, beside those of the installation. */
import { z } from "zod";
import { mintId } from "../../core/identifier.ts";
import { roleSlug } from "../../core/role.ts";
import { roleSchema } from "../ledger/view.ts";
import { notFound } from "./api-error.ts";
import { endpoint, type Section, type Services } from "./endpoint.ts";
import { given, permissionSlugs, reason } from "./fields.ts";
import type { Located } from "./path-parameters.ts";
import { changed, created, ended, ENDED, inForce, listOf, ok } from "./reply.ts";
import { newRoleNames, ORGANIZATION_ROLE_PREFIX, permissionName, roleChange } from "./role-fields.ts";
import { send } from "./send.ts";

const newRole = z.object({
  slug: roleSlug
    .refine((slug) => slug.startsWith(ORGANIZATION_ROLE_PREFIX), `must begin with '${ORGANIZATION_ROLE_PREFIX}'`)
    .optional()
    .describe("Begins with `org-`. Absent: made from the name."),
  ...newRoleNames,
});

/** Endpoints on the roles of an organization. */
export const organizationRoles: Section = {
  title: "Organization roles",
  endpoints: [
    endpoint({
      method: "POST",
      path: "/authorization/organizations/:organization_id/roles",
      operationId: "createOrganizationRole",
      summary: "Makes a role of the organization's own, without permissions",
      access: "portcullis:permissions:write",
      body: newRole,
      replies: { 201: roleSchema },
      errors: ["organization_role_slug_conflict", "catalogue_limit"],
      handler: async ({ services, params: { organization_id }, body, terms }) => {
        const { id: organizationId, cell } = organization_id;
        const id = mintId("role", services.now(), services.randomBytes);
        const slug = body.slug ?? slugOf(body.name, id);
        const command = { type: "create_role", ...body, id, organization_id: organizationId, slug } as const;
        return created(await send(services, command, { cell, terms, codes: { already_exists: "organization_role_slug_conflict" } }));
      },
    }),

    endpoint({
      method: "GET",
      path: "/authorization/organizations/:organization_id/roles",
      operationId: "listOrganizationRoles",
      summary: "Lists all roles that members of the organization can have: the installation's and its own",
      access: "portcullis:permissions:read",
      replies: { 200: listOf(roleSchema) },
      handler: async ({ services, params: { organization_id } }) => {
        await requireOrganization(services, organization_id);
        const { id, cell } = organization_id;
        return ok({ object: "list", data: await services.cells.ledger(cell).applicableRoles(id) });
      },
    }),

    endpoint({
      method: "GET",
      path: "/authorization/organizations/:organization_id/roles/:role_slug",
      operationId: "getOrganizationRole",
      summary: "Reads a role that members of the organization can have",
      access: "portcullis:permissions:read",
      replies: { 200: roleSchema },
      handler: async ({ services, params: { organization_id, role_slug } }) => {
        await requireOrganization(services, organization_id);
        const { id, cell } = organization_id;
        const role = await services.cells.ledger(cell).applicableRole(id, role_slug);
        if (!role) throw notFound("Role", role_slug);
        return ok(role);
      },
    }),

    endpoint({
      method: "PATCH",
      path: "/authorization/organizations/:organization_id/roles/:role_slug",
      operationId: "updateOrganizationRole",
      summary: "Changes what a role of the organization's own is called",
      access: "portcullis:permissions:write",
      body: roleChange,
      replies: inForce(roleSchema),
      handler: async ({ services, params: { organization_id, role_slug }, body, terms }) => {
        const { id, cell } = organization_id;
        const command = { type: "update_role", organization_id: id, slug: role_slug, ...given(body) } as const;
        return changed(await send(services, command, { cell, terms }));
      },
    }),

    endpoint({
      method: "PUT",
      path: "/authorization/organizations/:organization_id/roles/:role_slug/permissions",
      operationId: "setOrganizationRolePermissions",
      summary: "Says what a role of the organization's own allows",
      description: "The keys of every member with the role follow at once.",
      access: "portcullis:permissions:write",
      body: z.object({ permissions: permissionSlugs }),
      replies: inForce(roleSchema),
      errors: ["permission_not_assignable"],
      handler: async ({ services, params: { organization_id, role_slug }, body, terms }) => {
        const { id, cell } = organization_id;
        const { permissions } = body;
        const command = { type: "set_role_permissions", organization_id: id, slug: role_slug, permissions } as const;
        return changed(await send(services, command, { cell, terms }));
      },
    }),

    endpoint({
      method: "POST",
      path: "/authorization/organizations/:organization_id/roles/:role_slug/permissions",
      operationId: "addOrganizationRolePermission",
      summary: "Lets a role of the organization's own allow one permission more",
      access: "portcullis:permissions:write",
      body: permissionName,
      replies: inForce(roleSchema),
      errors: ["permission_not_assignable"],
      handler: async ({ services, params: { organization_id, role_slug }, body, terms }) => {
        const { id, cell } = organization_id;
        const command = { type: "add_role_permission", organization_id: id, slug: role_slug, permission: body.slug } as const;
        return changed(await send(services, command, { cell, terms }));
      },
    }),

    endpoint({
      method: "DELETE",
      path: "/authorization/organizations/:organization_id/roles/:role_slug/permissions/:permission_slug",
      operationId: "removeOrganizationRolePermission",
      summary: "Takes one permission from a role of the organization's own",
      description: "By the very name the role holds it by: 404 for one that only a wildcard covers.",
      access: "portcullis:permissions:write",
      replies: inForce(roleSchema),
      handler: async ({ services, params: { organization_id, role_slug, permission_slug }, terms }) => {
        const { id, cell } = organization_id;
        const command = { type: "remove_role_permission", organization_id: id, slug: role_slug, permission: permission_slug } as const;
        return changed(await send(services, command, { cell, terms }));
      },
    }),

    endpoint({
      method: "DELETE",
      path: "/authorization/organizations/:organization_id/roles/:role_slug",
      operationId: "deleteOrganizationRole",
      summary: "Removes a role of the organization's own that no member has",
      access: "portcullis:permissions:write",
      body: z.object({ reason }),
      replies: ENDED,
      errors: ["role_has_assignments"],
      handler: async ({ services, params: { organization_id, role_slug }, body, terms }) => {
        const { id, cell } = organization_id;
        const command = { type: "delete_role", organization_id: id, slug: role_slug } as const;
        return ended(await send(services, command, { cell, terms, reason: body.reason }));
      },
    }),
  ],
};

async function requireOrganization({ cells }: Services, { id, cell }: Located): Promise<void> {
  if (!(await cells.ledger(cell).organization(id))) throw notFound("Organization", id);
}

/** A slug from what of the name can stand in one, and of the id what makes it unlike any other. */
function slugOf(name: string, id: string): string {
  const words = name
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .slice(0, 30);
  return `${ORGANIZATION_ROLE_PREFIX}${words}-${id.slice(-10).toLowerCase()}`;
}
