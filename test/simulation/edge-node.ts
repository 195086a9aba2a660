/** An isolate of the gateway: the shell of worker/, in the simulation's terms. */
import { RouteMemory } from "../../core/edge/route-memory.ts";
import type { Candidate } from "../../core/edge/candidate.ts";
import type { Decision, Edge, EdgeRequest, Need, Published } from "../../core/edge/request.ts";
import type { ForeignToken } from "../../core/foreign-token.ts";
import type { NormalPath } from "../../core/path.ts";
import type { SyncAnswer, SyncRequest } from "../../core/protocol/messages.ts";
import { DEADLINES_MS } from "../../core/protocol/tunables.ts";
import type { KeyRecord } from "../../core/record.ts";
import type { RouteTable } from "../../core/route.ts";
import type { ParsedToken } from "../../core/token.ts";
import { CLIENT_ADDRESS, importedNumber } from "./special-keys.ts";
import { CELLS, type SimulatedRegion } from "./latency.ts";
import type { Answer } from "./network.ts";
import { TEST_PATH } from "./routes.ts";
import { Process, type ClockFault } from "./process.ts";
import type { World } from "./world.ts";

/** Milliseconds that KV takes, at most. */
const KV_MS_MAX = 60;

/** An isolate of a gateway, however it decides. */
export interface Isolate extends Process {
  /** A request arrives. */
  receive(key: string | null, cell: number, path: string, basic: boolean, origin?: string): void;
}

/** A request on its way. */
export interface Exchange {
  readonly edge: Process;
  /** Null for a request that carries none. */
  readonly key: string | null;
  readonly cell: number;
  readonly path: string;
  /** Of the page whose browser asks; undefined for a request itself. */
  readonly origin: string | undefined;
  readonly arrivedAtMs: number;
  /** What the region's replica knew of the cell when the request arrived; undefined if that cannot be told. */
  readonly replicaKnew: number | undefined;
}

/** A token of ours, or one that was imported and says nothing of where it lives. */
function tokenOf(key: string, cell: number, path: string): ParsedToken | ForeignToken {
  const number = importedNumber(key);
  if (number === undefined) return { environment: "live", cell, tokenId: key };
  return { cell: null, tokenId: key, directory: number % CELLS, environments: new Set([path === TEST_PATH ? "test" : "live"]) };
}

export class EdgeNode extends Process implements Isolate {
  readonly #world: World;
  readonly #edge: Edge;

  constructor(world: World, name: string, region: SimulatedRegion, clock: ClockFault) {
    super(world.engine, name, region, clock, world.random.fork());
    this.#world = world;
    const { machines, floorsKeptMax } = world;
    this.#edge = {
      views: machines.edgeViews(floorsKeptMax),
      keys: machines.keyMemory(),
      routes: new RouteMemory(),
      // In the simulation a token is its key's id, and its own digest.
      sha256Hex: (text) => text,
    };
  }

  /** A request arrives. With an `origin` it is a browser's question whether a page of that may send a GET. */
  receive(key: string | null, cell: number, path: string, basic: boolean, origin?: string): void {
    const replicaKnew = this.#world.routeToReplica(`${this.region}-0`)?.knows.get(cell);
    const exchange = { edge: this, key, cell, path, origin, arrivedAtMs: this.engine.nowMs, replicaKnew };
    this.#world.arrived(exchange);
    const candidate: Candidate = {
      method: origin === undefined ? "GET" : "OPTIONS",
      host: "api.example",
      path: path as NormalPath,
      search: "",
      isHttps: true,
      clientAddress: () => CLIENT_ADDRESS,
      presented: key === null ? null : { text: key, token: tokenOf(key, cell, path), place: basic ? "basic" : "bearer" },
      ...(origin !== undefined && { preflight: { origin, method: "GET" } }),
    };
    this.#advance(this.#world.machines.edgeRequest(this.#edge, candidate), exchange);
  }

  #advance(request: EdgeRequest, exchange: Exchange): void {
    const step = request.step(this.now());
    if ("decision" in step) return this.#decided(request, exchange, step.decision);
    let left = step.needs.length;
    for (const need of step.needs) this.#meet(need, request, () => --left === 0 && this.#advance(request, exchange));
  }

  #decided(request: EdgeRequest, exchange: Exchange, decision: Decision): void {
    this.#world.decided(exchange, decision);
    if (this.#edge.views.isRenewalDue(request.cells, this.now())) this.#refresh(() => {});
  }

  #refresh(then: () => void): void {
    const { views } = this.#edge;
    const refresh = views.refresh(this.now());
    this.#sync(refresh.request, (answer) => {
      views.refreshed(refresh, answer, this.now());
      then();
    });
  }

  #meet(need: Need, request: EdgeRequest, then: () => void): void {
    const { network } = this.#world;
    switch (need.kind) {
      case "refresh":
        return this.#refresh(then);
      case "wait":
        this.#world.coverage.hit("edge: waited for another request's question");
        return this.timer(need.ms, then);
      case "read_record":
        return this.#readKv<KeyRecord>(need.tokenId, (published) => {
          request.recordRead(published);
          then();
        });
      case "read_routes":
        return this.#readKv<RouteTable>("routes", (published) => {
          request.routesRead(published);
          then();
        });
      case "locate":
        this.#world.coverage.hit("edge: asked where an imported key lives");
        return network.call(
          "resolve",
          this,
          () => this.#world.routeToLedger(need.directory),
          (callee, answer: Answer<{ readonly cell: number | null }>) => callee.locate(need.tokenId, answer),
          DEADLINES_MS.cell,
          (place) => {
            request.located(place?.cell, this.now());
            then();
          },
        );
      case "resolve_record": {
        const { cell, tokenId } = need.token;
        return network.call(
          "resolve",
          this,
          () => this.#world.routeToLedger(cell),
          (callee, answer: Answer<{ readonly record: KeyRecord | undefined }>) => callee.resolve(tokenId, answer),
          DEADLINES_MS.cell,
          (result) => {
            request.recordResolved(result && (result.record ? { found: true, record: result.record } : { found: false }), this.now());
            then();
          },
        );
      }
      case "resolve_routes":
        return network.call(
          "resolve",
          this,
          () => this.#world.routeToLedger(0),
          (callee, answer: Answer<RouteTable>) => callee.routes(answer),
          DEADLINES_MS.cell,
          (table) => {
            request.routesResolved(table);
            then();
          },
        );
    }
  }

  /** Once more when the first question failed before its time was up. */
  #sync(syncRequest: SyncRequest, done: (answer: SyncAnswer | undefined) => void): void {
    const askedAtMs = this.now();
    const ask = (then: (answer: SyncAnswer | undefined) => void) =>
      this.#world.network.call(
        "sync",
        this,
        () => this.#world.routeToReplica(`${this.region}-0`),
        (callee, answer: Answer<SyncAnswer>) => callee.sync(syncRequest, answer),
        DEADLINES_MS.replica,
        then,
      );
    ask((answer) => {
      if (answer || this.now() - askedAtMs >= DEADLINES_MS.replica) done(answer);
      else ask(done);
    });
  }

  #readKv<Value extends { readonly stamp: number }>(name: string, then: (published: Published<Value>) => void): void {
    const read = this.#world.kvIn(this.region).read(name);
    this.timer(this.#world.random.next() * KV_MS_MAX, () => {
      const value = read?.value as Value | undefined;
      then({ value, seenStamp: read ? (value?.stamp ?? null) : undefined });
    });
  }
}
