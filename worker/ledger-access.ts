/** Doing what a request needs before it can be decided: asking the replica, KV and the cells, each within its time. */
import type { Edge, EdgeRequest, Need, Published } from "../core/edge/request.ts";
import type { SyncAnswer, SyncRequest } from "../core/protocol/messages.ts";
import { DEADLINES_MS } from "../core/protocol/tunables.ts";
import { parseRecord, recordName, type KeyRecord } from "../core/record.ts";
import { parseRouteTable, ROUTES_RECORD_NAME, type RouteTable } from "../core/route.ts";
import type { TagKeys } from "../core/token.ts";
import { withDeadline } from "../platform/deadline.ts";
import { readKv } from "./kv.ts";
import type { GatewayPorts } from "./ports.ts";
import type { Timing } from "./timing.ts";

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
  async meet(need: Need, request: EdgeRequest, replica: string, timing: Timing): Promise<void> {
    const { ledger, now } = this.#ports;
    switch (need.kind) {
      case "refresh": {
        const refresh = this.#edge.views.refresh(now());
        const answer = await timing.span("replica", () => this.#sync(replica, refresh.request));
        return request.refreshed(refresh, answer, now());
      }
      case "read_record":
        return request.recordRead(await timing.span("kv", () => this.#readRecord(need.tokenId)));
      case "read_routes":
        return request.routesRead(await timing.span("kv", () => this.#readRoutes()));
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
        return request.routesResolved(
          await timing.span("ledger", () => asked(ledger.resolveRoutes(seen(need.seenStamp)), DEADLINES_MS.cell)),
        );
    }
  }

  /** Renews the views after an answer has been sent, so that the next requests need not wait. Never rejects. */
  async refreshInBackground(replica: string): Promise<void> {
    const refresh = this.#edge.views.refresh(this.#ports.now());
    const answer = await this.#sync(replica, refresh.request);
    if (answer) this.#edge.views.refreshed(refresh, answer, this.#ports.now());
    this.#edge.views.backgroundOver();
  }

  /** Asks once more when the first question failed at once: a replica that has just been restarted fails one call. */
  async #sync(replica: string, request: SyncRequest): Promise<SyncAnswer | undefined> {
    const ask = () => withDeadline(this.#ports.ledger.sync(replica, request), DEADLINES_MS.replica);
    const askedAtMs = this.#ports.now();
    try {
      return await ask();
    } catch {
      return this.#ports.now() - askedAtMs < DEADLINES_MS.replica ? ask().catch(() => undefined) : undefined;
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
