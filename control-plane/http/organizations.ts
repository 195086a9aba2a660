/** Organizations and the keys they own. */
import { Hono } from "hono";
import { z } from "zod";
import { mintId } from "../../core/identifier.ts";
import { assemblePage, walkOf } from "../../core/page.ts";
import { notFound } from "./api-error.ts";
import { admit, admitCaller, send, type AppEnvironment, type Services } from "./endpoint.ts";
import { displayName, externalId } from "./fields.ts";
import { createApiKey, newKeyFields } from "./create-api-key.ts";
import { answerCommitted } from "./receipts.ts";
import { pageQuery, refuseFilters } from "./page-query.ts";

const newOrganization = z.object({ name: displayName, external_id: externalId });

const newKey = z.object(newKeyFields);

/** Endpoints under `/organizations`. */
export function organizationRoutes(services: Services): Hono<AppEnvironment> {
  const { cells } = services;
  const app = new Hono<AppEnvironment>();

  /** `POST /organizations` `{name, external_id?}`: 201 the organization. */
  app.post("/", async (c) => {
    const { body, terms } = await admit(services, c, "portcullis:organizations:write", newOrganization);
    const cell = cells.cellOf(terms.repetition.commandId);
    const command = { type: "create_organization", id: mintOrganizationId(cell), name: body.name, external_id: body.external_id } as const;
    return answerCommitted(c, await send(services, command, { cell, terms }), { status: 201 });
  });

  /** `GET /organizations`: 200 a page over all cells. */
  app.get("/", async (c) => {
    await admitCaller(services, c, "portcullis:organizations:read");
    refuseFilters(c.req.query(), "domains", "search");
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
    const { body, terms } = await admit(services, c, "portcullis:api_keys:write", newKey);
    const owner = { type: "organization", id: c.req.param("id") } as const;
    return createApiKey(services, c, owner, body, terms);
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
