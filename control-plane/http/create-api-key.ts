/** Making a key, whoever owns it. */
import type { Context } from "hono";
import { z } from "zod";
import type { KeyOwner } from "../ledger/command.ts";
import { invalid } from "./api-error.ts";
import { send, type AppEnvironment, type Services, type Terms } from "./endpoint.ts";
import { displayName, isoInstant, permissionSlugs } from "./fields.ts";
import { mintKey } from "./mint.ts";

/** What a new key is asked for with. */
export const newKeyFields = {
  name: displayName,
  permissions: permissionSlugs.default([]),
  expires_at: isoInstant.nullish(),
  environment: z.enum(["live", "test"]).optional(),
} as const;

const newKey = z.object(newKeyFields);

/** Makes the key in its organization's cell; 201 with its `value`, which is shown this once; 422 for an environment that no gateway accepts. */
export async function createApiKey(
  services: Services,
  c: Context<AppEnvironment>,
  owner: KeyOwner,
  asked: z.output<typeof newKey>,
  terms: Terms,
): Promise<Response> {
  const { cells, configuration } = services;
  const environment = asked.environment ?? configuration.defaultEnvironment;
  if (!configuration.acceptedEnvironments.has(environment))
    throw invalid([{ code: "invalid", field: "environment", message: `this installation does not accept ${environment} keys` }]);
  const cell = cells.cellOf(owner.type === "user" ? owner.organization_id : owner.id);
  const { id, token, minted } = mintKey(services, cell, environment);
  const { name, permissions, expires_at } = asked;
  const command = { type: "create_api_key", id, owner, name, permissions, expires_at_ms: expires_at ?? null, minted } as const;
  const { reply, secret } = await send(services, command, { cell, terms, secret: token });
  return c.json({ ...reply, value: secret }, 201);
}
