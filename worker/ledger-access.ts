/** Doing what a request needs before it can be decided: asking the replica, KV and the cells, each within its time. */
import type { Edge, EdgeRequest, Need, Published } from "../core/edge/request.ts";
import type { SyncAnswer, SyncRequest } from "../core/protocol/messages.ts";
import { DEADLINES_MS } from "../core/protocol/tunables.ts";
import { parseRecord, recordName, type KeyRecord } from "../core/record.ts";
import { parseRouteTable, ROUTES_RECORD_NAME, type RouteTable } from "../core/route.ts";
import type { TagKeys } from "../core/token.ts";
import { withDeadline } from "../platform/deadline.ts";
import { readKv } from "./kv.ts";
import { isOverloaded } from "./overload.ts";
import type { GatewayPorts, RequestContext } from "./ports.ts";
import type { Timing } from "./timing.ts";

/** Whom a request asks, and what keeps a question alive. */
export interface Asker {
  readonly replica: string;
  readonly context: RequestContext;
}

/** One isolate's ways to the ledger and to KV. */
export class LedgerAccess {
  readonly #ports: GatewayPorts;
  readonly #edge: Edge;
  /** `tagKeys` also verify what KV holds. */
  readonly #tagKeys: TagKeys;

  constructor(ports: GatewayPorts, edge: Edge, tagKeys: TagKeys) {
    this.#ports = ports;
    this.#edge = edge;
    this.#tagKeys = tagKeys;
  }

  /** Sees to one need of a request and tells it the outcome. Never rejects. */
  async meet(need: Need, request: EdgeRequest, asker: Asker, timing: Timing): Promise<void> {
    const { ledger, now } = this.#ports;
    switch (need.kind) {
      case "refresh":
        return timing.span("replica", () => this.refresh(asker));
      case "wait":
        return timing.span("replica", () => pause(need.ms));
      case "read_record":
        return request.recordRead(await timing.span("kv", () => this.#readRecord(need.tokenId)));
      case "read_routes":
        request.routesRead(await timing.span("kv", () => this.#readRoutes()));
        return clockMoved();
      case "resolve_record": {
        const { cell, tokenId } = need.token;
        const question = { cell, tokenId, ...seen(need.seenStamp) };
        return request.recordResolved(await timing.span("ledger", () => asked(ledger.resolve(question), DEADLINES_MS.cell)), now());
      }
      case "locate": {
        const { directory, tokenId } = need;
        return request.located(await timing.span("ledger", () => asked(ledger.locate({ directory, tokenId }), DEADLINES_MS.cell)), now());
      }
      case "resolve_routes":
        request.routesResolved(await timing.span("ledger", () => asked(ledger.resolveRoutes(seen(need.seenStamp)), DEADLINES_MS.cell)));
        return clockMoved();
    }
  }

  /** Asks the replica about all cells in use. Goes on when the client hangs up, because other requests wait for it. Rejects only where the answer cannot be read: that is a fault of ours. */
  async refresh({ replica, context }: Asker): Promise<void> {
    const { views } = this.#edge;
    const refresh = views.refresh(this.#ports.now());
    const asking = this.#sync(replica, refresh.request).then((answer) => views.refreshed(refresh, answer, this.#ports.now()));
    context.waitUntil(asking);
    return asking;
  }

  /** Asks once more when the first question failed at once: a replica that has just been restarted fails one call. */
  async #sync(replica: string, request: SyncRequest): Promise<SyncAnswer | undefined> {
    const ask = () => withDeadline(this.#ports.ledger.sync(replica, request), DEADLINES_MS.replica);
    const askedAtMs = this.#ports.now();
    try {
      return await ask();
    } catch (error) {
      if (isOverloaded(error) || this.#ports.now() - askedAtMs >= DEADLINES_MS.replica) return undefined;
      return ask().catch(() => undefined);
    }
  }

  async #readRecord(tokenId: string): Promise<Published<KeyRecord>> {
    const answer = await readKv(this.#ports, recordName(tokenId), this.#tagKeys);
    return publishedOf(answer.answered, answer.answered ? parseRecord(answer.value, tokenId) : undefined);
  }

  async #readRoutes(): Promise<Published<RouteTable>> {
    const answer = await readKv(this.#ports, ROUTES_RECORD_NAME, this.#tagKeys);
    return publishedOf(answer.answered, answer.answered ? parseRouteTable(answer.value) : undefined);
  }
}

async function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** After work that may have taken longer than CLOCK_LAG_MS: on Workers only I/O moves the clock by which leases are checked, and a timer is I/O. */
async function clockMoved(): Promise<void> {
  return pause(0);
}

function publishedOf<Value extends { readonly stamp: number }>(answered: boolean, value: Value | undefined): Published<Value> {
  return { value, seenStamp: answered ? (value?.stamp ?? null) : undefined };
}

function seen(seenStamp: number | null | undefined): { readonly seenStamp?: number | null } {
  return seenStamp === undefined ? {} : { seenStamp };
}

/** The answer, or undefined if there is none in time. */
async function asked<Answer>(question: Promise<Answer>, deadlineMs: number): Promise<Answer | undefined> {
  return withDeadline(question, deadlineMs).catch(() => undefined);
}
