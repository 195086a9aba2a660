/** API keys by id, and validation. Shapes as in the WorkOS API; reading one key and changing it are ours. */
import { Hono } from "hono";
import { z } from "zod";
import { cellOfId } from "../../core/identifier.ts";
import { parseToken } from "../../core/token.ts";
import { notFound } from "./api-error.ts";
import { hmacSha256, sha256Hex } from "../../core/digest.ts";
import { admit, admitCaller, send, type AppEnvironment, type Services } from "./endpoint.ts";
import { answerCommitted } from "./receipts.ts";
import { displayName, isoInstant, permissionSlugs } from "./fields.ts";

const validation = z.object({ value: z.string() });
const change = z.object({ name: displayName.optional(), permissions: permissionSlugs.optional() });
const expiry = z.object({ expires_at: isoInstant.nullable().optional() });

/** Endpoints under `/api_keys`. */
export function apiKeyRoutes(services: Services): Hono<AppEnvironment> {
  const app = new Hono<AppEnvironment>();

  /** `POST /api_keys/validations` `{value}`: 200 `{api_key}`, null for whatever would not be accepted now. Its permissions are those in effect. */
  app.post("/validations", async (c) => {
    const { body } = await admit(services, c, "portcullis:api_keys:validate", validation);
    const { tokenPrefix, tagKeys, acceptedEnvironments } = services.configuration;
    const token = parseToken(body.value, tokenPrefix, tagKeys, hmacSha256);
    if (typeof token === "string" || token.cell >= services.cells.count || !acceptedEnvironments.has(token.environment))
      return c.json({ api_key: null });
    return c.json({ api_key: await services.cells.ledger(token.cell).validate(token.tokenId, sha256Hex(body.value)) });
  });

  /** `GET /api_keys/:id`: 200 the key; 404. */
  app.get("/:id", async (c) => {
    await admitCaller(services, c, "portcullis:api_keys:read");
    const key = await services.cells.ledger(cellOf(c.req.param("id"))).apiKey(c.req.param("id"));
    if (!key) throw notFound("API key", c.req.param("id"));
    return c.json(key);
  });

  /** `PATCH /api_keys/:id` `{name?, permissions?}`: 200 the key, in force everywhere; 404; 422. */
  app.patch("/:id", async (c) => {
    const { body, terms } = await admit(services, c, "portcullis:api_keys:write", change);
    const id = c.req.param("id");
    const cell = cellOf(id);
    const command = {
      type: "update_api_key",
      id,
      ...(body.name !== undefined && { name: body.name }),
      ...(body.permissions && { permissions: body.permissions }),
    } as const;
    return answerCommitted(c, await send(services, command, { cell, terms }), { status: 200, receiptInBody: true });
  });

  /** `POST /api_keys/:id/expire` `{}` now, `{expires_at}` then, `{expires_at: null}` never: 200 the key; 404; 409 `api_key_already_expired`. */
  app.post("/:id/expire", async (c) => {
    const { body, terms } = await admit(services, c, "portcullis:api_keys:write", expiry);
    const id = c.req.param("id");
    const expires_at_ms = body.expires_at === undefined ? "now" : body.expires_at;
    const command = { type: "expire_api_key", id, expires_at_ms } as const;
    return answerCommitted(c, await send(services, command, { cell: cellOf(id), terms }), { status: 200 });
  });

  /** `DELETE /api_keys/:id`: 204 when no gateway accepts it any more; 404. */
  app.delete("/:id", async (c) => {
    const { terms } = await admit(services, c, "portcullis:api_keys:write", z.object({}));
    const id = c.req.param("id");
    return answerCommitted(c, await send(services, { type: "revoke_api_key", id }, { cell: cellOf(id), terms }), { status: 204 });
  });

  return app;

  /** The cell in the id; an id of another form belongs to no key. */
  function cellOf(id: string): number {
    const cell = cellOfId("api_key", id, services.cells.count);
    if (cell === undefined) throw notFound("API key", id);
    return cell;
  }
}
