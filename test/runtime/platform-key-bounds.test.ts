/** What binds a platform key, its end and its networks, binds every platform key that it makes, prolongs, widens, enables or gets the secret of. */
import { beforeAll, describe, expect, it } from "vitest";
import { PLATFORM_ORGANIZATION_ID } from "../../core/identifier.ts";
import { ask, changingNothing, type Sent } from "./control-plane-client.ts";
import { install, type Answer, type Installation, type IssuedKey, type Json } from "./installation.ts";

const WRITE = "portcullis:api_keys:write";
const READ = "portcullis:api_keys:read";
const KEYS = `/organizations/${PLATFORM_ORGANIZATION_ID}/api_keys`;
const HOUR_MS = 3_600_000;
const OFFICE = "192.0.2.0/24";

let installation: Installation;
beforeAll(async () => {
  installation = await install();
});

const after = (ms: number) => new Date(Date.now() + ms).toISOString();
const platformKey = (more: Json = {}, permissions = [WRITE, READ]) => installation.key(PLATFORM_ORGANIZATION_ID, permissions, more);
const DENIED = { status: 403, body: { code: "insufficient_permissions" } };

/** Calls with one key, from the office. */
const from = (caller: IssuedKey) => (method: string, path: string, json: Json) =>
  ask(caller.value, method, path, { json, headers: { "CF-Connecting-IP": "192.0.2.1" } } satisfies Sent);
type Call = ReturnType<typeof from>;

async function expectDenied(...calls: readonly (() => Promise<Answer>)[]): Promise<void> {
  for (const call of calls) expect(await changingNothing(call)).toMatchObject(DENIED);
}

async function expectDone(...calls: readonly (() => Promise<Answer>)[]): Promise<void> {
  for (const call of calls) expect((await call()).status).toBeLessThan(300);
}

const make = (call: Call, more: Json) => () => call("POST", KEYS, { name: "Another", permissions: [WRITE], ...more });
const expire =
  (call: Call, { id }: IssuedKey, end: string | null) =>
  () =>
    call("POST", `/api_keys/${id}/expire`, { expires_at: end });
const rotate =
  (call: Call, { id }: IssuedKey) =>
  () =>
    call("POST", `/api_keys/${id}/rotate`, { overlap_seconds: 0 });
const change =
  (call: Call, { id }: IssuedKey, json: Json) =>
  () =>
    call("PATCH", `/api_keys/${id}`, json);

describe("a key that ends in an hour", () => {
  let key: IssuedKey;
  let call: Call;
  beforeAll(async () => {
    key = await platformKey({ expires_at: after(HOUR_MS) });
    call = from(key);
  });

  it("makes none that lives longer", async () => {
    await expectDenied(make(call, {}), make(call, { expires_at: after(2 * HOUR_MS) }));
    await expectDone(make(call, { expires_at: after(HOUR_MS / 2) }));
  });

  it("lets none that others made live longer than itself", async () => {
    const other = await platformKey({ expires_at: after(HOUR_MS / 2) });
    await expectDenied(expire(call, other, null), expire(call, other, after(2 * HOUR_MS)));
    await expectDone(expire(call, other, after((HOUR_MS * 3) / 4)));
  });

  it("gets no secret of one that lives longer, and gives it no permission", async () => {
    const lasting = await platformKey({}, [READ]);
    await expectDenied(rotate(call, lasting), change(call, lasting, { permissions: [READ, WRITE] }));
    await expectDone(change(call, lasting, { name: "Renamed", permissions: [] }));
    const ending = await platformKey({ expires_at: after(HOUR_MS / 2) }, [READ]);
    await expectDone(rotate(call, ending), change(call, ending, { permissions: [READ, WRITE] }));
  });

  it("enables none that lives longer", async () => {
    const lasting = await platformKey();
    const enable = () => call("POST", `/api_keys/${lasting.id}/enable`, {});
    await expectDone(() => call("POST", `/api_keys/${lasting.id}/disable`, {}));
    await expectDenied(enable);
    await installation.must("POST", `/api_keys/${lasting.id}/expire`, { expires_at: after(HOUR_MS / 2) });
    await expectDone(enable);
  });

  it("gets a new secret of its own", async () => {
    const own = await platformKey({ expires_at: after(HOUR_MS) });
    await expectDone(rotate(from(own), own));
  });

  it("makes keys of customers as it likes", async () => {
    const organization = await installation.organization();
    await expectDone(() => call("POST", `/organizations/${organization}/api_keys`, { name: "CI", permissions: ["orders:read"] }));
  });
});

describe("a key that is bound to networks", () => {
  let call: Call;
  beforeAll(async () => {
    call = from(await platformKey({ allowed_networks: [OFFICE] }));
  });

  it("makes none that works from elsewhere", async () => {
    for (const allowed_networks of [undefined, null, ["192.0.0.0/16"], ["198.51.100.0/24"], [OFFICE, "2001:db8::/32"], ["::/0"]])
      await expectDenied(make(call, { allowed_networks }));
    await expectDone(make(call, { allowed_networks: ["192.0.2.128/25", "::ffff:192.0.2.7"] }));
  });

  it("frees none that others made, nor itself", async () => {
    const own = await platformKey({ allowed_networks: [OFFICE] });
    for (const allowed_networks of [null, ["192.0.0.0/16"]])
      await expectDenied(change(call, own, { allowed_networks }), change(from(own), own, { allowed_networks }));
    await expectDone(change(call, await platformKey(), { allowed_networks: [OFFICE] }));
  });

  it("gets no secret of one that works from elsewhere, and gives it no permission", async () => {
    const free = await platformKey({}, [READ]);
    await expectDenied(
      rotate(call, free),
      change(call, free, { permissions: [READ, WRITE] }),
      change(call, free, { permissions: [READ, WRITE], allowed_networks: null }),
    );
    await expectDone(change(call, free, { permissions: [READ, WRITE], allowed_networks: [OFFICE] }), rotate(call, free));
  });
});
