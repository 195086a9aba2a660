/**
 * Demotions race the making and widening of keys, in a thousand random orders. Whoever comes first: when the demotion has returned,
 * no key can do more than its owner, at the ledger and at a gateway that knew the key before. One seed decides everything random.
 */
import { env } from "cloudflare:workers";
import { beforeAll, expect, it } from "vitest";
import type { Command, Outcome } from "../../control-plane/ledger/command.ts";
import { sha256Hex } from "../../core/digest.ts";
import { cellOfOrganization, HOME_CELL } from "../../core/identifier.ts";
import { notCovered } from "../../core/permission.ts";
import { Random } from "../random.ts";
import { install, tokenIdOf, unissuedToken, type Installation, type IssuedKey } from "./installation.ts";
import { envelope, minted, newId, replyOf } from "./ledger-commands.ts";
import { observeGateway, type ObservedGateway } from "./observed-gateway.ts";

const SEED = 20_261_124;
const INTERLEAVINGS = 1_000;
const LANES = 10;
const CELLS = 4;
const STRONG = ["orders:read", "orders:write"];
const WEAK = ["orders:read"];
const NOTHING: readonly string[] = [];

let installation: Installation;
beforeAll(async () => {
  installation = await install();
});

/** A user who is demoted and restored again and again, in an organization of their own. */
interface Lane {
  readonly name: string;
  readonly organization: string;
  readonly cell: number;
  readonly role: string;
  readonly random: Random;
  readonly gateway: ObservedGateway;
  userId: string;
  membershipId: string;
}

/** A way to take something from the user, what remains when it has returned, and how it is undone. */
interface Demotion {
  readonly cell?: typeof HOME_CELL;
  readonly command: (lane: Lane) => Command;
  readonly remains: readonly string[];
  readonly restore: (lane: Lane) => Promise<unknown>;
}

const send = async (cell: number, command: Command): Promise<Outcome> => env.LEDGER.getByName(`cell-${cell}`).execute(envelope(command));

/** Restoring waits for nothing: nobody is watching between two interleavings. */
const restored = async (cell: number, command: Command) =>
  replyOf(await env.LEDGER.getByName(`cell-${cell}`).execute({ ...envelope(command), untilInForce: false }));

async function join(lane: Lane): Promise<void> {
  const { cell, organization: organization_id, userId: user_id, role } = lane;
  const id = newId("om", cell);
  await restored(cell, { type: "create_membership", id, organization_id, user_id, user_email: "", role });
  lane.membershipId = id;
}

async function widenRole({ cell, organization: organization_id, role: slug }: Lane): Promise<void> {
  await restored(cell, { type: "set_role_permissions", organization_id, slug, permissions: STRONG });
}

const DEMOTIONS: Readonly<Record<string, Demotion>> = {
  "another role": {
    command: ({ membershipId: id }) => ({ type: "change_membership_role", id, role: "viewer" }),
    remains: WEAK,
    restore: ({ cell, membershipId: id, role }) => restored(cell, { type: "change_membership_role", id, role }),
  },
  "less in the role": {
    command: ({ organization: organization_id, role: slug }) => ({
      type: "set_role_permissions",
      organization_id,
      slug,
      permissions: WEAK,
    }),
    remains: WEAK,
    restore: widenRole,
  },
  "a permission out of the role": {
    command: ({ organization: organization_id, role: slug }) => ({
      type: "remove_role_permission",
      organization_id,
      slug,
      permission: "orders:write",
    }),
    remains: WEAK,
    restore: widenRole,
  },
  "an inactive membership": {
    command: ({ membershipId: id }) => ({ type: "deactivate_membership", id }),
    remains: NOTHING,
    restore: ({ cell, membershipId: id }) => restored(cell, { type: "reactivate_membership", id }),
  },
  "no membership": {
    command: ({ membershipId: id }) => ({ type: "end_membership", id }),
    remains: NOTHING,
    restore: join,
  },
  "a suspended organization": {
    command: ({ organization: id }) => ({ type: "suspend_organization", id }),
    remains: NOTHING,
    restore: ({ cell, organization: id }) => restored(cell, { type: "resume_organization", id }),
  },
  "no user": {
    cell: HOME_CELL,
    command: ({ userId: id }) => ({ type: "end_user", id }),
    remains: NOTHING,
    restore: async (lane) => {
      lane.userId = await newUser();
      await join(lane);
    },
  },
};

async function newUser(): Promise<string> {
  const [id, email] = [newId("user"), `${crypto.randomUUID()}@example.com`];
  await restored(HOME_CELL, { type: "create_user", id, email, first_name: null, last_name: null, external_id: null });
  return id;
}

