/**
 * Warm traffic and a stream of revocations, the same for every design: which request comes when, to which isolate, with which key
 * does not depend on what is answered.
 *
 * Requests use a fixed number of keys. At regular times one of them is revoked and another one comes into use. Who held the revoked
 * one goes on trying it, for longer than any cache remembers, until at last it is no longer used.
 */
import type { Random } from "../../random.ts";
import type { MeasuredWorld } from "./measured-world.ts";

/** How much comes. */
export interface Traffic {
  /** Of all isolates together. */
  readonly requestsPerSecond: number;
  /** Keys in use at any time, the revoked ones that are still tried among them. */
  readonly keys: number;
  readonly revokedEveryMs: number;
  /** Whether each isolate gets a request with the revoked key at once and soon after a revocation has returned, when a mistake would show. */
  readonly probesReturns: boolean;
}

/** For so long a revoked key is still tried. */
const REVOKED_TRIED_MS = 75_000;
/** By then the keys have been made. */
const STARTS_AT_MS = 2_000;
/** Revocations that would not return in time are not begun. */
const RETURNS_WITHIN_MS = 3_000;
const PROBED_AFTER_MS = [0, 50, 500] as const;
const PATH = "/read";

export class SteadyTraffic {
  readonly #world: MeasuredWorld;
  readonly #random: Random;
  readonly #traffic: Traffic;
  /** Milliseconds that each revocation took, for the one who called. */
  readonly revocationsMs: number[] = [];
  /** Keys before this one are no longer tried. */
  #oldestTried = 0;
  readonly #triedRevoked: number;

  /** Goes on until `untilMs`. */
  constructor(world: MeasuredWorld, random: Random, traffic: Traffic, untilMs: number) {
    this.#world = world;
    this.#random = random;
    this.#traffic = traffic;
    const { keys, revokedEveryMs } = traffic;
    this.#triedRevoked = Math.min(keys - 1, Math.ceil(REVOKED_TRIED_MS / revokedEveryMs));
    const all = keys + Math.ceil(untilMs / revokedEveryMs);
    for (let key = 0; key < all; key += 1) this.#create(key);
    world.engine.after(STARTS_AT_MS, () => this.#requests());
    const lastAtMs = untilMs - RETURNS_WITHIN_MS;
    for (let atMs = STARTS_AT_MS + revokedEveryMs; atMs < lastAtMs; atMs += revokedEveryMs) world.engine.after(atMs, () => this.#revoke());
  }

  #create(key: number): void {
    const owner = { organization: `org-${key}` };
    this.#world.command(this.#cellOf(key), `create-${key}`, { type: "create", key: idOf(key), owner, permissions: ["read"] }, () => {});
  }

  #requests(): void {
    const { requestsPerSecond, keys } = this.#traffic;
    const edge = this.#random.between(0, this.#world.edges.length - 1);
    this.#request(edge, this.#oldestTried + this.#random.between(0, keys - 1));
    this.#world.engine.after((this.#random.next() * 2_000) / requestsPerSecond, () => this.#requests());
  }

  #request(edge: number, key: number): void {
    this.#world.request(edge, idOf(key), this.#cellOf(key), PATH);
  }

  #revoke(): void {
    const { engine } = this.#world;
    const key = this.#oldestTried++ + this.#triedRevoked;
    const calledAtMs = engine.nowMs;
    if (this.#traffic.probesReturns) this.#world.onReturn(`revoke-${key}`, () => this.#probe(key));
    this.#world.command(this.#cellOf(key), `revoke-${key}`, { type: "revoke", key: idOf(key) }, () =>
      this.revocationsMs.push(engine.nowMs - calledAtMs),
    );
  }

  #probe(key: number): void {
    for (const ms of PROBED_AFTER_MS)
      for (let edge = 0; edge < this.#world.edges.length; edge += 1) this.#world.engine.after(ms, () => this.#request(edge, key));
  }

  #cellOf(key: number): number {
    return key % this.#world.profile.cells;
  }
}

function idOf(key: number): string {
  return `key-${key}`;
}
