/** Events and webhooks with the official WorkOS SDK and the Standard Webhooks library, on the running system and a real receiver. */
import { ConflictException, UnprocessableEntityException, type Event, type WorkOS } from "@workos-inc/node";
import { Webhook } from "standardwebhooks";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { callApi } from "../../local/api-client.ts";
import { startTestSystem, type TestSystem } from "../system.ts";
import { accept, startReceiver, type Arrived, type Behaviour } from "./receiver.ts";
import { at, refusalOf, sdk } from "./workos-client.ts";

const PATIENCE = { timeout: 60_000, interval: 50 };

let system: TestSystem;
let workos: WorkOS;
beforeAll(async () => {
  system = await startTestSystem({ settings: { WEBHOOK_LOOPBACK: "on", WEBHOOK_RESOLVER: "off" } });
  workos = sdk(system.controlPlane, system.adminKey);
});
afterAll(() => system?.[Symbol.asyncDispose]());

const newKey = async (name: string, organizationId = system.organizationId) =>
  workos.apiKeys.createOrganizationApiKey({ organizationId, name, permissions: ["orders:read"] });
const idOf = ({ body }: Arrived) => (JSON.parse(body) as { data: { id: string } }).data.id;

describe("events", () => {
  it("are listed by the SDK with its filters, and followed with its cursor", async () => {
    const organizationId = (await workos.organizations.createOrganization({ name: "Eventful" })).id;
    const keys = [];
    for (const name of ["one", "two", "three"]) keys.push(await newKey(name, organizationId));
    await workos.apiKeys.deleteApiKey(at(keys, 0).id);
    const types = ["api_key.created", "api_key.revoked"] as const;
    const seen: Event[] = [];
    let after: string | undefined;
    do {
      const page = await workos.events.listEvents({ events: [...types], organizationId, limit: 2, ...(after !== undefined && { after }) });
      seen.push(...page.data);
      after = page.listMetadata.after ?? undefined;
    } while (after !== undefined);
    expect(seen.map(({ event }) => event)).toEqual(["api_key.created", "api_key.created", "api_key.created", "api_key.revoked"]);
    expect(seen.map(({ data }) => (data as { id: string }).id)).toEqual([...keys.map(({ id }) => id), at(keys, 0).id]);
    expect(at(seen, 0)).toMatchObject({
      id: expect.stringMatching(/^event_[0-9A-HJKMNP-TV-Z]{26}$/) as string,
      createdAt: expect.any(String) as string,
    });

    const rangeEnd = at(seen, 1).createdAt;
    const until = await workos.events.listEvents({ events: [...types], organizationId, rangeEnd });
    expect(until.data.every(({ createdAt }) => createdAt <= rangeEnd)).toBe(true);
    expect(until.data.length).toBeGreaterThanOrEqual(2);
  });

  it.each([
    "events=api_key.created,user.created",
    "events=api_key.created&events=user.created",
    "events[]=api_key.created&events[]=user.created",
  ])("can be asked for as ?%s", async (query) => {
    const { data } = (await callApi(system.controlPlane, system.adminKey, "GET", `/events?${query}&limit=100`)) as { data: Event[] };
    expect(new Set(data.map(({ event }) => event))).toEqual(new Set(["api_key.created", "user.created"]));
  });
});

