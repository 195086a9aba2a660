/** Making a key, whoever owns it. */
import { z } from "zod";
import type { Environment } from "../../core/token.ts";
import type { KeyOwner } from "../ledger/command.ts";
import { apiKeySchema } from "../ledger/view.ts";
import { invalid } from "./api-error.ts";
import type { Services } from "./endpoint.ts";
import { displayName, isoInstant, permissionSlugs } from "./fields.ts";
import { attributeFields, attributesOf, reason } from "./key-fields.ts";
import { mintKey } from "./mint.ts";
import { created, type LedgerReply, type Reply } from "./reply.ts";
import { prepareAndSend, type Terms } from "./send.ts";

/** What a new key is asked for with. */
export const newKeySchema = z.object({
  name: displayName,
  permissions: permissionSlugs.default([]),
  expires_at: isoInstant.nullish(),
  environment: z.enum(["live", "test"]).optional().describe("Absent: the environment that the installation is set to."),
  ...attributeFields,
  reason,
});

/** A key with its token, as only the answer that makes it has it. */
export const createdApiKeySchema = apiKeySchema.extend({ value: z.string().describe("The token. It is shown this once.") });

/**
 * Makes the key in its organization's cell; 201 with its `value`; 422 for an environment that no gateway accepts. What else there is to be
 * seen to is seen to by `check`, which throws what a first request is refused for.
 */
export async function createApiKey(
  services: Services,
  owner: KeyOwner,
  asked: z.output<typeof newKeySchema>,
  terms: Terms,
  check: () => Promise<unknown> = async () => undefined,
): Promise<Reply<201, LedgerReply>> {
  const cell = services.cells.cellOf(owner.type === "user" ? owner.organization_id : owner.id);
  const done = await prepareAndSend(services, "create_api_key", { cell, terms, reason: asked.reason }, async () => {
    await check();
    const { id, token, minted } = mintKey(services, cell, environmentOf(services, asked.environment));
    const { name, permissions, expires_at } = asked;
    const expires_at_ms = usualIfAbsent(expires_at);
    const attributes = attributesOf(asked);
    return { command: { type: "create_api_key", id, owner, name, permissions, expires_at_ms, minted, attributes }, secret: token };
  });
  return created(done, { value: done.secret });
}

/** An end as it is asked for; where it is not mentioned, the policy says when. */
export function usualIfAbsent(end: number | null | undefined): number | "usual" | null {
  return end === undefined ? "usual" : end;
}

/** A member of an organization, or the organization itself. */
export function ownerIn(organizationId: string, userId: string | undefined): KeyOwner {
  if (userId === undefined) return { type: "organization", id: organizationId };
  return { type: "user", id: userId, organization_id: organizationId };
}

/** The environment of a new key; 422 for one that no gateway accepts. */
export function environmentOf({ configuration }: Services, asked: Environment | undefined): Environment {
  const environment = asked ?? configuration.defaultEnvironment;
  if (configuration.acceptedEnvironments.has(environment)) return environment;
  throw invalid([{ code: "invalid", field: "environment", message: `this installation does not accept ${environment} keys` }]);
}
