/** Memberships: who belongs to which organization, with which role. */
import { Hono } from "hono";
import { z } from "zod";
import { cellOfId, mintId } from "../../core/identifier.ts";
import { assemblePage, walkOf } from "../../core/page.ts";
import { ApiError, notFound } from "./api-error.ts";
import { actorOf, admit, admitCaller, send, type AppEnvironment, type Services } from "./endpoint.ts";
import { pageQuery } from "./page-query.ts";

const roleSlug = z.string().min(1).max(48);
const newMembership = z.object({ user_id: z.string().max(64), organization_id: z.string().max(64), role_slug: roleSlug.default("member") });
const newRole = z.object({ role_slug: roleSlug });

/** Endpoints under `/user_management/organization_memberships`. */
export function membershipRoutes(services: Services): Hono<AppEnvironment> {
  const { cells } = services;
  const app = new Hono<AppEnvironment>();

  /** `POST …` `{user_id, organization_id, role_slug?}` (default `member`): 201; 404 user, organization or role; 409 already a member. */
  app.post("/", async (c) => {
    const { caller, body, repetition } = await admit(services, c, "portcullis:organizations:write", newMembership);
    const user = await cells.home().user(body.user_id);
    if (!user) throw notFound("User", body.user_id);
    const cell = cells.cellOf(body.organization_id);
    const id = mintId("om", services.now(), services.randomBytes, cell);
    const command = {
      type: "create_membership",
      id,
      organization_id: body.organization_id,
      user_id: user.id,
      user_email: user.email,
      role: body.role_slug,
    } as const;
    const sending = { cell, actor: actorOf(caller), repetition, codes: { already_exists: "organization_membership_already_exists" } };
    return c.json((await send(services, command, sending)).reply, 201);
  });

  /** `GET …?user_id=|organization_id=`: 200 a page; 400 without either. */
  app.get("/", async (c) => {
    await admitCaller(services, c, "portcullis:organizations:read");
    const page = pageQuery(c.req.query(), "om");
    const user_id = c.req.query("user_id");
    const organization_id = c.req.query("organization_id");
    if (!user_id && !organization_id) throw new ApiError(400, "missing_user_id_or_organization_id", "Send user_id or organization_id.");
    const filter = { ...(user_id && { user_id }), ...(organization_id && { organization_id }) };
    const walk = walkOf(page);
    const slices = organization_id
      ? [await cells.ledger(cells.cellOf(organization_id)).listMemberships(filter, walk)]
      : await cells.everywhere((ledger) => ledger.listMemberships(filter, walk));
    return c.json(assemblePage(page, slices));
  });

  /** `GET …/:id`: 200; 404. */
  app.get("/:id", async (c) => {
    await admitCaller(services, c, "portcullis:organizations:read");
    const id = c.req.param("id");
    const membership = await cells.ledger(cellOf(id)).membership(id);
    if (!membership) throw notFound("Organization membership", id);
    return c.json(membership);
  });

  /** `PUT …/:id` `{role_slug}`: 200; the user's keys follow the new role at once; 404. */
  app.put("/:id", async (c) => {
    const { caller, body, repetition } = await admit(services, c, "portcullis:organizations:write", newRole);
    const id = c.req.param("id");
    return c.json(
      (
        await send(
          services,
          { type: "change_membership_role", id, role: body.role_slug },
          { cell: cellOf(id), actor: actorOf(caller), repetition },
        )
      ).reply,
    );
  });

  /** `DELETE …/:id`: 204 when the user's keys in the organization are dead; the organization's keys live on; 404. */
  app.delete("/:id", async (c) => {
    const { caller, repetition } = await admit(services, c, "portcullis:organizations:write", z.object({}));
    const id = c.req.param("id");
    await send(services, { type: "end_membership", id }, { cell: cellOf(id), actor: actorOf(caller), repetition });
    return c.body(null, 204);
  });

  return app;

  function cellOf(id: string): number {
    const cell = cellOfId("om", id, cells.count);
    if (cell === undefined) throw notFound("Organization membership", id);
    return cell;
  }
}
