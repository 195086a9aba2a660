/** Users and the keys they own. */
import { Hono } from "hono";
import { z } from "zod";
import { HOME_CELL, mintId } from "../../core/identifier.ts";
import { assemblePage, walkOf } from "../../core/page.ts";
import type { UserView } from "../ledger/view.ts";
import { notFound } from "./api-error.ts";
import { admit, admitCaller, send, type AppEnvironment, type Services } from "./endpoint.ts";
import { displayName, externalId } from "./fields.ts";
import { createApiKey, newKeyFields } from "./create-api-key.ts";
import { answerCommitted } from "./receipts.ts";
import { pageQuery, refuseFilters } from "./page-query.ts";

const optionalName = displayName.nullish().transform((name) => name ?? null);
const newUser = z.object({
  email: z.email("must be an e-mail address").max(254),
  first_name: optionalName,
  last_name: optionalName,
  external_id: externalId,
});
const newUserKey = z.object({ ...newKeyFields, organization_id: z.string().max(64) });

/** Endpoints under `/user_management/users`. */
export function userRoutes(services: Services): Hono<AppEnvironment> {
  const { cells } = services;
  const app = new Hono<AppEnvironment>();

  /** `POST /user_management/users` `{email, first_name?, last_name?, external_id?}`: 201 the user; 409 `user_already_exists`. */
  app.post("/", async (c) => {
    const { body, terms } = await admit(services, c, "portcullis:users:write", newUser);
    const command = { type: "create_user", id: mintId("user", services.now(), services.randomBytes), ...body } as const;
    const sending = { cell: HOME_CELL, terms, codes: { already_exists: "user_already_exists" } };
    return answerCommitted(c, await send(services, command, sending), { status: 201 });
  });

  /** `GET /user_management/users`: 200 a page; `email` filters. */
  app.get("/", async (c) => {
    await admitCaller(services, c, "portcullis:users:read");
    refuseFilters(c.req.query(), "organization_id");
    const page = pageQuery(c.req.query(), "user");
    const email = c.req.query("email");
    return c.json(assemblePage(page, [await cells.home().listUsers(email === undefined ? {} : { email }, walkOf(page))]));
  });

  /** `GET /user_management/users/:id`: 200; 404. */
  app.get("/:id", async (c) => {
    await admitCaller(services, c, "portcullis:users:read");
    return c.json(await user(c.req.param("id")));
  });

  /** `GET /user_management/users/:id/api_keys`: 200 a page of the user's keys, of one organization (`organization_id`) or of all; 404. */
  app.get("/:id/api_keys", async (c) => {
    await admitCaller(services, c, "portcullis:api_keys:read");
    const { id } = await user(c.req.param("id"));
    const page = pageQuery(c.req.query(), "api_key");
    const organization = c.req.query("organization_id");
    if (organization === undefined)
      return c.json(assemblePage(page, await cells.everywhere((ledger) => ledger.listApiKeys({ type: "user", id }, walkOf(page)))));
    const slice = await cells
      .ledger(cells.cellOf(organization))
      .listApiKeys({ type: "user", id, organization_id: organization }, walkOf(page));
    return c.json(assemblePage(page, [slice]));
  });

  /** `POST /user_management/users/:id/api_keys` `{name, organization_id, permissions?, expires_at?, environment?}`: 201 the key with its `value`; 404; 422 `membership_not_active`. */
  app.post("/:id/api_keys", async (c) => {
    const { body, terms } = await admit(services, c, "portcullis:api_keys:write", newUserKey);
    const { id: userId } = await user(c.req.param("id"));
    const owner = { type: "user", id: userId, organization_id: body.organization_id } as const;
    return createApiKey(services, c, owner, body, terms);
  });

  return app;

  async function user(id: string): Promise<UserView> {
    const found = await cells.home().user(id);
    if (!found) throw notFound("User", id);
    return found;
  }
}
