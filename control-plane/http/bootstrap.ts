/** The first key of an installation. */
import { Hono } from "hono";
import { equalInConstantTime } from "../../core/constant-time.ts";
import { PLATFORM_ORGANIZATION_ID } from "../../core/identifier.ts";
import { invalid } from "./api-error.ts";
import { readBodyText } from "./body.ts";
import { bearerOf, unauthorized } from "./caller.ts";
import { send, termsOf, type AppEnvironment, type Services } from "./endpoint.ts";
import { mintKey } from "./mint.ts";

/**
 * `POST /bootstrap` with `Authorization: Bearer <BOOTSTRAP_SECRET>` and an Idempotency-Key, so that an answer that was lost can be
 * asked for again: 201 the first platform key with its `value`; 401; 409 `already_bootstrapped` ever after; 422 without the header.
 */
export function bootstrapRoutes(services: Services): Hono<AppEnvironment> {
  return new Hono<AppEnvironment>().post("/", async (c) => {
    if (!equalInConstantTime(bearerOf(c.req.raw) ?? "", services.configuration.bootstrapSecret)) throw unauthorized();
    if (!c.req.header("Idempotency-Key"))
      throw invalid([{ code: "required", field: "Idempotency-Key", message: "is required, so that a lost answer can be asked for again" }]);
    const terms = termsOf(services, c, { type: "system", id: "bootstrap" }, await readBodyText(c.req.raw));
    const cell = services.cells.cellOf(PLATFORM_ORGANIZATION_ID);
    const { id, token, minted } = mintKey(services, cell, services.configuration.defaultEnvironment);
    const sending = { cell, terms, secret: token } as const;
    const { reply, secret } = await send(services, { type: "bootstrap", id, name: "First admin key", minted }, sending);
    return c.json({ ...reply, value: secret }, 201);
  });
}