async function openLane(at: number, random: Random): Promise<Lane> {
  const organization = await installation.organization();
  const cell = cellOfOrganization(organization, CELLS);
  const name = `lane ${at}`;
  const lane = {
    name,
    organization,
    cell,
    role: `org-lane-${at}`,
    random,
    gateway: observeGateway(),
    userId: await newUser(),
    membershipId: "",
  };
  const role = { organization_id: organization, slug: lane.role };
  await restored(cell, { type: "create_role", id: newId("role"), name: "Lane", description: null, ...role });
  await widenRole(lane);
  await join(lane);
  return lane;
}

/** Asks for a key of the lane's user, with a token that a gateway takes. */
async function issue({ cell, userId, organization }: Lane, permissions: readonly string[]) {
  const value = unissuedToken({ cell });
  const key: IssuedKey = { id: newId("api_key", cell), value };
  const outcome = await send(cell, {
    type: "create_api_key",
    id: key.id,
    owner: { type: "user", id: userId, organization_id: organization },
    name: "raced",
    permissions,
    expires_at_ms: null,
    minted: { ...minted(tokenIdOf(key)), sha256: sha256Hex(value) },
  });
  return { key, outcome };
}

/** Lets others go before, some number of times. */
async function yieldSome(random: Random): Promise<void> {
  for (let turns = random.between(0, 6); turns > 0; turns--)
    await (random.chance(0.5) ? Promise.resolve() : new Promise((resolve) => setTimeout(resolve, random.between(0, 2))));
}

/** What a key can do now by the ledger's word. */
async function effective({ cell }: Lane, key: IssuedKey): Promise<readonly string[]> {
  const resolution = await env.LEDGER.getByName(`cell-${cell}`).resolve(tokenIdOf(key));
  if (!resolution.found || resolution.record.state === "revoked" || resolution.record.blocked !== null) return NOTHING;
  return resolution.record.permissions;
}

/** What a gateway decides. On a machine this busy its leases of 100 ms may run out while it asks; it refuses with 503 then, and is asked again. */
async function decision(gateway: ObservedGateway, { value }: IssuedKey): Promise<number> {
  for (;;) {
    const { status } = await gateway.send("/orders", { method: "POST", headers: { Authorization: `Bearer ${value}` } });
    if (status !== 503) return status;
  }
}

/** One interleaving; how many of the racing requests were granted, and how many not. */
async function race(lane: Lane, at: number): Promise<{ readonly granted: number; readonly refused: number }> {
  const { random, gateway } = lane;
  const [kind, demotion] = random.pick(Object.entries(DEMOTIONS)) ?? [];
  if (!demotion) throw new Error("there is no demotion");
  const what = `seed ${SEED}, ${lane.name}, interleaving ${at}: ${kind}`;
  const [standing, narrow] = await Promise.all([issue(lane, STRONG), issue(lane, WEAK)]);
  expect(await decision(gateway, standing.key), what).toBe(200);

  const after = async <Result>(run: () => Promise<Result>) => (await yieldSome(random), run());
  const creations = Array.from({ length: random.between(1, 3) }, () => after(() => issue(lane, random.chance(0.8) ? STRONG : WEAK)));
  const widening = after(() => send(lane.cell, { type: "update_api_key", id: narrow.key.id, permissions: STRONG }));
  const demoted = after(() => send(demotion.cell ?? lane.cell, demotion.command(lane)));
  const [made, widened, outcome] = await Promise.all([Promise.all(creations), widening, demoted]);

  replyOf(outcome);
  for (const { key } of [standing, narrow, ...made]) expect(notCovered(await effective(lane, key), demotion.remains), what).toEqual([]);
  expect(await decision(gateway, standing.key), what).toBe(demotion.remains === WEAK ? 403 : 401);
  await demotion.restore(lane);
  const outcomes = [...made.map((issued) => issued.outcome), widened];
  const granted = outcomes.filter(({ ok }) => ok).length;
  return { granted, refused: outcomes.length - granted };
}

it("leaves no permission in excess, whichever comes first", { timeout: 600_000 }, async () => {
  const random = new Random(SEED);
  const lanes: Lane[] = [];
  for (let at = 0; at < LANES; at++) lanes.push(await openLane(at, random.fork()));
  const tally = { granted: 0, refused: 0 };
  await Promise.all(
    lanes.map(async (lane) => {
      for (let at = 0; at < INTERLEAVINGS / LANES; at++) {
        const { granted, refused } = await race(lane, at);
        tally.granted += granted;
        tally.refused += refused;
      }
    }),
  );
  // Both orders came about, each many times: otherwise nothing has raced.
  expect(tally.granted).toBeGreaterThan(INTERLEAVINGS / 10);
  expect(tally.refused).toBeGreaterThan(INTERLEAVINGS / 10);
});
