/**
 * What others do: an isolate that asks the key's home ledger, and may go by what it was told for a while. With a time to live of 0
 * that is a central check on every request; with 60 s it is what most gateways do. Only the way it finds the record is another: the
 * decision by it is the product's own.
 */
import { authorize } from "../../../core/authorize.ts";
import { DEADLINES_MS } from "../../../core/protocol/tunables.ts";
import type { KeyRecord } from "../../../core/record.ts";
import { prepareRoute, type PreparedRoute } from "../../../core/prepared-route.ts";
import type { Exchange, Isolate } from "../edge-node.ts";
import type { SimulatedRegion } from "../latency.ts";
import type { Answer } from "../network.ts";
import { Process, type ClockFault } from "../process.ts";
import { routesAsking } from "../routes.ts";
import type { World } from "../world.ts";
import { CLIENT_ADDRESS } from "../special-keys.ts";

/** What the ledger said of a key. */
interface Told {
  readonly record: KeyRecord | undefined;
  /** On the isolate's clock. */
  readonly untilMs: number;
}

/** Routes do not change here, so these gateways never have to ask for them. */
const ROUTES: ReadonlyMap<string, PreparedRoute> = new Map(routesAsking("read", 0).map((route) => [route.path, prepareRoute(route)]));

/** One isolate. `ttlMs` counts from the ledger's answer. */
export class AskingIsolate extends Process implements Isolate {
  readonly #world: World;
  readonly #ttlMs: number;
  readonly #told = new Map<string, Told>();

  constructor(ttlMs: number, world: World, name: string, region: SimulatedRegion, clock: ClockFault) {
    super(world.engine, name, region, clock, world.random.fork());
    this.#world = world;
    this.#ttlMs = ttlMs;
  }

  /** A request arrives. */
  receive(key: string | null, cell: number, path: string): void {
    const exchange: Exchange = { edge: this, key, cell, path, origin: undefined, arrivedAtMs: this.engine.nowMs, replicaKnew: undefined };
    this.#world.arrived(exchange);
    if (key === null) return this.#world.decided(exchange, { reason: "missing_credential" });
    const told = this.#told.get(key);
    if (told && this.now() < told.untilMs) return this.#decide(exchange, key, told.record);
    this.#world.network.call(
      "resolve",
      this,
      () => this.#world.routeToLedger(cell),
      (callee, answer: Answer<{ readonly record: KeyRecord | undefined }>) => callee.resolve(key, answer),
      DEADLINES_MS.cell,
      (result) => {
        if (!result) return this.#world.decided(exchange, { reason: "ledger_unreachable" });
        this.#told.set(key, { record: result.record, untilMs: this.now() + this.#ttlMs });
        this.#decide(exchange, key, result.record);
      },
    );
  }

  #decide(exchange: Exchange, key: string, record: KeyRecord | undefined): void {
    const route = ROUTES.get(exchange.path);
    if (!route) return this.#world.decided(exchange, { reason: "no_route" });
    if (!record) return this.#world.decided(exchange, { route, reason: "unknown_key" });
    // In the simulation a token is its key's id, and its own digest.
    const authorization = authorize(record, { sha256: key, clientAddress: () => CLIENT_ADDRESS }, route, this.now());
    this.#world.decided(exchange, authorization.allowed ? { route, record: authorization.record } : { route, ...authorization });
  }
}
