/** The first key of an installation. */
import { PLATFORM_ORGANIZATION_ID } from "../../core/identifier.ts";
import { createdApiKeySchema } from "./create-api-key.ts";
import { endpoint, type Section } from "./endpoint.ts";
import { mintKey } from "./mint.ts";
import { created } from "./reply.ts";
import { send } from "./send.ts";

/** The one call that needs no key. */
export const bootstrap: Section = {
  title: "Bootstrap",
  endpoints: [
    endpoint({
      method: "POST",
      path: "/bootstrap",
      operationId: "bootstrap",
      summary: "Makes the first platform key",
      description:
        "Send the installation's bootstrap secret as the bearer token, and an Idempotency-Key, so that an answer that was lost can be asked for again. It works once.",
      access: "bootstrap_secret",
      needsIdempotencyKey: true,
      replies: { 201: createdApiKeySchema },
      errors: ["already_bootstrapped", "reply_unavailable"],
      handler: async ({ services, terms }) => {
        const cell = services.cells.cellOf(PLATFORM_ORGANIZATION_ID);
        const { id, token, minted } = mintKey(services, cell, services.configuration.defaultEnvironment);
        const done = await send(services, { type: "bootstrap", id, name: "First admin key", minted }, { cell, terms, secret: token });
        return created(done, { value: done.secret });
      },
    }),
  ],
};
