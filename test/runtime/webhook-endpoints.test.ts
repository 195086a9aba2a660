/** Webhook endpoints inside workerd: what they are sent and how it is signed, their secrets and settings, redelivery. */
import { env } from "cloudflare:workers";
import { runInDurableObject } from "cloudflare:test";
import { Webhook } from "standardwebhooks";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { EndpointSettings } from "../../control-plane/webhooks/contract.ts";
import { callControlPlane, install, Installation, type Json } from "./installation.ts";
import { deliveriesOf, eventOf, newEndpoint, received, type Endpoint } from "./webhook-endpoints.ts";
import { accepting, cellsReport, pass, webhookWorld, type Received, type Receiver } from "./webhook-world.ts";

let installation: Installation;
let organizationId: string;
beforeAll(async () => {
  installation = await install();
  organizationId = await installation.organization();
});
beforeEach(() => {
  webhookWorld.receivers.clear();
  webhookWorld.received.length = 0;
});

const endpoint = async (receiver?: Receiver, events?: readonly string[]) => newEndpoint(installation, receiver, events);
const deliveries = async (hook: Endpoint, limit?: number) => deliveriesOf(installation, hook, limit);

describe("an endpoint", () => {
  it("is sent what happens after it was made, as /events lists it, in both dialects of signature", async () => {
    await installation.key(organizationId, ["orders:read"], { name: "Before" });
    const hook = await endpoint();
    const key = await installation.key(organizationId, ["orders:read"], { name: "After" });
    await cellsReport();
    await pass(hook.id, 1_000);
    const [delivery, ...others] = received(hook);
    expect(others).toEqual([]);
    if (!delivery) throw new Error("nothing was sent");
    const { data } = (await installation.must("GET", "/events?order=desc&limit=5&events=api_key.created")) as { data: Json[] };
    expect(JSON.parse(delivery.body)).toEqual(data.find((event) => (event["data"] as Json)["id"] === key.id));
    expect(delivery.body).not.toContain(key.value);

    const signed = { ...delivery.headers, "webhook-timestamp": String(Math.floor(Date.now() / 1_000)) };
    expect(() => new Webhook(hook.secret).verify(delivery.body, signed)).toThrow(/signature/i);
    const verifying = new Webhook(hook.secret);
    expect(verifying.sign(delivery.headers["webhook-id"] ?? "", new Date(delivery.atMs), delivery.body)).toBe(
      delivery.headers["webhook-signature"],
    );
    expect(delivery.headers["webhook-id"]).toBe(eventOf(delivery).id);
    expect(delivery.headers["WorkOS-Signature"]).toMatch(new RegExp(`^t=${delivery.atMs}, v1=[0-9a-f]{64}$`));
    expect(delivery.headers["WorkOS-Signature-Next"]).toBeUndefined();
  });

  it("hears each key's end when many end at once", async () => {
    const hook = await endpoint(accepting, ["api_key.revoked"]);
    const { userId, membershipId } = await installation.member(organizationId, "member");
    const keys: string[] = [];
    for (let nth = 0; nth < 5; nth++) keys.push((await installation.userKey(userId, organizationId, [])).id);
    await installation.must("DELETE", `/user_management/organization_memberships/${membershipId}`);
    await cellsReport();
    await pass(hook.id, 1_000);
    expect(
      received(hook)
        .map((delivery) => String(eventOf(delivery).data["id"]))
        .toSorted(),
    ).toEqual(keys.toSorted());
  });

  it("is kept without its secret in what the ledger says and stores", async () => {
    const hook = await endpoint(accepting, ["webhook_endpoint.created", "webhook_endpoint.secret_rotated"]);
    const rotated = await installation.must("POST", `/webhook_endpoints/${hook.id}/rotate_secret`, {});
    const stored = await runInDurableObject(env.LEDGER.getByName("cell-0"), (_, { storage }) =>
      JSON.stringify(
        storage.sql
          .exec<{ name: string }>("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE '\\_cf%' ESCAPE '\\'")
          .toArray()
          .map(({ name }) => storage.sql.exec(`SELECT * FROM ${name}`).toArray()),
      ),
    );
    expect(stored).toContain(hook.id);
    for (const secret of [hook.secret, String(rotated["secret"])]) {
      expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
      expect(stored).not.toContain(secret.slice(6));
    }
  });

  it("answers a repeated request with the endpoint and secret of the first", async () => {
    const body = { endpoint_url: "https://once.example.com/", events: ["api_key.created"] };
    const ask = async () => callControlPlane(installation.adminKey, "POST", "/webhook_endpoints", body, { "Idempotency-Key": "once" });
    const first = await ask();
    const second = await ask();
    expect([second.status, second.body]).toEqual([201, first.body]);
    expect((await installation.call("POST", "/webhook_endpoints", body)).body).toMatchObject({ code: "duplicate_endpoint" });
  });

  it.each([
    ["http://example.com/", "https"],
    ["https://127.0.0.1/", "address"],
    ["https://user:secret@example.com/", "password"],
    ["https://metadata.google.internal/", "public"],
    ["not a URL", "absolute"],
  ])("is refused at %s", async (endpoint_url, why) => {
    const { status, body } = await installation.call("POST", "/webhook_endpoints", { endpoint_url, events: ["api_key.created"] });
    expect([status, body]).toEqual([
      422,
      expect.objectContaining({
        code: "invalid_url",
        errors: [expect.objectContaining({ field: "endpoint_url", message: expect.stringContaining(why) as string })],
      }),
    ]);
  });

  it("shows its secret to who may act for it only", async () => {
    const hook = await endpoint();
    const reader = await installation.key("org_platform", ["portcullis:webhooks:read"]);
    const shown = await new Installation(reader.value).must("GET", `/webhook_endpoints/${hook.id}`);
    expect(shown).toMatchObject({ id: hook.id, secret: "whsec_(hidden)" });
    expect(await installation.must("GET", `/webhook_endpoints/${hook.id}`)).toMatchObject({ secret: hook.secret });
  });
});

