/** Roles of members: what a user, and so a user's key, may do in an organization. */
import { z } from "zod";
import { HOME_CELL, mintId } from "../../core/identifier.ts";
import { roleSlug } from "../../core/role.ts";
import { roleSchema } from "../ledger/view.ts";
import { notFound } from "./api-error.ts";
import { endpoint, type Section } from "./endpoint.ts";
import { given, permissionSlugs, reason } from "./fields.ts";
import { changed, created, ended, ENDED, inForce, listOf, ok } from "./reply.ts";
import { newRoleNames, ORGANIZATION_ROLE_PREFIX, permissionName, roleChange } from "./role-fields.ts";
import { send } from "./send.ts";

const newRole = z.object({
  slug: roleSlug.refine((slug) => !slug.startsWith(ORGANIZATION_ROLE_PREFIX), "'org-…' are roles that organizations make for themselves"),
  ...newRoleNames,
});

/** Endpoints on the roles of the installation. */
export const roles: Section = {
  title: "Roles",
  endpoints: [
    endpoint({
      method: "POST",
      path: "/authorization/roles",
      operationId: "createRole",
      summary: "Makes a role, without permissions",
      access: "portcullis:permissions:write",
      body: newRole,
      replies: { 201: roleSchema },
      errors: ["role_slug_conflict", "catalogue_limit", "not_yet_effective"],
      handler: async ({ services, body, terms }) => {
        const id = mintId("role", services.now(), services.randomBytes);
        const command = { type: "create_role", id, ...body, description: body.description ?? null } as const;
        return created(await send(services, command, { cell: HOME_CELL, terms, codes: { already_exists: "role_slug_conflict" } }));
      },
    }),

    endpoint({
      method: "GET",
      path: "/authorization/roles",
      operationId: "listRoles",
      summary: "Lists all roles, not paginated",
      access: "portcullis:permissions:read",
      replies: { 200: listOf(roleSchema) },
      handler: async ({ services }) => ok({ object: "list", data: await services.cells.home().listRoles() }),
    }),

    endpoint({
      method: "GET",
      path: "/authorization/roles/:role_slug",
      operationId: "getRole",
      summary: "Reads a role",
      access: "portcullis:permissions:read",
      replies: { 200: roleSchema },
      handler: async ({ services, params: { role_slug } }) => {
        const role = await services.cells.home().role(role_slug);
        if (!role) throw notFound("Role", role_slug);
        return ok(role);
      },
    }),

    endpoint({
      method: "PUT",
      path: "/authorization/roles/:role_slug/permissions",
      operationId: "setRolePermissions",
      summary: "Says what a role allows",
      description: "The keys of everyone with the role follow at once.",
      access: "portcullis:permissions:write",
      body: z.object({ permissions: permissionSlugs }),
      replies: inForce(roleSchema),
      errors: ["permission_not_assignable", "not_yet_effective"],
      handler: async ({ services, params: { role_slug }, body, terms }) => {
        const command = { type: "set_role_permissions", slug: role_slug, permissions: body.permissions } as const;
        return changed(await send(services, command, { cell: HOME_CELL, terms }));
      },
    }),

    endpoint({
      method: "PATCH",
      path: "/authorization/roles/:role_slug",
      operationId: "updateRole",
      summary: "Changes what a role is called",
      access: "portcullis:permissions:write",
      body: roleChange,
      replies: inForce(roleSchema),
      errors: ["not_yet_effective"],
      handler: async ({ services, params: { role_slug }, body, terms }) => {
        const command = { type: "update_role", slug: role_slug, ...given(body) } as const;
        return changed(await send(services, command, { cell: HOME_CELL, terms }));
      },
    }),

    endpoint({
      method: "POST",
      path: "/authorization/roles/:role_slug/permissions",
      operationId: "addRolePermission",
      summary: "Lets a role allow one permission more",
      access: "portcullis:permissions:write",
      body: permissionName,
      replies: inForce(roleSchema),
      errors: ["permission_not_assignable", "not_yet_effective"],
      handler: async ({ services, params: { role_slug }, body, terms }) => {
        const command = { type: "add_role_permission", slug: role_slug, permission: body.slug } as const;
        return changed(await send(services, command, { cell: HOME_CELL, terms }));
      },
    }),

    endpoint({
      method: "DELETE",
      path: "/authorization/roles/:role_slug/permissions/:permission_slug",
      operationId: "removeRolePermission",
      summary: "Takes one permission from a role",
      description: "By the very name the role holds it by: 404 for one that only a wildcard covers.",
      access: "portcullis:permissions:write",
      replies: inForce(roleSchema),
      errors: ["not_yet_effective"],
      handler: async ({ services, params: { role_slug, permission_slug }, terms }) => {
        const command = { type: "remove_role_permission", slug: role_slug, permission: permission_slug } as const;
        return changed(await send(services, command, { cell: HOME_CELL, terms }));
      },
    }),

    endpoint({
      method: "DELETE",
      path: "/authorization/roles/:role_slug",
      operationId: "deleteRole",
      summary: "Removes a role that no member of any organization has",
      access: "portcullis:permissions:write",
      body: z.object({ reason }),
      replies: ENDED,
      errors: ["role_has_assignments", "not_yet_effective"],
      handler: async ({ services, params: { role_slug }, body, terms }) =>
        ended(await send(services, { type: "delete_role", slug: role_slug }, { cell: HOME_CELL, terms, reason: body.reason })),
    }),
  ],
};
