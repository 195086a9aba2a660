/** Keys that were issued elsewhere: accepted where they are allowed, as immediate as ours in all that ends them, and bounded in what made-up ones cost. */
import { beforeAll, afterEach, describe, expect, it } from "vitest";
import { sha256Hex } from "../../core/digest.ts";
import { directoryOf, foreignTokenId } from "../../core/foreign-token.ts";
import { cellOfOrganization } from "../../core/identifier.ts";
import { reasonOf } from "./at-once.ts";
import { healKv, kvFaults } from "./faulty-kv.ts";
import { changingNothing } from "./control-plane-client.ts";
import { install, UPSTREAM, type Installation, type Json } from "./installation.ts";
import { observeGateway, type ObservedGateway } from "./observed-gateway.ts";
import { drainOutboxes } from "./outbox.ts";

const CELLS = 4;

let installation: Installation;
beforeAll(async () => {
  installation = await install();
  const { routes } = (await installation.must("GET", "/routes")) as { routes: object[] };
  const foreign = { name: "old", methods: ["GET"], path: "/old", foreign: true, upstream: UPSTREAM, permissions: { all: ["orders:read"] } };
  await installation.must("PUT", "/routes", { routes: [...routes, foreign] });
});
afterEach(healKv);

/** A key as some older system issued it. */
const oldKey = () => `acme_${crypto.randomUUID()}`;
const gatewayForForeign = (more: Readonly<Record<string, string>> = {}) => observeGateway({ FOREIGN_KEY_PREFIXES: "acme_,old-", ...more });

async function imported(organization: string, value: string, more: Json = {}): Promise<string> {
  const asked = { sha256: sha256Hex(value), name: "Old", permissions: ["orders:read"], ...more };
  return String((await installation.must("POST", `/organizations/${organization}/api_keys/import`, asked))["id"]);
}

async function outcome(gateway: ObservedGateway, path: string, value: string): Promise<unknown[]> {
  return [(await gateway.get(path, value)).status, reasonOf(gateway)];
}

/** An old key whose directory is another cell than its organization's, or the same one. */
async function keyWithDirectory(isSame: boolean): Promise<{ organization: string; value: string }> {
  const organization = await installation.organization();
  for (;;) {
    const value = oldKey();
    if ((directoryOf(foreignTokenId(sha256Hex(value)), CELLS) === cellOfOrganization(organization, CELLS)) === isSame)
      return { organization, value };
  }
}

/** One organization in each cell. */
async function organizationsOfAllCells(): Promise<string[]> {
  const found = new Map<number, string>();
  while (found.size < CELLS) {
    const organization = await installation.organization();
    found.set(cellOfOrganization(organization, CELLS), organization);
  }
  return [...found.values()];
}

