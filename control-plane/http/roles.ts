/** Roles of members: what a user, and so a user's key, may do in an organization. */
import { z } from "zod";
import { HOME_CELL, mintId } from "../../core/identifier.ts";
import { roleSchema } from "../ledger/view.ts";
import { notFound } from "./api-error.ts";
import { endpoint, type Section } from "./endpoint.ts";
import { displayName, permissionSlugs } from "./fields.ts";
import { changed, created, inForce, listOf, ok } from "./reply.ts";
import { send } from "./send.ts";

const newRole = z.object({
  slug: z.string().regex(/^[a-z0-9][a-z0-9._-]{0,47}$/, "lower-case letters, digits, '.', '_', '-'; at most 48"),
  name: displayName.max(48, "at most 48 characters"),
  description: z.string().max(150, "at most 150 characters").nullish(),
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
      errors: ["role_slug_conflict", "not_yet_effective"],
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
  ],
};
