/** A wildcard means the same wherever it stands: in the catalogue, in a role, in a key, at a route. */
import { beforeAll, describe, expect, it } from "vitest";
import { changingNothing } from "./control-plane-client.ts";
import { install, type Installation, type Json } from "./installation.ts";

let installation: Installation;
beforeAll(async () => {
  installation = await install();
});

let families = 0;
/** Slugs that no other test has anything to do with. */
const family = () => `family${++families}`;
const add = (slug: string, user_api_keys: boolean, organization_api_keys: boolean) =>
  installation.call("POST", "/authorization/permissions", { slug, name: "P", enabled_for: { user_api_keys, organization_api_keys } });
const enable = (slug: string, enabled_for: Json) => installation.call("PATCH", `/authorization/permissions/${slug}`, { enabled_for });
const REFUSED = { status: 409, body: { code: "enabled_by_wildcard" } };

describe("what a wildcard covers is not closed to keys for which the wildcard is open:", () => {
  it("it is not added closed beside it", async () => {
    const name = family();
    expect((await add(`${name}:*`, true, false)).status).toBe(201);
    for (const slug of [`${name}:delete`, `${name}:deep:delete`, `${name}:deep:*`])
      expect(await changingNothing(() => add(slug, false, false))).toMatchObject(REFUSED);
    expect((await add(`${name}:delete`, true, false)).status).toBe(201);
    expect((await add(`${name}s:delete`, false, false)).status).toBe(201);
  });

  it("the wildcard is not added open over it", async () => {
    const name = family();
    expect((await add(`${name}:delete`, true, false)).status).toBe(201);
    expect(await changingNothing(() => add(`${name}:*`, true, true))).toMatchObject(REFUSED);
    expect((await add(`${name}:*`, true, false)).status).toBe(201);
  });

  it("it is closed after the wildcard and opened before it, for each kind of key by itself", async () => {
    const name = family();
    for (const slug of [`${name}:delete`, `${name}:*`]) expect((await add(slug, true, true)).status).toBe(201);
    expect(await changingNothing(() => enable(`${name}:delete`, { user_api_keys: false }))).toMatchObject(REFUSED);
    expect((await enable(`${name}:*`, { user_api_keys: false })).status).toBe(200);
    expect((await enable(`${name}:delete`, { user_api_keys: false })).status).toBe(200);
    expect(await changingNothing(() => enable(`${name}:delete`, { organization_api_keys: false }))).toMatchObject(REFUSED);
    expect(await changingNothing(() => enable(`${name}:*`, { user_api_keys: true }))).toMatchObject(REFUSED);
    expect((await enable(`${name}:delete`, { user_api_keys: true })).status).toBe(200);
    expect((await enable(`${name}:*`, { user_api_keys: true })).status).toBe(200);
  });

  it("so a key that is granted the closed one there is not", async () => {
    const name = family();
    await add(`${name}:read`, true, true);
    await add(`${name}:delete`, false, false);
    const organization = await installation.organization();
    const make = (permission: string) =>
      installation.call("POST", `/organizations/${organization}/api_keys`, { name: "K", permissions: [permission] });
    expect((await make(`${name}:read`)).status).toBe(201);
    for (const permission of [`${name}:delete`, `${name}:*`])
      expect(await changingNothing(() => make(permission))).toMatchObject({ status: 422, body: { code: "permission_not_assignable" } });
  });
});
