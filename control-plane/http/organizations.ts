/** Organizations and the keys they own. */
import { Hono } from "hono";
import { z } from "zod";
import { mintId } from "../../core/identifier.ts";
import { assemblePage, walkOf } from "../../core/page.ts";
import { notFound } from "./api-error.ts";
import { actorOf, admit, admitCaller, send, type AppEnvironment, type Services } from "./endpoint.ts";
import { displayName, externalId, isoInstant, permissionSlugs } from "./fields.ts";
import { mintKey } from "./mint.ts";
import { pageQuery } from "./page-query.ts";

const newOrganization = z.object({ name: displayName, external_id: externalId });

/** What a new key is asked for with, whoever owns it. */
export const newKeyFields = {
  name: displayName,
  permissions: permissionSlugs.default([]),
  expires_at: isoInstant.nullish(),
  environment: z.enum(["live", "test"]).optional(),
} as const;

const newKey = z.object(newKeyFields);

/** Endpoints under `/organizations`. */
export function organizationRoutes(services: Services): Hono<AppEnvironment> {
  const { cells } = services;
  const app = new Hono<AppEnvironment>();

  /** `POST /organizations` `{name, external_id?}`: 201 the organization. */
  app.post("/", async (c) => {
    const { caller, body, repetition } = await admit(services, c, "portcullis:organizations:write", newOrganization);
    const cell = cells.cellOf(repetition.commandId);
    const command = { type: "create_organization", id: mintOrganizationId(cell), name: body.name, external_id: body.external_id } as const;
    return c.json((await send(services, command, { cell, actor: actorOf(caller), repetition })).reply, 201);
  });

  /** `GET /organizations`: 200 a page over all cells. */
  app.get("/", async (c) => {
    await admitCaller(services, c, "portcullis:organizations:read");
    const page = pageQuery(c.req.query(), "org");
    return c.json(assemblePage(page, await cells.everywhere((ledger) => ledger.listOrganizations(walkOf(page)))));
  });

  /** `GET /organizations/:id`: 200; 404. */
  app.get("/:id", async (c) => {
    await admitCaller(services, c, "portcullis:organizations:read");
    return c.json(await organization(c.req.param("id")));
  });

  /** `GET /organizations/:id/api_keys`: 200 a page of the keys the organization itself owns; 404. */
  app.get("/:id/api_keys", async (c) => {
    await admitCaller(services, c, "portcullis:api_keys:read");
    const id = c.req.param("id");
    const page = pageQuery(c.req.query(), "api_key");
    await organization(id);
    return c.json(assemblePage(page, [await cells.ledger(cells.cellOf(id)).listApiKeys({ type: "organization", id }, walkOf(page))]));
  });

  /** `POST /organizations/:id/api_keys` `{name, permissions?, expires_at?, environment?}`: 201 the key with its `value`, shown once; 404; 422. */
  app.post("/:id/api_keys", async (c) => {
    const { caller, body, repetition } = await admit(services, c, "portcullis:api_keys:write", newKey);
    const owner = { type: "organization", id: c.req.param("id") } as const;
    const cell = cells.cellOf(owner.id);
    const { id, token, minted } = mintKey(services, cell, body.environment ?? services.configuration.defaultEnvironment);
    const command = {
      type: "create_api_key",
      id,
      owner,
      name: body.name,
      permissions: body.permissions,
      expires_at_ms: body.expires_at ?? null,
      minted,
    } as const;
    const { reply, secret } = await send(services, command, { cell, actor: actorOf(caller), repetition, secret: token });
    return c.json({ ...reply, value: secret }, 201);
  });

  return app;

  async function organization(id: string) {
    return (await cells.ledger(cells.cellOf(id)).organization(id)) ?? raise(notFound("Organization", id));
  }

  /**
   * An organization's id decides its cell, and a repeated request must come to the ledger that remembers it. So the
   * command picks the cell, and ids are minted until one hashes to it.
   */
  function mintOrganizationId(cell: number): string {
    for (;;) {
      const id = mintId("org", services.now(), services.randomBytes);
      if (cells.cellOf(id) === cell) return id;
    }
  }
}

function raise(error: Error): never {
  throw error;
}
