/** The permission catalogue: what keys can be granted. */
import { z } from "zod";
import { HOME_CELL, mintId } from "../../core/identifier.ts";
import { assemblePage, walkOf } from "../../core/page.ts";
import { PLATFORM_PERMISSION_PREFIX } from "../../core/permission.ts";
import { permissionSlug } from "../../core/permission-slug.ts";
import { permissionSchema } from "../ledger/view.ts";
import { notFound } from "./api-error.ts";
import { endpoint, type Section } from "./endpoint.ts";
import { displayName, given } from "./fields.ts";
import { pageQuery } from "./query.ts";
import { changed, created, ended, ENDED, inForce, ok, pageOf } from "./reply.ts";
import { send } from "./send.ts";

const name = displayName.max(48, "at most 48 characters");
const description = z.string().max(150, "at most 150 characters").nullish();
const slug = permissionSlug.refine(
  (text) => text !== "*" && !text.startsWith(PLATFORM_PERMISSION_PREFIX),
  `'*' and slugs that start with '${PLATFORM_PERMISSION_PREFIX}' are reserved`,
);

/** Endpoints on the catalogue. */
export const permissions: Section = {
  title: "Permissions",
  endpoints: [
    endpoint({
      method: "POST",
      path: "/authorization/permissions",
      operationId: "createPermission",
      summary: "Puts a permission into the catalogue",
      access: "portcullis:permissions:write",
      body: z.object({
        slug,
        name,
        description,
        enabled_for: z
          .object({ user_api_keys: z.boolean().default(true), organization_api_keys: z.boolean().default(true) })
          .default({ user_api_keys: true, organization_api_keys: true }),
      }),
      replies: { 201: permissionSchema },
      errors: ["permission_slug_conflict", "enabled_by_wildcard", "catalogue_limit", "not_yet_effective"],
      handler: async ({ services, body, terms }) => {
        const id = mintId("perm", services.now(), services.randomBytes);
        const command = { type: "create_permission", id, ...body, description: body.description ?? null } as const;
        return created(await send(services, command, { cell: HOME_CELL, terms, codes: { already_exists: "permission_slug_conflict" } }));
      },
    }),

    endpoint({
      method: "GET",
      path: "/authorization/permissions",
      operationId: "listPermissions",
      summary: "Lists the catalogue",
      access: "portcullis:permissions:read",
      query: pageQuery("perm"),
      replies: { 200: pageOf(permissionSchema) },
      handler: async ({ services, query }) => ok(assemblePage(query, [await services.cells.home().listPermissions(walkOf(query))])),
    }),

    endpoint({
      method: "GET",
      path: "/authorization/permissions/:permission_slug",
      operationId: "getPermission",
      summary: "Reads a permission",
      access: "portcullis:permissions:read",
      replies: { 200: permissionSchema },
      handler: async ({ services, params: { permission_slug } }) => {
        const permission = await services.cells.home().permission(permission_slug);
        if (!permission) throw notFound("Permission", permission_slug);
        return ok(permission);
      },
    }),

    endpoint({
      method: "PATCH",
      path: "/authorization/permissions/:permission_slug",
      operationId: "updatePermission",
      summary: "Changes what a permission is called, and which kinds of key may hold it",
      access: "portcullis:permissions:write",
      body: z.object({
        name: name.optional(),
        description,
        enabled_for: z.object({ user_api_keys: z.boolean(), organization_api_keys: z.boolean() }).partial().optional(),
      }),
      replies: inForce(permissionSchema),
      errors: ["enabled_by_wildcard", "not_yet_effective"],
      handler: async ({ services, params: { permission_slug }, body, terms }) => {
        const command = {
          type: "update_permission",
          slug: permission_slug,
          ...(body.name !== undefined && { name: body.name }),
          ...(body.description !== undefined && { description: body.description }),
          ...(body.enabled_for && { enabled_for: given(body.enabled_for) }),
        } as const;
        return changed(await send(services, command, { cell: HOME_CELL, terms }));
      },
    }),

    endpoint({
      method: "DELETE",
      path: "/authorization/permissions/:permission_slug",
      operationId: "deletePermission",
      summary: "Takes a permission out of the catalogue",
      description: "When this answers, no key and no role holds it any more, but by a wildcard of the catalogue that covers it.",
      access: "portcullis:permissions:write",
      replies: ENDED,
      errors: ["not_yet_effective"],
      handler: async ({ services, params: { permission_slug }, terms }) =>
        ended(await send(services, { type: "delete_permission", slug: permission_slug }, { cell: HOME_CELL, terms })),
    }),
  ],
};
