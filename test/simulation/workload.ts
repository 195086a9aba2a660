/** What people and programs do meanwhile: keys are made, narrowed, widened, ended; requests come, most of them when it matters. */
import type { Random } from "../random.ts";
import type { Situation } from "./coverage.ts";
import type { Command, Owner } from "./ledger-state.ts";
import { CELLS } from "./latency.ts";
import { EDGES } from "./profile.ts";
import { importedNumber, keyId } from "./special-keys.ts";
import { NO_PATH, OWN_PATH, PAGE_ORIGIN, PAGE_PATH, PATHS, PUBLIC_PATH, STRICT_PATH, TEST_PATH } from "./routes.ts";
import type { World } from "./world.ts";

/** A key that clients use. */
interface UsedKey {
  readonly id: string;
  readonly cell: number;
  readonly owner: Owner;
}

const KEYS_AT_FIRST = 8;
const CLIENTS = 3;
/** Requests of all isolates together, per second. */
const REQUESTS_PER_SECOND = 60;
/** Requests to each isolate right after a call has returned, when a mistake would show: one at once, two a little later. */
const BURST_WITHIN_MS = [0, 10, 60] as const;
/** Requests to each isolate while the change is on its way: what they learn then, they may go by for a lease. */
const UNDER_WAY_MS = 450;

/** Requests of each isolate before a change that is to come when leases end. */
const REQUESTS_BEFORE = 8;

export class Workload {
  readonly #world: World;
  readonly #random: Random;
  readonly keys: UsedKey[] = [];
  /** Commands that were acknowledged. */
  readonly acknowledged: { readonly cell: number; readonly commandId: string }[] = [];
  #commands = 0;
  #isRunning = true;

  constructor(world: World, random: Random) {
    this.#world = world;
    this.#random = random;
    for (let key = 0; key < KEYS_AT_FIRST; key += 1) this.#create(() => {});
    for (let client = 0; client < CLIENTS; client += 1) this.#change();
    this.#requests();
  }

  /** No further changes; those under way go on. */
  stop(): void {
    this.#isRunning = false;
  }