describe("an imported key", () => {
  it.each([true, false])("is accepted at once, with nothing in KV; directory and home in the same cell: %j", async (isSame) => {
    kvFaults.putsRefused = true;
    const { organization, value } = await keyWithDirectory(isSame);
    const id = await imported(organization, value);
    const gateway = gatewayForForeign();
    expect((await gateway.get("/old", value)).status).toBe(200);
    expect(gateway.forwarded[0]?.headers.get("portcullis-key-id")).toBe(id);
    expect(gateway.forwarded[0]?.headers.get("authorization")).toBeNull();
  });

  it("is decided from memory once it is known", async () => {
    const { organization, value } = await keyWithDirectory(false);
    await imported(organization, value);
    const gateway = gatewayForForeign();
    await gateway.get("/old", value);
    await gateway.settled();
    gateway.clock.standsStillAtMs = Date.now();
    await gateway.get("/old", value);
    const { kv, replica, ledger } = { ...gateway.calls };
    expect((await gateway.get("/old", value)).status).toBe(200);
    expect(gateway.calls).toMatchObject({ kv, replica, ledger });
  });

  it.each([
    ["revoked", "DELETE", "", undefined, "revoked_key"],
    ["disabled", "POST", "/disable", {}, "key_disabled"],
    ["expired", "POST", "/expire", {}, "expired_key"],
  ])("that is %s is refused at once, whatever KV says", async (_, method, path, body, reason) => {
    const { organization, value } = await keyWithDirectory(false);
    const id = await imported(organization, value);
    await drainOutboxes();
    const warm = gatewayForForeign();
    expect((await warm.get("/old", value)).status).toBe(200);
    kvFaults.putsRefused = true;
    await installation.must(method, `/api_keys/${id}${path}`, body);
    for (const gateway of [warm, gatewayForForeign()]) expect(await outcome(gateway, "/old", value)).toEqual([401, reason]);
  });

  it("can be rotated into one of ours, with both working meanwhile", async () => {
    const { organization, value } = await keyWithDirectory(false);
    const id = await imported(organization, value);
    const rotated = await installation.must("POST", `/api_keys/${id}/rotate`, { overlap_seconds: 60 });
    const gateway = gatewayForForeign();
    expect((await gateway.get("/old", value)).status).toBe(200);
    expect((await gateway.get("/orders", String(rotated["value"]))).status).toBe(200);
    await installation.must("DELETE", `/api_keys/${id}/previous_secret`);
    expect((await gateway.get("/old", value)).status).toBe(401);
    expect((await gateway.get("/orders", String(rotated["value"]))).status).toBe(200);
  });

  it("is validated like one of ours", async () => {
    const { organization, value } = await keyWithDirectory(false);
    expect(await installation.must("POST", "/api_keys/validations", { value })).toEqual({ api_key: null });
    const id = await imported(organization, value);
    expect(await installation.must("POST", "/api_keys/validations", { value })).toMatchObject({ api_key: { id } });
  });

  it("can be imported once: not a second time, not after it was revoked, not into another organization", async () => {
    const { organization, value } = await keyWithDirectory(true);
    const id = await imported(organization, value);
    const again = async (into: string) =>
      installation.call("POST", `/organizations/${into}/api_keys/import`, { sha256: sha256Hex(value), name: "Old" });
    const elsewhere = await keyWithDirectory(true);
    expect((await again(organization)).body).toMatchObject({ code: "already_exists" });
    await installation.must("DELETE", `/api_keys/${id}`);
    for (const into of [organization, elsewhere.organization]) expect((await again(into)).status).toBe(409);
  });

  it("can be imported into the right organization after an import into another one was refused", async () => {
    const { organization, value } = await keyWithDirectory(false);
    const elsewhere = (await keyWithDirectory(true)).organization;
    const into = (organizationId: string, permissions: readonly string[]) =>
      installation.call("POST", `/organizations/${organizationId}/api_keys/import`, { sha256: sha256Hex(value), name: "Old", permissions });
    for (const wrong of await organizationsOfAllCells())
      expect((await into(wrong, ["no:such"])).body).toMatchObject({ code: "permission_not_assignable" });
    expect((await into(organization, ["orders:read"])).status).toBe(201);
    expect((await into(elsewhere, ["orders:read"])).status).toBe(409);
  });

  it("is not taken into an organization that is suspended", async () => {
    const { organization, value } = await keyWithDirectory(false);
    await installation.must("POST", `/organizations/${organization}/suspend`, {});
    const asked = { sha256: sha256Hex(value), name: "Old" };
    const refused = await changingNothing(() => installation.call("POST", `/organizations/${organization}/api_keys/import`, asked));
    expect(refused).toMatchObject({ status: 409, body: { code: "organization_suspended" } });
  });

  it("cannot be imported into the platform organization or an unknown one", async () => {
    for (const into of ["org_platform", "org_01K8QZ0V6M4F7T2B9C3D5E8G1H"])
      expect(
        (await installation.call("POST", `/organizations/${into}/api_keys/import`, { sha256: sha256Hex("acme_x"), name: "x" })).status,
      ).toBe(404);
  });

  it("of an environment that the gateway does not accept is refused", async () => {
    const { organization, value } = await keyWithDirectory(false);
    await imported(organization, value, { environment: "test" });
    expect(await outcome(gatewayForForeign({ ACCEPTED_ENVIRONMENTS: "live" }), "/old", value)).toEqual([401, "wrong_environment"]);
    expect((await gatewayForForeign().get("/old", value)).status).toBe(200);
  });
});

describe("a text that is no key of ours", () => {
  it("costs nothing where the route does not take such keys, or the installation has none that begin so", async () => {
    const { organization, value } = await keyWithDirectory(false);
    await imported(organization, value);
    const gateway = gatewayForForeign();
    await gateway.get("/health", oldKey());
    const { ledger, kv } = { ...gateway.calls };
    expect(await outcome(gateway, "/orders", value)).toEqual([401, "foreign_not_allowed"]);
    expect(await outcome(gateway, "/old", "other_key_of_someone")).toEqual([401, "malformed_token"]);
    expect(gateway.calls).toMatchObject({ ledger, kv });
    expect(await outcome(observeGateway(), "/old", value)).toEqual([401, "malformed_token"]);
  });

  it("costs one question to the ledger when it is made up, and none when it comes again", async () => {
    const gateway = gatewayForForeign();
    await gateway.get("/old", oldKey());
    gateway.clock.standsStillAtMs = Date.now();
    await gateway.get("/old", oldKey());
    const before = { ...gateway.calls };
    const madeUp = oldKey();
    for (let turn = 0; turn < 5; turn += 1) expect(await outcome(gateway, "/old", madeUp)).toEqual([401, "unknown_key"]);
    expect(gateway.calls).toEqual({ ...before, ledger: before.ledger + 1 });
  });

  it("is asked for again when that is over, so that an import is seen", async () => {
    const { organization, value } = await keyWithDirectory(false);
    const gateway = gatewayForForeign();
    expect((await gateway.get("/old", value)).status).toBe(401);
    await imported(organization, value);
    gateway.clock.aheadMs = 5_001;
    expect((await gateway.get("/old", value)).status).toBe(200);
  });

  it("is answered 503 when its directory cannot be asked", async () => {
    const { value } = await keyWithDirectory(false);
    const gateway = gatewayForForeign();
    await gateway.get("/old", oldKey());
    gateway.faults.ledger = "unresolvable";
    expect(await outcome(gateway, "/old", value)).toEqual([503, "ledger_unreachable"]);
  });
});
