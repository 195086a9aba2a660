/**
 * A stream of create and revoke commands, and what its clients know of each: acknowledged, or unknown because the answer
 * never came. A client repeats an unknown command with the same Idempotency-Key, as the API tells it to.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { ApiCallError, callApi, type Json } from "../../local/api-client.ts";
import type { KillableSystem } from "./killable-system.ts";
import { Random } from "../random.ts";

/** A key as the client that asked for it knows it. */
export interface TrackedKey {
  /** Unique; also what its Idempotency-Keys are made of. */
  readonly name: string;
  readonly organizationId: string;
  readonly permissions: readonly string[];
  /** The gateway is not asked about it before KV has been looked at: the gateway mends KV and would hide what the outbox forgot. */
  readonly isWithheldFromGateway: boolean;
  /** What the acknowledgement of its creation said; undefined while that is unknown. */
  issued: { readonly id: string; readonly value: string } | undefined;
  revocation: "none" | "unknown" | "acknowledged";
  /** The id under which it was listed though nobody had acknowledged it: a commit that once was visible must stay. */
  seenId: string | undefined;
  /** It was found revoked though nobody had acknowledged that: this must stay, too. */
  wasSeenRevoked: boolean;
}

/** How many commands ended how. */
interface Figures {
  acknowledged: number;
  /** Attempts whose answer never came. */
  unknown: number;
  /** Attempts made again with the same Idempotency-Key, of unknown and of acknowledged commands. */
  repeated: number;
}

/** Where the load goes. */
export interface Target {
  readonly system: KillableSystem;
  readonly adminKey: string;
  readonly organizationIds: readonly string[];
}

const LOOPS = 6;
const PAUSE_MS_MAX = 15;
const PERMISSION_SETS = [["orders:read"], ["orders:read", "orders:write"], ["invoices:read", "orders:read"]] as const;

/** What must be true of a key now; `either` while a revocation is unknown. */
export function expectedState(key: TrackedKey): "live" | "dead" | "either" {
  if (key.revocation === "acknowledged" || key.wasSeenRevoked) return "dead";
  return key.revocation === "none" ? "live" : "either";
}

/** For messages. */
export function describeKey(key: TrackedKey): string {
  return `${key.name} (${key.issued?.id ?? key.seenId ?? "no id yet"}, organization ${key.organizationId}, revocation ${key.revocation})`;
}

/** The clients. They remember across the deaths of the system. */
export class Load {
  readonly keys: TrackedKey[] = [];
  readonly figures: Figures = { acknowledged: 0, unknown: 0, repeated: 0 };
  readonly #target: Target;
  readonly #clients: readonly Client[];

  constructor(target: Target, random: Random) {
    this.#target = target;
    this.#clients = Array.from({ length: LOOPS }, (_, number) => new Client(this, target, `client-${number}`, random.fork()));
  }

  /** Sends commands until the system dies under them. */
  async untilKilled(): Promise<void> {
    await Promise.all(
      this.#clients.map(async (client) => {
        while (this.#target.system.isUp) await client.act();
      }),
    );
  }

  /** Repeats every command whose outcome is unknown, until none is. */
  async settle(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.settle()));
  }
}

/** One client: one command at a time, on keys of its own. */
class Client {
  readonly #load: Load;
  readonly #target: Target;
  readonly #name: string;
  readonly #random: Random;
  readonly #keys: TrackedKey[] = [];

  constructor(load: Load, target: Target, name: string, random: Random) {
    this.#load = load;
    this.#target = target;
    this.#name = name;
    this.#random = random;
  }

  /** A pause, then any one command. */
  async act(): Promise<void> {
    const random = this.#random;
    await sleep(random.between(0, PAUSE_MS_MAX));
    if (!this.#target.system.isUp) return;
    const unknown = random.pick(this.#unknown());
    if (unknown && random.chance(0.3)) return this.#repeat(unknown);
    const live = random.pick(this.#keys.filter((key) => key.issued && key.revocation === "none"));
    if (live && random.chance(0.05)) return this.#repeat(live);
    if (live && random.chance(0.35)) return this.#revoke(live);
    return this.#create(this.#newKey());
  }

  async settle(): Promise<void> {
    for (const key of this.#unknown()) await this.#repeat(key);
  }

  #unknown(): TrackedKey[] {
    return this.#keys.filter((key) => !key.issued || key.revocation === "unknown");
  }

  #newKey(): TrackedKey {
    const random = this.#random;
    const key: TrackedKey = {
      name: `${this.#name}-key-${this.#keys.length}`,
      organizationId: random.pick(this.#target.organizationIds) ?? "",
      permissions: random.pick(PERMISSION_SETS) ?? [],
      isWithheldFromGateway: random.chance(0.5),
      issued: undefined,
      revocation: "none",
      seenId: undefined,
      wasSeenRevoked: false,
    };
    this.#keys.push(key);
    this.#load.keys.push(key);
    return key;
  }

  #repeat(key: TrackedKey): Promise<void> {
    this.#load.figures.repeated += 1;
    return key.issued && key.revocation === "unknown" ? this.#revoke(key) : this.#create(key);
  }

  async #create(key: TrackedKey): Promise<void> {
    const { name, permissions, organizationId } = key;
    const answer = await this.#send(key, "create", "POST", `/organizations/${organizationId}/api_keys`, { name, permissions });
    if (!answer) return;
    const issued = { id: String(answer["id"]), value: String(answer["value"]) };
    const id = key.issued?.id ?? key.seenId ?? issued.id;
    if (issued.id !== id) throw new Error(`DOUBLED: ${describeKey(key)} is now said to be ${issued.id}`);
    if (key.issued && key.issued.value !== issued.value) throw new Error(`a repeat answered another token: ${describeKey(key)}`);
    key.issued = issued;
  }

  async #revoke(key: TrackedKey): Promise<void> {
    key.revocation = "unknown";
    if (await this.#send(key, "revoke", "DELETE", `/api_keys/${key.issued?.id ?? ""}`)) key.revocation = "acknowledged";
  }

  /** The answer, or undefined if the system died before it came. Nothing else may go wrong. */
  async #send(key: TrackedKey, verb: string, method: string, path: string, body?: Json): Promise<Json | undefined> {
    const { system, adminKey } = this.#target;
    const { figures } = this.#load;
    try {
      const answer = await callApi(system.controlPlane, adminKey, method, path, body, `${verb}-${key.name}`);
      figures.acknowledged += 1;
      return answer;
    } catch (cause) {
      if (cause instanceof ApiCallError || system.isUp)
        throw new Error(`${verb} of ${describeKey(key)} failed: ${String(cause)}`, { cause });
      figures.unknown += 1;
      return undefined;
    }
  }
}