describe("a webhook endpoint", () => {
  it("is made, listed, changed and deleted by the SDK", async () => {
    await using receiver = await startReceiver();
    const made = await workos.webhooks.createWebhookEndpoint({ endpointUrl: receiver.url, events: ["api_key.created"] });
    expect(made).toMatchObject({ object: "webhook_endpoint", endpointUrl: receiver.url, status: "enabled", events: ["api_key.created"] });
    expect(made.secret).toMatch(/^whsec_/);
    const conflict = await refusalOf(
      workos.webhooks.createWebhookEndpoint({ endpointUrl: receiver.url, events: ["api_key.created"] }),
      ConflictException,
    );
    expect(conflict.code).toBe("duplicate_endpoint");
    const invalid = await refusalOf(
      workos.webhooks.createWebhookEndpoint({ endpointUrl: "http://10.0.0.1/", events: ["api_key.created"] }),
      UnprocessableEntityException,
    );
    expect(invalid.code).toBe("invalid_url");
    const changed = await workos.webhooks.updateWebhookEndpoint({ id: made.id, status: "disabled", events: ["api_key.revoked"] });
    expect(changed).toMatchObject({ id: made.id, status: "disabled", events: ["api_key.revoked"], secret: made.secret });
    expect((await workos.webhooks.listWebhookEndpoints()).data.map(({ id }) => id)).toContain(made.id);
    await workos.webhooks.deleteWebhookEndpoint({ id: made.id });
    expect((await workos.webhooks.listWebhookEndpoints()).data.map(({ id }) => id)).not.toContain(made.id);
  });

  it("sends what both libraries accept, and refuse when a byte of it is changed", async () => {
    await using receiver = await startReceiver();
    const { id, secret } = await workos.webhooks.createWebhookEndpoint({ endpointUrl: receiver.url, events: ["api_key.created"] });
    const key = await newKey("Zoë 🔑");
    await vi.waitFor(() => expect(receiver.arrived.map(idOf)).toContain(key.id), PATIENCE);
    const { method, headers, body } = at(receiver.arrived, 0);
    expect([method, headers["content-type"]]).toEqual(["POST", "application/json"]);
    const sigHeader = String(headers["workos-signature"]);
    const event = await workos.webhooks.constructEvent({ payload: JSON.parse(body) as Record<string, unknown>, sigHeader, secret });
    expect(event).toMatchObject({ event: "api_key.created", data: { id: key.id, name: "Zoë 🔑" } });
    const tampered = { ...(JSON.parse(body) as Record<string, unknown>), event: "api_key.revoked" };
    await expect(workos.webhooks.constructEvent({ payload: tampered, sigHeader, secret })).rejects.toThrow();
    const standard = new Webhook(secret);
    expect(standard.verify(body, headers as Record<string, string>)).toEqual(JSON.parse(body));
    expect(() => standard.verify(body.replace("Zoë", "Zoe"), headers as Record<string, string>)).toThrow();
    await workos.webhooks.deleteWebhookEndpoint({ id });
  });

  const bad: [string, Behaviour, string][] = [
    ["answers 500", (response) => void response.writeHead(500).end("no"), "refused"],
    ["redirects to itself", (response) => void response.writeHead(302, { Location: "/elsewhere" }).end(), "redirected"],
    ["closes before it answers", (response) => void response.destroy(), "connection_failed"],
    ["hangs", () => undefined, "timeout"],
  ];
  it.each(bad)("that %s is tried again, while others are not kept waiting", async (_, behaviour, error) => {
    await using receiver = await startReceiver();
    await using other = await startReceiver();
    receiver.next(behaviour);
    const hooks: { readonly id: string }[] = [];
    for (const { url } of [receiver, other])
      hooks.push(await workos.webhooks.createWebhookEndpoint({ endpointUrl: url, events: ["api_key.created"] }));
    const key = await newKey("tried again");
    await vi.waitFor(() => expect(other.arrived.map(idOf)).toEqual([key.id]), PATIENCE);
    await vi.waitFor(() => expect(receiver.arrived.map(idOf)).toEqual([key.id, key.id]), PATIENCE);
    expect(receiver.arrived.every(({ url }) => url === "/hook")).toBe(true);
    expect(at(receiver.arrived, 1).headers["webhook-id"]).toBe(at(receiver.arrived, 0).headers["webhook-id"]);
    await vi.waitFor(async () => {
      const log = await callApi(system.controlPlane, system.adminKey, "GET", `/webhook_endpoints/${at(hooks, 0).id}/deliveries`);
      expect(log["data"]).toMatchObject([{ status: "delivered", attempts: [{ error }, { error: null, status: 200 }] }]);
    }, PATIENCE);
    for (const { id } of hooks) await workos.webhooks.deleteWebhookEndpoint({ id });
  });

  it("that answers without end has taken the event with its first line; the rest is not read", async () => {
    await using receiver = await startReceiver();
    let isCut = false;
    receiver.next((response) => {
      response.writeHead(200, { "Content-Type": "text/plain" });
      const flood = setInterval(() => response.write("x".repeat(65_536)), 1);
      response.on("close", () => {
        clearInterval(flood);
        isCut = true;
      });
    }, accept);
    const { id } = await workos.webhooks.createWebhookEndpoint({ endpointUrl: receiver.url, events: ["api_key.created"] });
    await newKey("flooded");
    await vi.waitFor(() => expect(isCut).toBe(true), PATIENCE);
    const log = await callApi(system.controlPlane, system.adminKey, "GET", `/webhook_endpoints/${id}/deliveries`);
    expect(log["data"]).toMatchObject([{ status: "delivered", attempts: [{ status: 200 }] }]);
    await workos.webhooks.deleteWebhookEndpoint({ id });
  });
});
