/** What an isolate asks its replica when many requests want to know the same, or when asking goes wrong. */
import { afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { healKv, kvFaults } from "./faulty-kv.ts";
import { install, type Installation, type IssuedKey } from "./installation.ts";
import { observeGateway, type ObservedGateway } from "./observed-gateway.ts";

const AN_EDGE_LEASE_MS = 100;
const REQUESTS = 1_000;

let installation: Installation;
let key: IssuedKey;
let gateway: ObservedGateway;
beforeAll(async () => {
  installation = await install();
  key = await installation.key(await installation.organization(), ["orders:read"]);
});
beforeEach(() => {
  gateway = observeGateway();
  gateway.clock.standsStillAtMs = Date.now();
});
afterEach(healKv);

it("is asked once for a thousand requests that come at the same time, and all are let through", async () => {
  const answers = await Promise.all(Array.from({ length: REQUESTS }, () => gateway.get("/orders", key.value)));
  expect(answers.filter(({ status }) => status !== 200)).toEqual([]);
  expect(gateway.calls.replica).toBe(1);
});

it("is asked twice where it cannot be reached, for a thousand requests, and all are refused", async () => {
  gateway.faults.ledger = "unreachable";
  const answers = await Promise.all(Array.from({ length: REQUESTS }, () => gateway.get("/orders", key.value)));
  expect(answers.filter(({ status }) => status !== 503)).toEqual([]);
  expect(gateway.calls.replica).toBe(2);
});

it("is not asked again at once when it says that it is overloaded", async () => {
  gateway.faults.ledger = "overloaded";
  expect((await gateway.get("/orders", key.value)).status).toBe(503);
  expect(gateway.calls.replica).toBe(1);
});

it("is asked on also when the client that made the question necessary has gone, because others wait for the answer", async () => {
  // Refused, so that nothing else is begun.
  expect((await gateway.get("/admin/users", key.value)).status).toBe(403);
  expect(gateway.outliving).toHaveLength(1);
});

it.each([
  ["KV", false],
  ["its cell", true],
])("is asked again when taking in a route table from %s took longer than the lease lasts", async (_, isFromCell) => {
  kvFaults.readsMiss = isFromCell;
  const { clock } = gateway;
  let arrivals = 0;
  gateway.faults.routesArrive = async () => {
    // KV's answer comes first, and says nothing where the cell is asked.
    if (++arrivals < (isFromCell ? 2 : 1)) return;
    // The clock stands still until the next event, as on Workers.
    await gateway.settled();
    setTimeout(() => (clock.aheadMs = AN_EDGE_LEASE_MS), 0);
  };
  // Without a key nothing else is waited for.
  expect((await gateway.send("/orders")).status).toBe(401);
  expect(gateway.calls.replica).toBe(2);
});
