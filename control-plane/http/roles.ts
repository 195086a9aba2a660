/** Roles of members: what a user, and so a user's key, may do in an organization. */
import { Hono } from "hono";
import { z } from "zod";
import { HOME_CELL, mintId } from "../../core/identifier.ts";
import { notFound } from "./api-error.ts";
import { admit, admitCaller, send, type AppEnvironment, type Services } from "./endpoint.ts";
import { answerCommitted } from "./receipts.ts";
import { displayName, permissionSlugs } from "./fields.ts";

const newRole = z.object({
  slug: z.string().regex(/^[a-z0-9][a-z0-9._-]{0,47}$/, "lower-case letters, digits, '.', '_', '-'; at most 48"),
  name: displayName.max(48, "at most 48 characters"),
  description: z.string().max(150, "at most 150 characters").nullish(),
});
const rolePermissions = z.object({ permissions: permissionSlugs });

/** Endpoints under `/authorization/roles`. */
export function roleRoutes(services: Services): Hono<AppEnvironment> {
  const app = new Hono<AppEnvironment>();

  /** `POST …` `{slug, name, description?}`: 201 a role without permissions; 409 `role_slug_conflict`. */
  app.post("/", async (c) => {
    const { body, terms } = await admit(services, c, "portcullis:permissions:write", newRole);
    const id = mintId("role", services.now(), services.randomBytes);
    const command = { type: "create_role", id, slug: body.slug, name: body.name, description: body.description ?? null } as const;
    const sending = { cell: HOME_CELL, terms, codes: { already_exists: "role_slug_conflict" } };
    return answerCommitted(c, await send(services, command, sending), { status: 201 });
  });

  /** `GET …`: 200 all roles; not paginated, as in the WorkOS API. */
  app.get("/", async (c) => {
    await admitCaller(services, c, "portcullis:permissions:read");
    return c.json({ object: "list", data: await services.cells.home().listRoles() });
  });

  /** `GET …/:slug`: 200; 404. */
  app.get("/:slug", async (c) => {
    await admitCaller(services, c, "portcullis:permissions:read");
    const role = await services.cells.home().role(c.req.param("slug"));
    if (!role) throw notFound("Role", c.req.param("slug"));
    return c.json(role);
  });

  /** `PUT …/:slug/permissions` `{permissions}`: 200 the role, in force for every member's keys; 404; 422. */
  app.put("/:slug/permissions", async (c) => {
    const { body, terms } = await admit(services, c, "portcullis:permissions:write", rolePermissions);
    const command = { type: "set_role_permissions", slug: c.req.param("slug"), permissions: body.permissions } as const;
    return answerCommitted(c, await send(services, command, { cell: HOME_CELL, terms }), { status: 200 });
  });

  return app;
}