  /** Narrows a key of a cell at a time, with requests for it from everywhere before that: from when on is told as well. */
  narrowAt(cell: number, atMs: number, withinMs: number): void {
    const { engine } = this.#world;
    const key = this.#random.pick(this.keys.filter((each) => each.cell === cell));
    if (!key) return;
    const beforeMs = 2 * withinMs;
    engine.at(atMs - beforeMs, () => {
      for (let round = 0; round < REQUESTS_BEFORE; round += 1) this.#everywhere(key, beforeMs);
    });
    engine.at(atMs, () => {
      if (!this.#isRunning) return;
      const command: Command = this.#random.chance(0.5)
        ? { type: "revoke", key: key.id }
        : { type: "set_permissions", key: key.id, permissions: [] };
      this.#send(command.type === "revoke" ? "operation: revoke" : "operation: narrow", cell, command, key, () => {});
    });
  }

  #requests(): void {
    if (!this.#isRunning) return;
    this.#world.engine.after((this.#random.next() * 2_000) / REQUESTS_PER_SECOND, () => {
      this.#request();
      this.#requests();
    });
  }

  /** One request: mostly with a key that there is, now and then without, or with one that nobody made, or to nowhere. */
  #request(): void {
    const random = this.#random;
    const key = random.pick(this.keys);
    const edge = random.between(0, EDGES - 1);
    const path = random.pick(PATHS) ?? "/read";
    if (random.chance(0.02)) return this.#world.request(edge, null, 0, random.chance(0.5) ? PUBLIC_PATH : path);
    if (random.chance(0.01))
      return this.#world.preflight(edge, random.chance(0.8) ? PAGE_ORIGIN : "https://other.example", random.chance(0.8) ? PAGE_PATH : path);
    if (random.chance(0.02)) return this.#world.request(edge, keyId("ghost", random.between(0, 3)), random.between(0, CELLS - 1), path);
    if (key && importedNumber(key.id) !== undefined && random.chance(0.05))
      return this.#world.request(edge, key.id, key.cell, random.chance(0.5) ? OWN_PATH : TEST_PATH);
    if (key) this.#world.request(edge, key.id, key.cell, random.chance(0.02) ? NO_PATH : path, random.chance(0.01));
  }

  /** One client: a change, and when that has returned, another. */
  #change(): void {
    this.#world.engine.after(this.#random.next() * 800, () => {
      if (!this.#isRunning) return;
      const next = () => this.#change();
      const random = this.#random;
      const key = random.pick(this.keys);
      if (!key || random.chance(0.2)) return this.#create(next);
      const { owner, cell, id } = key;
      const { organization } = owner;
      switch (random.between(0, 9)) {
        case 0:
        case 1:
          return this.#send("operation: revoke", cell, { type: "revoke", key: id }, key, next);
        case 2:
        case 3:
          return this.#send("operation: narrow", cell, { type: "set_permissions", key: id, permissions: ["read"] }, key, next);
        case 4:
          return this.#send(
            "operation: widen",
            cell,
            { type: "set_permissions", key: id, permissions: ["read", "write", "admin"] },
            key,
            next,
          );
        case 5:
          return this.#send(
            "operation: replace routes",
            0,
            { type: "replace_routes", asking: random.pick(["read", "write", "admin"]) ?? "read" },
            key,
            next,
          );
        case 6: {
          const isSuspended = random.chance(0.5);
          const kind = isSuspended ? "suspend" : "resume";
          return this.#send(`operation: ${kind}`, cell, { type: kind, organization }, key, next);
        }
        case 7: {
          const permissions = random.chance(0.5) ? ["read"] : ["read", "write"];
          return this.#send("operation: role loses a permission", 0, { type: "set_role", role: "member", permissions }, key, next);
        }
        default:
          if (owner.user === undefined) return next();
          if (random.chance(0.3)) return this.#send("operation: offboard", cell, { type: "offboard", owner }, key, next);
          return this.#send(
            "operation: change role",
            cell,
            { type: "change_role", owner, role: random.pick(["member", "admin"]) ?? "member" },
            key,
            next,
          );
      }
    });
  }

  #create(then: () => void): void {
    const random = this.#random;
    const cell = random.between(0, CELLS - 1);
    const organization = `org-${cell}-${random.between(0, 1)}`;
    // A user who was offboarded does not come back here, so each user of a new key is a new one now and then.
    const owner: Owner = random.chance(0.5) ? { organization } : { organization, user: `user-${this.#commands}` };
    const key: UsedKey = { id: keyId("key", this.#commands), cell, owner };
    const command: Command = { type: "create", key: key.id, owner, permissions: random.pick([["read"], ["read", "write"]]) ?? [] };
    this.#send("operation: create", cell, command, key, () => {
      this.keys.push(key);
      then();
    });
  }

  #send(situation: Situation, cell: number, command: Command, key: UsedKey, then: () => void): void {
    this.#world.coverage.hit(situation);
    const commandId = `command-${this.#commands++}`;
    // Nobody can use a key before it has been made.
    if (command.type !== "create") this.#everywhere(key, UNDER_WAY_MS);
    // What is asked for in the very moment of the change is known without it, for as long as can be.
    if (command.type !== "create") this.#world.onCommit(commandId, () => this.#everywhere(key, 0, STRICT_PATH));
    this.#world.onReturn(commandId, () => {
      const isHome = command.type === "replace_routes" || command.type === "set_role";
      const used = isHome ? this.#random.pick(this.keys) : key;
      if (used) for (const withinMs of BURST_WITHIN_MS) this.#everywhere(used, withinMs);
    });
    this.#world.command(cell, commandId, command, () => {
      this.acknowledged.push({ cell, commandId });
      then();
    });
  }

  /** One request to each isolate, within a while. */
  #everywhere(key: UsedKey, withinMs: number, on?: string): void {
    for (let edge = 0; edge < EDGES; edge += 1) {
      const path = on ?? this.#random.pick(PATHS) ?? "/read";
      this.#world.engine.after(this.#random.next() * withinMs, () => this.#world.request(edge, key.id, key.cell, path));
    }
  }
}
