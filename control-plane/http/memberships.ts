/** Memberships: who belongs to which organization, with which role. */
import { Hono } from "hono";
import { z } from "zod";
import { cellOfId, mintId } from "../../core/identifier.ts";
import { assemblePage, walkOf } from "../../core/page.ts";
import { ApiError, invalid, notFound } from "./api-error.ts";
import { admit, admitCaller, send, type AppEnvironment, type Services } from "./endpoint.ts";
import { answerCommitted } from "./receipts.ts";
import { pageQuery } from "./page-query.ts";

const roleSlug = z.string().min(1).max(48);
/** A role, as `role_slug` or as the one member of `role_slugs`. */
const roleFields = { role_slug: roleSlug.optional(), role_slugs: z.array(roleSlug).length(1, "must name one role").optional() } as const;
const newMembership = z.object({ user_id: z.string().max(64), organization_id: z.string().max(64), ...roleFields });
const newRole = z.object(roleFields);
/** Every membership there is is active: other statuses list nothing. */
const ACTIVE = "active";

/** Endpoints under `/user_management/organization_memberships`. */
export function membershipRoutes(services: Services): Hono<AppEnvironment> {
  const { cells } = services;
  const app = new Hono<AppEnvironment>();

  /** `POST …` `{user_id, organization_id, role_slug? | role_slugs?: [one]}` (default `member`): 201; 404 user, organization or role; 409 already a member. */
  app.post("/", async (c) => {
    const { body, terms } = await admit(services, c, "portcullis:organizations:write", newMembership);
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
      role: roleOf(body) ?? "member",
    } as const;
    const sending = { cell, terms, codes: { already_exists: "organization_membership_already_exists" } };
    return answerCommitted(c, await send(services, command, sending), { status: 201 });
  });

  /** `GET …?user_id=|organization_id=[&statuses=]`: 200 a page; 400 without either. */
  app.get("/", async (c) => {
    await admitCaller(services, c, "portcullis:organizations:read");
    const page = pageQuery(c.req.query(), "om");
    const user_id = c.req.query("user_id");
    const organization_id = c.req.query("organization_id");
    if (!user_id && !organization_id) throw new ApiError(400, "missing_user_id_or_organization_id", "Send user_id or organization_id.");
    const statuses = c.req.query("statuses");
    if (statuses !== undefined && !statuses.split(",").includes(ACTIVE)) return c.json(assemblePage(page, []));
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

  /** `PUT …/:id` `{role_slug | role_slugs: [one]}`: 200; the user's keys follow the new role at once; 404. */
  app.put("/:id", async (c) => {
    const { body, terms } = await admit(services, c, "portcullis:organizations:write", newRole);
    const id = c.req.param("id");
    const role = roleOf(body);
    if (role === undefined) throw invalid([{ code: "required", field: "role_slug", message: "is required" }]);
    const command = { type: "change_membership_role", id, role } as const;
    return answerCommitted(c, await send(services, command, { cell: cellOf(id), terms }), { status: 200 });
  });

  /** `DELETE …/:id`: 204 when the user's keys in the organization are dead; the organization's keys live on; 404. */
  app.delete("/:id", async (c) => {
    const { terms } = await admit(services, c, "portcullis:organizations:write", z.object({}));
    const id = c.req.param("id");
    return answerCommitted(c, await send(services, { type: "end_membership", id }, { cell: cellOf(id), terms }), { status: 204 });
  });

  return app;

  function roleOf({
    role_slug,
    role_slugs,
  }: {
    readonly role_slug?: string | undefined;
    readonly role_slugs?: readonly string[] | undefined;
  }) {
    return role_slug ?? role_slugs?.[0];
  }

  function cellOf(id: string): number {
    const cell = cellOfId("om", id, cells.count);
    if (cell === undefined) throw notFound("Organization membership", id);
    return cell;
  }
}
