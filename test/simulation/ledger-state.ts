/**
 * What a cell keeps through every crash: a model of the ledger's tables, with the same records, floors, hash chain and idempotent
 * commands. It is the truth by which everything else is judged.
 */
import { sha256Hex } from "../../core/digest.ts";
import type { Floor, FloorView, Subject } from "../../core/floor.ts";
import { raisedAt } from "../../core/protocol/floor-window.ts";
import type { ReplicaOutcome } from "../../core/protocol/messages.ts";
import type { StoredHolder } from "../../core/protocol/primary.ts";
import type { ActiveRecord, KeyRecord } from "../../core/record.ts";
import type { RouteTable } from "../../core/route.ts";
import { routesAsking } from "./routes.ts";
import { CLIENTS_NETWORK, isBound } from "./special-keys.ts";

/** Who owns a key. */
export interface Owner {
  readonly organization: string;
  readonly user?: string;
}

/** A change that somebody asks for. */
export type Command =
  | { readonly type: "create"; readonly key: string; readonly owner: Owner; readonly permissions: readonly string[] }
  | { readonly type: "set_permissions"; readonly key: string; readonly permissions: readonly string[] }
  | { readonly type: "revoke"; readonly key: string }
  | { readonly type: "change_role"; readonly owner: Owner; readonly role: string }
  | { readonly type: "offboard"; readonly owner: Owner }
  | { readonly type: "suspend" | "resume"; readonly organization: string }
  /** In the home cell; every other cell takes the copy. */
  | { readonly type: "set_role"; readonly role: string; readonly permissions: readonly string[] }
  /** In the home cell. */
  | { readonly type: "replace_routes"; readonly asking: string };

/** A key as stored. */
interface StoredKey {
  readonly id: string;
  readonly owner: Owner;
  permissions: readonly string[];
  isDead: boolean;
}

/** What an entry's coming into force wants. */
export interface Receipt {
  readonly seq: number;
  readonly committedAtMs: number;
  awaitsCells: boolean;
  replicas: Readonly<Record<string, ReplicaOutcome>> | undefined;
  isInForce: boolean;
}

/** Roles and what they allow, as of an entry of the home cell. */
export interface Catalogue {
  readonly homeSeq: number;
  readonly roles: ReadonlyMap<string, readonly string[]>;
}

const GENESIS = "0";

export class LedgerState {
  readonly cell: number;
  readonly entries: { readonly commandId: string; readonly text: string; readonly hash: string }[] = [];
  readonly keys = new Map<string, StoredKey>();
  readonly commands = new Map<string, number>();
  readonly receipts = new Map<number, Receipt>();
  readonly holders = new Map<string, StoredHolder>();
  /** By cell: which catalogue it has confirmed. Only the home cell's counts. */
  readonly mirrors = new Map<number, number>();
  /** When which catalogue was taken: entry of the home cell, own entry. */
  readonly taken: { readonly homeSeq: number; readonly seq: number }[] = [];
  readonly #floors = new Map<Subject, Floor>();
  readonly #roleOf = new Map<string, string>();
  readonly #suspended = new Set<string>();
  readonly #floorsToldMax: number;
  #roles: Map<string, readonly string[]>;
  catalogueSeq = 0;
  #asking = "read";
  #routesVersion = 0;

  constructor(cell: number, roles: ReadonlyMap<string, readonly string[]>, floorsToldMax: number) {
    this.cell = cell;
    this.#roles = new Map(roles);
    this.#floorsToldMax = floorsToldMax;
  }

  /** The latest entry. */
  get seq(): number {
    return this.entries.length;
  }

  /** Carries a command out, at once and for ever; answers its entry. A command that was carried out before answers that entry. */
  execute(commandId: string, command: Command, nowMs: number): { readonly seq: number; readonly isRepeat: boolean } {
    const known = this.commands.get(commandId);
    if (known !== undefined) return { seq: known, isRepeat: true };
    const seq = this.#append(commandId, JSON.stringify(command));
    this.#apply(command, seq, nowMs);
    this.commands.set(commandId, seq);
    return { seq, isRepeat: false };
  }

