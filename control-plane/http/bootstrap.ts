/** The first key of an installation. */
import { Hono } from "hono";
import { equalInConstantTime } from "../../core/constant-time.ts";
import { PLATFORM_ORGANIZATION_ID } from "../../core/identifier.ts";
import { readBodyText } from "./body.ts";
import { bearerOf, unauthorized } from "./caller.ts";
import { send, type AppEnvironment, type Services } from "./endpoint.ts";
import { repetitionOf } from "./idempotency.ts";
import { mintKey } from "./mint.ts";

/** `POST /bootstrap` with `Authorization: Bearer <BOOTSTRAP_SECRET>`: 201 the first platform key with its `value`; 401; 409 `already_bootstrapped` ever after. */
export function bootstrapRoutes(services: Services): Hono<AppEnvironment> {
  return new Hono<AppEnvironment>().post("/", async (c) => {
    if (!equalInConstantTime(bearerOf(c.req.raw) ?? "", services.configuration.bootstrapSecret)) throw unauthorized();
    const repetition = repetitionOf(c.req.raw, "bootstrap", await readBodyText(c.req.raw), services.configuration.replySealKey);
    const cell = services.cells.cellOf(PLATFORM_ORGANIZATION_ID);
    const { id, token, minted } = mintKey(services, cell, services.configuration.defaultEnvironment);
    const sending = { cell, actor: { type: "system", id: "bootstrap" }, repetition, secret: token } as const;
    const { reply, secret } = await send(services, { type: "bootstrap", id, name: "First admin key", minted }, sending);
    return c.json({ ...reply, value: secret }, 201);
  });
}
