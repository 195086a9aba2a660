/** The permission catalogue: what keys can be granted. */
import { Hono } from "hono";
import { z } from "zod";
import { HOME_CELL, mintId } from "../../core/identifier.ts";
import { assemblePage, walkOf } from "../../core/page.ts";
import { permissionSlug, PLATFORM_PERMISSION_PREFIX } from "../../core/permission.ts";
import { notFound } from "./api-error.ts";
import { admit, admitCaller, send, type AppEnvironment, type Services } from "./endpoint.ts";
import { displayName } from "./fields.ts";
import { answerCommitted } from "./receipts.ts";
import { pageQuery } from "./page-query.ts";

const name = displayName.max(48, "at most 48 characters");
const description = z.string().max(150, "at most 150 characters").nullish();
const enabledFor = z.object({ user_api_keys: z.boolean().default(true), organization_api_keys: z.boolean().default(true) });
const slug = permissionSlug.refine(
  (text) => text !== "*" && !text.startsWith(PLATFORM_PERMISSION_PREFIX),
  `'*' and slugs that start with '${PLATFORM_PERMISSION_PREFIX}' are reserved`,
);
const newPermission = z.object({
  slug,
  name,
  description,
  enabled_for: enabledFor.default({ user_api_keys: true, organization_api_keys: true }),
});
const change = z.object({
  name: name.optional(),
  description,
  enabled_for: z.object({ user_api_keys: z.boolean(), organization_api_keys: z.boolean() }).partial().optional(),
});

/** Endpoints under `/authorization/permissions`. */
export function permissionRoutes(services: Services): Hono<AppEnvironment> {
  const app = new Hono<AppEnvironment>();

  /** `POST …` `{slug, name, description?, enabled_for?}`: 201; 409 `permission_slug_conflict`; 422. */
  app.post("/", async (c) => {
    const { body, terms } = await admit(services, c, "portcullis:permissions:write", newPermission);
    const id = mintId("perm", services.now(), services.randomBytes);
    const command = {
      type: "create_permission",
      id,
      slug: body.slug,
      name: body.name,
      description: body.description ?? null,
      enabled_for: body.enabled_for,
    } as const;
    const sending = { cell: HOME_CELL, terms, codes: { already_exists: "permission_slug_conflict" } };
    return answerCommitted(c, await send(services, command, sending), { status: 201 });
  });

  /** `GET …`: 200 a page. */
  app.get("/", async (c) => {
    await admitCaller(services, c, "portcullis:permissions:read");
    const page = pageQuery(c.req.query(), "perm");
    return c.json(assemblePage(page, [await services.cells.home().listPermissions(walkOf(page))]));
  });

  /** `GET …/:slug`: 200; 404. */
  app.get("/:slug", async (c) => {
    await admitCaller(services, c, "portcullis:permissions:read");
    const permission = await services.cells.home().permission(c.req.param("slug"));
    if (!permission) throw notFound("Permission", c.req.param("slug"));
    return c.json(permission);
  });

  /** `PATCH …/:slug` `{name?, description?, enabled_for?}`: 200, in force in every cell; 404. */
  app.patch("/:slug", async (c) => {
    const { body, terms } = await admit(services, c, "portcullis:permissions:write", change);
    const command = {
      type: "update_permission",
      slug: c.req.param("slug"),
      ...(body.name !== undefined && { name: body.name }),
      ...(body.description !== undefined && { description: body.description }),
      ...(body.enabled_for && { enabled_for: defined(body.enabled_for) }),
    } as const;
    return answerCommitted(c, await send(services, command, { cell: HOME_CELL, terms }), { status: 200 });
  });

  /** `DELETE …/:slug`: 204 when no key and no role holds it any more; 404. */
  app.delete("/:slug", async (c) => {
    const { terms } = await admit(services, c, "portcullis:permissions:write", z.object({}));
    const command = { type: "delete_permission", slug: c.req.param("slug") } as const;
    return answerCommitted(c, await send(services, command, { cell: HOME_CELL, terms }), { status: 204 });
  });

  return app;
}

/** The members that are there: absent is not the same as undefined to the ledger. */
function defined(flags: { readonly user_api_keys?: boolean | undefined; readonly organization_api_keys?: boolean | undefined }): {
  user_api_keys?: boolean;
  organization_api_keys?: boolean;
} {
  return {
    ...(flags.user_api_keys !== undefined && { user_api_keys: flags.user_api_keys }),
    ...(flags.organization_api_keys !== undefined && { organization_api_keys: flags.organization_api_keys }),
  };
}
