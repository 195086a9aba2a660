/** What a failure looks like from outside, by whose it is: whether asking again may help is told by the status and Retry-After. */
import { env } from "cloudflare:workers";
import { runInDurableObject } from "cloudflare:test";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { controlPlaneApp } from "../../control-plane/app.ts";
import { Cells } from "../../control-plane/cells.ts";
import { controlPlaneConfiguration } from "../../control-plane/configuration.ts";
import { UsageStores } from "../../control-plane/usage/access.ts";
import { PlatformKeyUses } from "../../control-plane/http/platform-key-uses.ts";
import { limitsOf } from "../../control-plane/http/rate-limit.ts";
import { webhookAccess } from "../../control-plane/webhooks/access.ts";
import { cellOfOrganization } from "../../core/identifier.ts";
import { ask } from "./control-plane-client.ts";
import { install, type Installation, type IssuedKey, type Json } from "./installation.ts";
import { healLedger, ledgerFaults } from "./ledger-faults.ts";
import { observeGateway, type ObservedGateway } from "./observed-gateway.ts";

let installation: Installation;
let organizationId: string;
let key: IssuedKey;
beforeAll(async () => {
  installation = await install();
  organizationId = await installation.organization();
  key = await installation.key(organizationId, ["orders:read"]);
});
afterEach(() => {
  healLedger();
  vi.restoreAllMocks();
});

const cellName = () => `cell-${cellOfOrganization(organizationId, Number(env.CELLS))}`;

describe("the gateway", () => {
  /** Asks it, and tells what it answered and whether the request got through. */
  async function told(gateway: ObservedGateway, response: Response) {
    const body: Json = await response.json();
    expect(response.headers.get("content-type")).toBe("application/problem+json");
    expect(response.headers.get("cache-control")).toBe("no-store");
    expect(body["request_id"]).toBe(response.headers.get("portcullis-request-id"));
    const logged = JSON.parse(gateway.logLines.at(-1) ?? "{}") as Json;
    return {
      status: response.status,
      code: body["code"],
      retryAfter: response.headers.get("retry-after"),
      cause: logged["cause"],
      triedUpstream: gateway.calls.upstream > 0,
    };
  }

  it("that cannot ask the ledger answers 503 and when to ask again", async () => {
    const gateway = observeGateway();
    gateway.faults.ledger = "unreachable";
    expect(await told(gateway, await gateway.get("/orders", key.value))).toEqual({
      status: 503,
      code: "ledger_unreachable",
      retryAfter: "1",
      cause: undefined,
      triedUpstream: false,
    });
  });

  it("that gets no answer from the upstream answers 502, and does not know when to ask again", async () => {
    const gateway = observeGateway();
    gateway.faults.upstream = async () => {
      throw new TypeError("Network connection lost.");
    };
    expect(await told(gateway, await gateway.get("/orders", key.value))).toEqual({
      status: 502,
      code: "upstream_unreachable",
      retryAfter: null,
      cause: "TypeError",
      triedUpstream: true,
    });
  });

  it("that fails itself answers 500 and lets nothing through: asking again will not help", async () => {
    const gateway = observeGateway();
    gateway.faults.ledger = "unintelligible";
    expect(await told(gateway, await gateway.get("/orders", key.value))).toEqual({
      status: 500,
      code: "internal_error",
      retryAfter: null,
      cause: "TypeError",
      triedUpstream: false,
    });
  });

  it("that fails before it has looked at anything answers the same", async () => {
    const gateway = observeGateway();
    const unreadable = new Proxy(new Request("https://api.example/orders"), {
      get: (request, name) => {
        if (name === "url") throw new RangeError("a fault of our own");
        return Reflect.get(request, name, request) as unknown;
      },
    });
    expect(await told(gateway, await gateway.answer(unreadable))).toEqual({
      status: 500,
      code: "internal_error",
      retryAfter: null,
      cause: "RangeError",
      triedUpstream: false,
    });
  });

  it.each([500, 502, 503])(
    "passes on the %i of an upstream that did answer as it is, with its own word on when to ask again",
    async (status) => {
      const gateway = observeGateway();
      gateway.faults.upstream = async () => new Response("the upstream's own", { status, headers: { "Retry-After": "30" } });
      const response = await gateway.get("/orders", key.value);
      expect([response.status, response.headers.get("retry-after"), await response.text()]).toEqual([status, "30", "the upstream's own"]);
    },
  );
});

