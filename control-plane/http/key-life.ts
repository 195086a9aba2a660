/** The life of one key after it was made: disabling, rotating, ending an old secret. All ours. */
import { z } from "zod";
import { apiKeySchema } from "../ledger/view.ts";
import { invalid, notFound } from "./api-error.ts";
import { createdApiKeySchema } from "./create-api-key.ts";
import { endpoint, type Section, type Services } from "./endpoint.ts";
import { reason } from "./key-fields.ts";
import { mintSecret } from "./mint.ts";
import { changed, ended, ENDED, inForceWithReceipt } from "./reply.ts";
import { prepareAndSend, send } from "./send.ts";

const withReason = z.object({ reason });

/** Endpoints on the life of a key. */
export const keyLife: Section = {
  title: "The life of a key",
  endpoints: [
    endpoint({
      method: "POST",
      path: "/api_keys/:api_key_id/disable",
      operationId: "disableApiKey",
      summary: "Keeps a key from working until it is enabled again",
      access: "portcullis:api_keys:write",
      body: withReason,
      replies: inForceWithReceipt(apiKeySchema),
      errors: ["insufficient_permissions", "last_holder_of_permission"],
      handler: async ({ services, params: { api_key_id }, body, terms }) => {
        const { id, cell } = api_key_id;
        const done = await send(services, { type: "disable_api_key", id }, { cell, terms, reason: body.reason });
        return changed(done, { receiptInBody: true });
      },
    }),

    endpoint({
      method: "POST",
      path: "/api_keys/:api_key_id/enable",
      operationId: "enableApiKey",
      summary: "Lets a disabled key work again",
      access: "portcullis:api_keys:write",
      body: withReason,
      replies: inForceWithReceipt(apiKeySchema),
      errors: ["insufficient_permissions", "api_key_policy_violated"],
      handler: async ({ services, params: { api_key_id }, body, terms }) => {
        const { id, cell } = api_key_id;
        const done = await send(services, { type: "enable_api_key", id }, { cell, terms, reason: body.reason });
        return changed(done, { receiptInBody: true });
      },
    }),

    endpoint({
      method: "POST",
      path: "/api_keys/:api_key_id/rotate",
      operationId: "rotateApiKey",
      summary: "Gives a key a new secret",
      description:
        "The key keeps its id and all else. The secret before works for `overlap_seconds` more; 0 ends every older one now. `ROTATION_OVERLAP_DEFAULT_S` says how long without it, `ROTATION_OVERLAP_MAX_S` how long at most.",
      access: "portcullis:api_keys:write",
      body: z.object({ overlap_seconds: z.number().int("must be whole seconds").min(0, "must be 0 or more").optional(), reason }),
      replies: inForceWithReceipt(createdApiKeySchema),
      errors: [
        "api_key_already_expired",
        "previous_secret_in_use",
        "insufficient_permissions",
        "reply_unavailable",
        "api_key_policy_violated",
      ],
      handler: async ({ services, params: { api_key_id }, body, terms }) => {
        const { id, cell } = api_key_id;
        const done = await prepareAndSend(services, "rotate_api_key", { cell, terms, reason: body.reason }, async () => {
          const overlap_ms = overlapMs(services, body.overlap_seconds);
          const key = await services.cells.ledger(cell).apiKey(id);
          if (!key) throw notFound("API key", id);
          const { token, minted } = mintSecret(services, cell, key.environment);
          return { command: { type: "rotate_api_key", id, overlap_ms, minted }, secret: token };
        });
        const { secret, reply, receipt } = done;
        return changed({ reply: { ...reply, value: secret }, receipt }, { receiptInBody: true });
      },
    }),

    endpoint({
      method: "DELETE",
      path: "/api_keys/:api_key_id/previous_secret",
      operationId: "deletePreviousSecret",
      summary: "Ends the secret before the newest now",
      description: "When this answers, no gateway accepts it any more. 404 when there is none.",
      access: "portcullis:api_keys:write",
      body: withReason,
      replies: ENDED,
      errors: ["insufficient_permissions"],
      handler: async ({ services, params: { api_key_id }, body, terms }) => {
        const { id, cell } = api_key_id;
        return ended(await send(services, { type: "revoke_previous_secret", id }, { cell, terms, reason: body.reason }));
      },
    }),
  ],
};

/** How long the secret before goes on working, in ms; 422 for longer than the installation allows. */
function overlapMs({ configuration }: Services, askedS: number | undefined): number {
  const { default: defaultS, max } = configuration.rotationOverlapS;
  if (askedS !== undefined && askedS > max)
    throw invalid([{ code: "too_big", field: "overlap_seconds", message: `at most ${max} seconds here` }]);
  return (askedS ?? defaultS) * 1_000;
}
