/** Keys that govern Portcullis itself: nobody acts on more than they hold at the moment of the change, and the installation always keeps its holders. */
import { beforeAll, describe, expect, it } from "vitest";
import { PLATFORM_ORGANIZATION_ID } from "../../core/identifier.ts";
import { PLATFORM_PERMISSIONS } from "../../core/permission.ts";
import { ask, changingNothing } from "./control-plane-client.ts";
import { install, type Installation, type IssuedKey, type Json } from "./installation.ts";

const WRITE = "portcullis:api_keys:write";
const READ = "portcullis:api_keys:read";
const ROUTES = "portcullis:routes:write";
const KEYS = `/organizations/${PLATFORM_ORGANIZATION_ID}/api_keys`;

let installation: Installation;
beforeAll(async () => {
  installation = await install();
});

const platformKey = (...permissions: readonly string[]): Promise<IssuedKey> => installation.key(PLATFORM_ORGANIZATION_ID, permissions);
const inAnHour = () => new Date(Date.now() + 3_600_000).toISOString();
const expire = (token: string, { id }: IssuedKey, json: Json) => ask(token, "POST", `/api_keys/${id}/expire`, { json });
const firstAdminKey = async (): Promise<IssuedKey> => {
  const { data } = await installation.must("GET", `${KEYS}?order=asc&limit=1`);
  return { id: String((data as readonly Json[])[0]?.["id"]), value: installation.adminKey };
};

describe("a caller whose permission is taken while the body is on the way", () => {
  it("grants only what is left", async () => {
    const caller = await platformKey(WRITE, ROUTES);
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
    const writer = writable.getWriter();
    const sent = ask(caller.value, "POST", KEYS, { body: readable, headers: { "Content-Type": "application/json" } });
    await writer.write(new TextEncoder().encode('{"name":"Late",'));
    await installation.must("PATCH", `/api_keys/${caller.id}`, { permissions: [WRITE] });
    const answer = await changingNothing(async () => {
      await writer.write(new TextEncoder().encode(`"permissions":["${ROUTES}"]}`));
      await writer.close();
      return sent;
    });
    expect(answer).toMatchObject({ status: 422, body: { code: "permission_not_assignable" } });
  });
});

describe("a key that can do less than another", () => {
  it("neither ends, nor changes, nor prolongs it", async () => {
    const weak = await platformKey(WRITE, READ);
    const strong = await installation.key(PLATFORM_ORGANIZATION_ID, [WRITE, ROUTES], { expires_at: inAnHour() });
    for (const call of [
      () => ask(weak.value, "DELETE", `/api_keys/${strong.id}`),
      () => expire(weak.value, strong, {}),
      () => expire(weak.value, strong, { expires_at: null }),
      () => ask(weak.value, "PATCH", `/api_keys/${strong.id}`, { json: { name: "Mine now" } }),
    ])
      expect(await changingNothing(call)).toMatchObject({ status: 403, body: { code: "insufficient_permissions" } });
  });

  it("governs its equals and its lessers", async () => {
    const [one, equal, lesser] = [await platformKey(WRITE, READ), await platformKey(WRITE, READ), await platformKey(READ)];
    expect((await ask(one.value, "DELETE", `/api_keys/${equal.id}`)).status).toBe(204);
    expect((await expire(one.value, lesser, {})).status).toBe(200);
  });

  it("still ends any customer's key: those are what it is for", async () => {
    const weak = await platformKey(WRITE);
    const customers = await installation.key(await installation.organization(), ["orders:read"]);
    expect((await ask(weak.value, "DELETE", `/api_keys/${customers.id}`)).status).toBe(204);
  });
});

describe("a key's own end", () => {
  it.each([
    ["cleared", { expires_at: null }],
    ["moved back", { expires_at: "2999-01-01T00:00:00Z" }],
  ])("is not %s by the key itself", async (_, json) => {
    const key = await installation.key(PLATFORM_ORGANIZATION_ID, [WRITE], { expires_at: inAnHour() });
    expect(await changingNothing(() => expire(key.value, key, json))).toMatchObject({
      status: 403,
      body: { code: "insufficient_permissions" },
    });
    expect((await expire(installation.adminKey, key, json)).status).toBe(200);
  });

  it("may be moved forward by the key itself", async () => {
    const key = await installation.key(PLATFORM_ORGANIZATION_ID, [WRITE], { expires_at: "2999-01-01T00:00:00Z" });
    expect((await expire(key.value, key, { expires_at: inAnHour() })).status).toBe(200);
  });
});

describe("the last lasting key with a permission", () => {
  it("cannot be ended, limited or narrowed until another one holds it", async () => {
    const first = await firstAdminKey();
    // Holds everything, but not for ever.
    await installation.key(PLATFORM_ORGANIZATION_ID, PLATFORM_PERMISSIONS, { expires_at: inAnHour() });
    const calls = [
      () => ask(first.value, "DELETE", `/api_keys/${first.id}`),
      () => expire(first.value, first, {}),
      () => expire(first.value, first, { expires_at: inAnHour() }),
      () => ask(first.value, "PATCH", `/api_keys/${first.id}`, { json: { permissions: [WRITE] } }),
    ];
    for (const call of calls)
      expect(await changingNothing(call)).toMatchObject({ status: 409, body: { code: "last_holder_of_permission" } });

    const successor = await platformKey(...PLATFORM_PERMISSIONS);
    expect((await ask(successor.value, "DELETE", `/api_keys/${first.id}`)).status).toBe(204);
    expect(await changingNothing(() => ask(successor.value, "DELETE", `/api_keys/${successor.id}`))).toMatchObject({ status: 409 });
  });
});
