/** The networks that a key may be used from: judged on the client's true address, in force when the call that changes them returns. */
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { expectAtOnce, reasonOf } from "./at-once.ts";
import { healKv, kvFaults } from "./faulty-kv.ts";
import { callControlPlane, install, type Installation, type IssuedKey } from "./installation.ts";
import { observeGateway, type ObservedGateway } from "./observed-gateway.ts";
import { drainOutboxes } from "./outbox.ts";

let installation: Installation;
let organization: string;
beforeAll(async () => {
  installation = await install();
  organization = await installation.organization();
});
afterEach(healKv);

async function statusAt(gateway: ObservedGateway, { value }: IssuedKey, headers: Readonly<Record<string, string>> = {}): Promise<number> {
  return (await gateway.send("/orders", { headers: { Authorization: `Bearer ${value}`, ...headers } })).status;
}

describe("allowed networks", () => {
  const from = (address: string) => ({ "CF-Connecting-IP": address });

  it("bind a key to where it may be used from, at the first address and at the last", async () => {
    const key = await installation.key(organization, ["orders:read"], { allowed_networks: ["192.0.2.0/25", "2001:db8:1::/48"] });
    const gateway = observeGateway();
    for (const inside of ["192.0.2.0", "192.0.2.127", "::ffff:192.0.2.5", "2001:db8:1::", "2001:db8:1:ffff:ffff:ffff:ffff:ffff"])
      expect([inside, await statusAt(gateway, key, from(inside))]).toEqual([inside, 200]);
    for (const outside of ["192.0.1.255", "192.0.2.128", "::ffff:192.0.2.128", "2001:db8:0:ffff::", "2001:db8:2::"])
      expect([outside, await statusAt(gateway, key, from(outside)), reasonOf(gateway)]).toEqual([outside, 403, "network_not_allowed"]);
  });

  it("refuse a request whose address is not known for sure, whatever else it says of itself", async () => {
    const key = await installation.key(organization, ["orders:read"], { allowed_networks: ["192.0.2.0/24"] });
    const gateway = observeGateway();
    const inside = "192.0.2.1";
    const claims = {
      "X-Forwarded-For": inside,
      Forwarded: `for=${inside}`,
      "X-Real-IP": inside,
      "True-Client-IP": inside,
      "X-Client-IP": inside,
    };
    expect([await statusAt(gateway, key, claims), reasonOf(gateway)]).toEqual([403, "client_address_unknown"]);
    expect([await statusAt(gateway, key, { ...claims, ...from("203.0.113.9") }), reasonOf(gateway)]).toEqual([403, "network_not_allowed"]);
    for (const unclear of [`${inside}, 203.0.113.9`, "192.0.2", "0300.0.2.1", "unknown", `${inside}:443`])
      expect([await statusAt(gateway, key, from(unclear)), reasonOf(gateway)]).toEqual([403, "client_address_unknown"]);
  });

  it("say nothing to who does not hold the secret", async () => {
    const key = await installation.key(organization, ["orders:read"], { allowed_networks: ["192.0.2.0/24"] });
    const other = await installation.key(organization, ["orders:read"]);
    const body = await (await observeGateway().get("/orders", key.value)).text();
    expect(body).toContain("network_not_allowed");
    expect(body).not.toContain("192.0.2");
    expect(await statusAt(observeGateway(), other)).toBe(200);
  });

  it("that become narrower are in force at once", async () => {
    const key = await installation.key(organization, ["orders:read"]);
    const make = () => installation.must("PATCH", `/api_keys/${key.id}`, { allowed_networks: ["192.0.2.0/24"] });
    await expectAtOnce({ key, path: "/orders", make, expected: { status: 403, reason: "client_address_unknown" } });
  });

  it("that become wider or fall work at once", async () => {
    const key = await installation.key(organization, ["orders:read"], { allowed_networks: ["192.0.2.0/24"] });
    await drainOutboxes();
    const warm = observeGateway();
    expect(await statusAt(warm, key, from("198.51.100.1"))).toBe(403);
    kvFaults.putsRefused = true;
    await installation.must("PATCH", `/api_keys/${key.id}`, { allowed_networks: ["192.0.2.0/24", "198.51.100.0/24"] });
    for (const gateway of [warm, observeGateway()]) expect(await statusAt(gateway, key, from("198.51.100.1"))).toBe(200);
    await installation.must("PATCH", `/api_keys/${key.id}`, { allowed_networks: null });
    for (const gateway of [warm, observeGateway()]) expect(await statusAt(gateway, key)).toBe(200);
  });

  it("are judged from memory", async () => {
    const key = await installation.key(organization, ["orders:read"], { allowed_networks: ["192.0.2.0/24"] });
    const gateway = observeGateway();
    await statusAt(gateway, key, from("192.0.2.1"));
    await gateway.settled();
    gateway.clock.standsStillAtMs = Date.now();
    await statusAt(gateway, key, from("192.0.2.1"));
    const { kv, replica, ledger } = { ...gateway.calls };
    for (const address of ["192.0.2.1", "198.51.100.1"]) await statusAt(gateway, key, from(address));
    expect(gateway.calls).toMatchObject({ kv, replica, ledger });
  });

  it("count at validation, where the address must be told", async () => {
    const key = await installation.key(organization, ["orders:read"], { allowed_networks: ["192.0.2.0/24"] });
    const validated = (client_address?: string) => installation.must("POST", "/api_keys/validations", { value: key.value, client_address });
    expect(await validated("192.0.2.9")).toMatchObject({ api_key: { id: key.id } });
    expect(await validated("203.0.113.9")).toEqual({ api_key: null });
    expect(await validated()).toEqual({ api_key: null });
  });

  it("bind platform keys, which cannot let themselves off", async () => {
    const bound = await installation.key("org_platform", ["portcullis:api_keys:read", "portcullis:api_keys:write"], {
      allowed_networks: ["192.0.2.0/24"],
    });
    const call = (address: string, method = "GET", body?: unknown) =>
      callControlPlane(bound.value, method, `/api_keys/${bound.id}`, body, from(address));
    expect((await call("192.0.2.1")).status).toBe(200);
    expect((await call("203.0.113.1")).status).toBe(401);
    expect((await call("192.0.2.1", "PATCH", { allowed_networks: null })).status).toBe(403);
  });

  it.each([["10.0.0.1/8"], ["office"], ["300.0.0.0/8"], ["10.0.0.0/33"]])("%j is not taken for one", async (network) => {
    const answer = await installation.call("POST", `/organizations/${organization}/api_keys`, { name: "x", allowed_networks: [network] });
    expect(answer).toMatchObject({ status: 422, body: { errors: [{ field: "allowed_networks.0" }] } });
  });
});