describe("the control plane", () => {
  const newKey = (idempotencyKey: string) =>
    ask(installation.adminKey, "POST", `/organizations/${organizationId}/api_keys`, {
      json: { name: "CI" },
      headers: { "Idempotency-Key": idempotencyKey },
    });

  it("whose ledger dies on the way answers 503 and when to ask again, and then it is done once", async () => {
    ledgerFaults.dyingAtCommand.add(cellName());
    const failed = await newKey("died-once");
    expect(failed).toMatchObject({ status: 503, body: { code: "temporarily_unavailable" } });
    expect(failed.headers.get("retry-after")).toBe("1");
    const made = await newKey("died-once");
    expect([made.status, (await newKey("died-once")).body["id"]]).toEqual([201, made.body["id"]]);
  });

  it("one of whose cells cannot take a change yet answers 503, another code, and when to ask again", async () => {
    ledgerFaults.onCatalogue.set("cell-2", "throws");
    const failed = await ask(installation.adminKey, "POST", "/authorization/permissions", { json: { slug: "late:read", name: "Late" } });
    expect(failed).toMatchObject({ status: 503, body: { code: "not_yet_effective" } });
    expect(failed.headers.get("retry-after")).toBe("1");
  });

  describe("that has to ask another cell for an external id", () => {
    const create = (external_id: string) => ask(installation.adminKey, "POST", "/organizations", { json: { name: "A", external_id } });
    const expectUndecided = async (external_id: string) => {
      const failed = await create(external_id);
      expect(failed).toMatchObject({ status: 503, body: { code: "temporarily_unavailable" } });
      expect(failed.headers.get("retry-after")).toBe("1");
    };

    it("which gives no answer answers 503, and has done nothing", async () => {
      ledgerFaults.claimsAnswered.set("unheard", new Promise(() => {}));
      await expectUndecided("unheard");
      healLedger();
      expect((await create("unheard")).status).toBe(201);
    });

    it("which in turn asks a third that gives no answer, answers the same", async () => {
      expect((await create("taken")).status).toBe(201);
      ledgerFaults.onHolding.set("taken", "hangs");
      await expectUndecided("taken");
      healLedger();
      expect((await create("taken")).status).toBe(409);
    });
  });

  it("whose ledger fails by a fault of its own answers 500: asking again will not help", async () => {
    const inHome = (statement: string) =>
      runInDurableObject(env.LEDGER.getByName("cell-0"), (_, { storage }) => void storage.sql.exec(statement));
    await inHome("ALTER TABLE users RENAME TO users_elsewhere");
    const failed = await ask(installation.adminKey, "GET", "/user_management/users");
    await inHome("ALTER TABLE users_elsewhere RENAME TO users");
    expect(failed).toMatchObject({ status: 500, body: { code: "internal_error" } });
    expect(failed.headers.get("retry-after")).toBeNull();
    expect((await ask(installation.adminKey, "GET", "/user_management/users")).status).toBe(200);
  });

  it("that fails itself answers 500, says nothing of why, and logs no more than the error's name", async () => {
    const configuration = controlPlaneConfiguration(env);
    const randomBytes = () => {
      throw new RangeError(`a fault of our own, near ${installation.adminKey}`);
    };
    const cells = new Cells(env.LEDGER, configuration.cells);
    const fetch = controlPlaneApp({
      configuration,
      cells,
      now: Date.now,
      randomBytes,
      limits: limitsOf(configuration, Date.now),
      platformKeyUses: new PlatformKeyUses({ cells, now: Date.now, waitUntil: () => {} }),
      usage: new UsageStores(env.USAGE_STORE),
      webhooks: webhookAccess(env.WEBHOOK_DISPATCHER, configuration.webhooks),
      identityProvider: null,
    });
    const log = vi.spyOn(console, "log").mockImplementation(() => {});
    const response = await fetch(
      new Request(`https://control.example/organizations/${organizationId}/api_keys`, {
        method: "POST",
        headers: { Authorization: `Bearer ${installation.adminKey}`, "Content-Type": "application/json" },
        body: JSON.stringify({ name: "CI" }),
      }),
    );
    expect([response.status, response.headers.get("retry-after"), response.headers.get("cache-control")]).toEqual([500, null, "no-store"]);
    expect(await response.json()).toEqual({ message: expect.stringContaining("X-Request-ID") as string, code: "internal_error" });
    const lines = log.mock.calls.map(([line]) => JSON.parse(String(line)) as Json);
    const request_id = response.headers.get("x-request-id");
    expect(lines).toContainEqual({ event: "control_plane_failure", request_id, name: "RangeError" });
    expect(JSON.stringify(lines).includes(installation.adminKey)).toBe(false);
  });
});