  /** Takes the home cell's catalogue if it is newer. */
  take(catalogue: Catalogue, nowMs: number): void {
    if (catalogue.homeSeq <= this.catalogueSeq) return;
    const changed = [...catalogue.roles].filter(([role, permissions]) => String(this.#roles.get(role)) !== String(permissions));
    const seq = this.#append(`catalogue-${catalogue.homeSeq}`, JSON.stringify([...catalogue.roles]));
    this.#roles = new Map(catalogue.roles);
    this.catalogueSeq = catalogue.homeSeq;
    this.taken.push({ homeSeq: catalogue.homeSeq, seq });
    for (const [role] of changed) this.#raise(`role:${role}`, "superseded", seq, nowMs);
  }

  /** The catalogue as of now; of the home cell. */
  catalogue(): Catalogue {
    return { homeSeq: this.catalogueSeq, roles: new Map(this.#roles) };
  }

  /** Floors after an entry, or as many of the latest as are told at once. */
  floorsSince(since: number | null): FloorView {
    const after = [...this.#floors.values()].filter((floor) => raisedAt(floor) > (since ?? 0));
    const told = after.toSorted((a, b) => raisedAt(a) - raisedAt(b)).slice(-this.#floorsToldMax);
    const untold = after.length > told.length ? raisedAt(after.toSorted((a, b) => raisedAt(b) - raisedAt(a))[told.length] as Floor) : 0;
    return { seq: this.seq, completeFrom: Math.max(since ?? 0, untold), floors: told };
  }

  /** What a key can do now; null when it is dead or was never made. */
  effective(key: string): readonly string[] | null {
    const stored = this.keys.get(key);
    if (!stored || stored.isDead) return null;
    const { owner, permissions } = stored;
    if (this.#suspended.has(owner.organization)) return [];
    const bound = owner.user === undefined ? permissions : (this.#roles.get(this.#roleName(owner)) ?? []);
    return permissions.filter((permission) => bound.includes(permission));
  }

  /** The record of a key's token now, or undefined for one that was never made. In the simulation a token is its key's id. */
  record(key: string): KeyRecord | undefined {
    const stored = this.keys.get(key);
    if (!stored) return undefined;
    const permissions = this.effective(key);
    if (permissions === null) return { v: 1, state: "revoked", stamp: this.seq, token_id: key };
    return {
      v: 1,
      state: "active",
      stamp: this.seq,
      token_id: key,
      sha256: key,
      key_id: key,
      owner: this.#ownerOf(stored.owner),
      environment: "live",
      permissions: [...permissions],
      expires_at_ms: null,
      secret_expires_at_ms: null,
      blocked: null,
      allowed_networks: isBound(key) ? [CLIENTS_NETWORK] : null,
    };
  }

  /** The route table now. */
  routes(): RouteTable {
    return { stamp: this.seq, version: this.#routesVersion, routes: routesAsking(this.#asking, this.#routesVersion) };
  }

  /** Receipts that are not in force yet. */
  pending(): Receipt[] {
    return [...this.receipts.values()].filter(({ isInForce }) => !isInForce);
  }

  /** The first entry that does not fit the hash chain, or undefined. */
  brokenAt(): number | undefined {
    let hash = GENESIS;
    for (const [at, entry] of this.entries.entries()) {
      if (entry.hash !== sha256Hex(hash + entry.text)) return at + 1;
      hash = entry.hash;
    }
    return undefined;
  }

  #append(commandId: string, text: string): number {
    const hash = sha256Hex((this.entries.at(-1)?.hash ?? GENESIS) + text);
    return this.entries.push({ commandId, text, hash });
  }

  #apply(command: Command, seq: number, nowMs: number): void {
    switch (command.type) {
      case "create":
        this.keys.set(command.key, { id: command.key, owner: command.owner, permissions: command.permissions, isDead: false });
        return;
      case "set_permissions":
        this.#changeKey(command.key, (key) => (key.permissions = command.permissions));
        return this.#raise(`key:${command.key}`, "superseded", seq, nowMs);
      case "revoke":
        this.#changeKey(command.key, (key) => (key.isDead = true));
        return this.#raise(`key:${command.key}`, "revoked", seq, nowMs);
      case "change_role":
        this.#roleOf.set(memberOf(command.owner), command.role);
        return this.#raise(`user:${command.owner.user ?? ""}@${command.owner.organization}`, "superseded", seq, nowMs);
      case "offboard":
        for (const key of this.keys.values()) if (memberOf(key.owner) === memberOf(command.owner)) key.isDead = true;
        return this.#raise(`user:${command.owner.user ?? ""}@${command.owner.organization}`, "revoked", seq, nowMs);
      case "suspend":
        this.#suspended.add(command.organization);
        return this.#raise(`org:${command.organization}`, "superseded", seq, nowMs);
      case "resume":
        this.#suspended.delete(command.organization);
        return this.#raise(`org:${command.organization}`, "superseded", seq, nowMs);
      case "set_role":
        this.#roles.set(command.role, command.permissions);
        this.catalogueSeq = seq;
        this.taken.push({ homeSeq: seq, seq });
        return this.#raise(`role:${command.role}`, "superseded", seq, nowMs, true);
      case "replace_routes":
        this.#asking = command.asking;
        this.#routesVersion = seq;
        return this.#raise("routes", "superseded", seq, nowMs);
    }
  }

  #changeKey(id: string, change: (key: StoredKey) => void): void {
    const key = this.keys.get(id);
    if (key) change(key);
  }

  #raise(subject: Subject, kind: "revoked" | "superseded", seq: number, nowMs: number, awaitsCells = false): void {
    const held = this.#floors.get(subject) ?? { subject, revokedBelow: 0, supersededBelow: 0 };
    this.#floors.set(subject, kind === "revoked" ? { ...held, revokedBelow: seq } : { ...held, supersededBelow: seq });
    this.receipts.set(seq, { seq, committedAtMs: nowMs, awaitsCells, replicas: undefined, isInForce: false });
  }

  #roleName(owner: Owner): string {
    return this.#roleOf.get(memberOf(owner)) ?? "member";
  }

  #ownerOf(owner: Owner): ActiveRecord["owner"] {
    if (owner.user === undefined) return { type: "organization", id: owner.organization };
    return { type: "user", id: owner.user, organization_id: owner.organization, role: this.#roleName(owner) };
  }
}

/** A member of an organization, or the organization itself. */
function memberOf({ organization, user }: Owner): string {
  return `${user ?? ""}@${organization}`;
}
