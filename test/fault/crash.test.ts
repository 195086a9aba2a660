/**
 * workerd is killed with SIGKILL at random moments under a stream of create and revoke commands. After every restart each
 * acknowledged change must be there, none doubled, the hash chains whole; and KV must come to say what the ledger says.
 *
 * KILLS: how often (`npm run fault`: 30). SEED: repeats the choices and the moments of an earlier run.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it, onTestFinished, vi } from "vitest";
import { recordName } from "../../core/record.ts";
import { callApi } from "../../local/api-client.ts";
import { firstAdminKey, seed } from "../../local/seed.ts";
import { chainFaults, entryFaults, gatewayFaults, listingFaults, validationFaults } from "./audit.ts";
import { kvFaults, strayNames, tokenIdOf } from "./convergence.ts";
import { KillableSystem } from "./killable-system.ts";
import { Load, type Target } from "./load.ts";
import { Random } from "../random.ts";

const KILLS = Number(process.env["KILLS"] ?? 4);
const SEED = Number(process.env["SEED"] ?? Math.floor(Math.random() * 2 ** 32));
const AGAIN = `repeat with SEED=${SEED} KILLS=${KILLS}`;

/** Moments of a kill, in ms after the load began: from the very first command to well into the outbox's second round. */
const KILL_AFTER_MS = { low: 5, high: 1_500 } as const;
/** More than there are cells, so that most cells take part. */
const ORGANIZATIONS = 24;
/** Only against hanging for ever. */
const HANG_MS = 240_000 + KILLS * 30_000;
const WAIT = { timeout: 90_000, interval: 20 } as const;

console.log(`fault: ${AGAIN}`);

/** A system that is stopped and removed however the test ends, also when it is given up. */
async function freshSystem(): Promise<KillableSystem> {
  const system = await KillableSystem.create();
  onTestFinished(() => system[Symbol.asyncDispose]());
  return system;
}

/** Sets up routes, permissions and the organizations whose keys come and go. */
async function furnish(system: KillableSystem): Promise<Target> {
  const adminKey = await firstAdminKey(system.controlPlane, system.bootstrapSecret);
  await seed(system.controlPlane, adminKey, system.upstream);
  const organizations = await Promise.all(
    Array.from({ length: ORGANIZATIONS }, (_, number) =>
      callApi(system.controlPlane, adminKey, "POST", "/organizations", { name: `Tenant ${number}` }, `tenant-${number}`),
    ),
  );
  return { system, adminKey, organizationIds: organizations.map(({ id }) => String(id)) };
}

/** All that must hold at any time. The gateway is asked first, before anything else has woken the ledger. */
async function expectSound(target: Target, { keys }: Load, when: string, gatewayKeys = keys.filter((key) => !key.isWithheldFromGateway)) {
  const faults = [
    ...(await gatewayFaults(target, gatewayKeys)),
    ...(await listingFaults(target, keys)),
    ...(await validationFaults(target, keys)),
    ...(await chainFaults(target)),
  ];
  expect(faults, `${when}; ${AGAIN}`).toEqual([]);
}

async function expectKvConverges({ system }: Target, { keys }: Load, when: string) {
  expect(await kvFaults(system, keys), `${when}; ${AGAIN}`).toEqual([]);
}

function raise(message: string): never {
  throw new Error(message);
}

/** What the run amounted to. */
function summary({ keys, figures }: Load): string {
  const revoked = keys.filter((key) => key.revocation === "acknowledged").length;
  const seen = keys.filter((key) => key.seenId !== undefined || key.wasSeenRevoked).length;
  const { acknowledged, unknown, repeated } = figures;
  return `${acknowledged} commands acknowledged, ${unknown} left unknown by a kill (${seen} of them found done), ${repeated} repeated; ${keys.length} keys, ${revoked} revoked`;
}

it(`keeps every acknowledged change over ${KILLS} kills at random moments`, { timeout: HANG_MS }, async () => {
  const random = new Random(SEED);
  const system = await freshSystem();
  const target = await furnish(system);
  const load = new Load(target, random.fork());
  for (let kill = 1; kill <= KILLS; kill += 1) {
    const afterMs = random.between(KILL_AFTER_MS.low, KILL_AFTER_MS.high);
    const when = `after kill ${kill} of ${KILLS}, ${afterMs} ms into the load`;
    // The outbox must go on by itself, too, when nobody asks any ledger anything after the restart.
    const isLeftAlone = random.chance(0.25) || kill === KILLS;
    await Promise.all([load.untilKilled(), sleep(afterMs).then(() => system.kill())]);
    await system.start();
    if (isLeftAlone) await expectKvConverges(target, load, `${when}, left alone`);
    await expectSound(target, load, when);
  }
  await load.settle();
  await expectKvConverges(target, load, "with every command settled");
  await expectSound(target, load, "at the end", load.keys);
  const tokens = load.keys.map((key) => key.issued?.value ?? "");
  const faults = [...(await entryFaults(target, load.keys)), ...(await strayNames(system, [target.adminKey, ...tokens]))];
  expect(faults, AGAIN).toEqual([]);
  console.log(`fault: ${summary(load)}; ${AGAIN}`);
});

it("refuses a revoked key at the first request after a kill, while KV still holds its live record", { timeout: HANG_MS }, async () => {
  const system = await freshSystem();
  const { adminKey, organizationIds } = await furnish(system);
  const statusOf = async (value: unknown) =>
    (await fetch(new URL("/orders", system.gateway), { headers: { Authorization: `Bearer ${String(value)}` } })).status;
  for (const organizationId of organizationIds.slice(0, 3)) {
    const fields = { name: "to be revoked", permissions: ["orders:read"] };
    const key = await callApi(system.controlPlane, adminKey, "POST", `/organizations/${organizationId}/api_keys`, fields);
    const name = recordName(tokenIdOf(String(key["value"])));
    const liveRecord = await vi.waitFor(async () => (await (await system.keys()).get(name, "text")) ?? raise(`${name} is not in KV`), WAIT);
    expect(await statusOf(key["value"])).toBe(200);

    await callApi(system.controlPlane, adminKey, "DELETE", `/api_keys/${String(key["id"])}`);
    await system.kill();
    await system.start();
    // The outbox may have been quicker; a location that kept its copy still shows this.
    await (await system.keys()).put(name, liveRecord);
    expect(await statusOf(key["value"]), `first request with ${String(key["id"])}`).toBe(401);
  }
});

it("completes an installation that was cut off while it was being set up", { timeout: HANG_MS }, async () => {
  const random = new Random(SEED).fork();
  const system = await freshSystem();
  const adminKeys = new Set<string>();
  const setUp = async () => {
    const adminKey = await firstAdminKey(system.controlPlane, system.bootstrapSecret);
    adminKeys.add(adminKey);
    await seed(system.controlPlane, adminKey, system.upstream);
  };
  for (let kill = 0; kill < KILLS; kill += 1) {
    const killed = sleep(random.between(1, 200)).then(() => system.kill());
    await Promise.all([killed, setUp().catch((error: unknown) => expect(system.isUp, `${String(error)}; ${AGAIN}`).toBe(false))]);
    await system.start();
  }
  const target = await furnish(system);
  adminKeys.add(target.adminKey);
  expect(adminKeys.size, `one first key only; ${AGAIN}`).toBe(1);
  expect(await chainFaults(target), AGAIN).toEqual([]);
  const organizations = await callApi(system.controlPlane, target.adminKey, "GET", "/organizations?limit=100");
  expect((organizations["data"] as { name: string }[]).filter(({ name }) => name === "Acme")).toHaveLength(1);
});