describe("a secret that is replaced", () => {
  it("goes on signing for a time: lists hold both, WorkOS's header stays with the old one", async () => {
    const hook = await endpoint();
    const { secret } = await installation.must("POST", `/webhook_endpoints/${hook.id}/rotate_secret`, { overlap_seconds: 3_600 });
    await installation.key(organizationId, []);
    await cellsReport();
    // The cells' clock gives the overlap its end; the dispatchers' is years ahead.
    const realMs = Date.now();
    const aheadMs = webhookWorld.nowMs - realMs;
    webhookWorld.nowMs = realMs;
    await runInDurableObject(env.WEBHOOK_DISPATCHER.getByName(hook.id), (dispatcher) => dispatcher.alarm());
    const [during] = received(hook);
    webhookWorld.nowMs = realMs + aheadMs;
    await installation.key(organizationId, []);
    await cellsReport();
    await pass(hook.id, 1_000);
    const after = received(hook).at(-1);
    if (!during || !after) throw new Error("nothing was sent");
    const signatures = (delivery: Received, by: string) =>
      new Webhook(by).sign(delivery.headers["webhook-id"] ?? "", new Date(delivery.atMs), delivery.body);
    const [current, previous] = [String(secret), hook.secret];
    expect(during.headers["webhook-signature"]).toBe(`${signatures(during, current)} ${signatures(during, previous)}`);
    expect(after.headers["webhook-signature"]).toBe(signatures(after, current));
    expect(Object.keys(during.headers)).toContain("WorkOS-Signature-Next");
    expect(Object.keys(after.headers)).not.toContain("WorkOS-Signature-Next");
  });
});

describe("a cell that reports", () => {
  it("is not taken at its word before its subscription has come back, and is told when nobody listens", async () => {
    const hook = await endpoint();
    const dispatcher = env.WEBHOOK_DISPATCHER.getByName(hook.id);
    await runInDurableObject(dispatcher, async (instance, { storage }) => {
      storage.sql.exec("DELETE FROM cells WHERE cell = 2");
      await expect(instance.wake(2, 1_000_000)).rejects.toThrow(/not yet subscribed/);
      expect(await instance.wake(3, 1_000_000)).toBe(true);
    });
    await installation.must("DELETE", `/webhook_endpoints/${hook.id}`);
    const nobody = env.WEBHOOK_DISPATCHER.getByName("we_00000000000000000000000000");
    expect(await runInDurableObject(nobody, (instance) => instance.wake(2, 1))).toBe(false);
  });
});

describe("settings", () => {
  it("that arrive late do not undo newer ones", async () => {
    const hook = await endpoint();
    await runInDurableObject(env.WEBHOOK_DISPATCHER.getByName(hook.id), async (instance, { storage }) => {
      const [row] = storage.sql.exec<{ settings: string }>("SELECT settings FROM endpoint").toArray();
      const settings = JSON.parse(row?.settings ?? "") as EndpointSettings;
      await instance.configure({ ...settings, version: settings.version - 1, endpoint_url: "https://elsewhere.example.com/" });
    });
    await installation.key(organizationId, []);
    await cellsReport();
    await pass(hook.id, 1_000);
    expect(received(hook)).toHaveLength(1);
  });
});

describe("a redelivery", () => {
  it("sends an event once more, also one that was never for this endpoint, and no other tenant's id leads anywhere", async () => {
    const hook = await endpoint();
    const key = await installation.key(organizationId, []);
    await cellsReport();
    await pass(hook.id, 1_000);
    const [{ id }] = (await deliveries(hook)) as [{ id: string }];
    expect(await installation.must("POST", `/webhook_endpoints/${hook.id}/deliveries/${id}/redeliver`)).toMatchObject({
      id,
      status: "pending",
    });
    await pass(hook.id, 1_000);
    const [first, second] = received(hook);
    expect(second?.body).toBe(first?.body);
    expect(eventOf(second ?? ({} as Received)).data["id"]).toBe(key.id);

    const [organizationCreated] = (await installation.must("GET", `/events?organization_id=${organizationId}&limit=1`))["data"] as [Json];
    await installation.must("POST", `/webhook_endpoints/${hook.id}/deliveries/${String(organizationCreated["id"])}/redeliver`);
    await pass(hook.id, 1_000);
    expect(JSON.parse(received(hook).at(-1)?.body ?? "")).toEqual(organizationCreated);
    const nowhere = `event_${"0".repeat(26)}`;
    expect((await installation.call("POST", `/webhook_endpoints/${hook.id}/deliveries/${nowhere}/redeliver`)).status).toBe(404);
  });
});
