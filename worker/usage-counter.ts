/**
 * Usage, and what the gateway counts of its own doing, from requests to batches on their way. Counted in memory; a batch leaves 10 s after
 * its first request, whether others follow or not, or when it has counted 10,000. A collector that cannot be reached neither delays nor refuses a request: what it has not
 * taken is sent again, the same batches under the same ids.
 *
 * An isolate that dies takes with it what it has not sent, 10,000 requests or those of 10 s, and what it has sent and not had
 * acknowledged. While nothing is acknowledged it keeps {@link WAITING_MAX} batches, and the oldest are dropped and counted; the counts of its own
 * doing take no more room the longer that lasts, so they stay in the tally until the way is clear.
 */
import type { Allowed, Decision } from "../core/edge/request.ts";
import type { GatewayCounts } from "../core/metrics/counts.ts";
import type { GatewayTally } from "../core/metrics/tally.ts";
import type { Reason } from "../core/reason.ts";
import type { UsageBatch } from "../core/usage/batch.ts";
import { UsageTally } from "../core/usage/tally.ts";
import { withDeadline } from "../platform/deadline.ts";
import type { GatewayConfiguration } from "./configuration.ts";
import type { GatewayPorts, RequestContext } from "./ports.ts";

/** Milliseconds from a batch's first request until it is sent. */
const FLUSH_MS = 10_000;
/** How much later than that a flush may come, in ms, before it counts as lost with its request. */
const LATE_MS = 5_000;
/** Requests that are never kept waiting. */
const REQUESTS_MAX = 10_000;
/** Pairs of key and route that are never kept waiting: they take memory. */
const LINES_MAX = 2_000;
/** Milliseconds a collector may take, and how long before it is asked once more. Together with the wait they stay below the platform's 30 s for work after an answer. */
const SEND_MS = 5_000;
const RETRY_MS = 2_000;
const TRIES = 2;
/** Batches that are kept while the collector cannot be reached. */
const WAITING_MAX = 256;

/** The outside, as counting sees it. */
export interface UsagePorts {
  readonly now: () => number;
  readonly randomUuid: () => string;
  /** Hands batches over; rejects when that is not certain. Null: nothing is counted. */
  readonly send: ((batches: readonly UsageBatch[]) => Promise<void>) | null;
  readonly wait: (ms: number) => Promise<unknown>;
  /** A batch was dropped, because none were taken for too long. */
  readonly dropped: () => void;
}

/** The ports of a gateway that delivers as it is told to. */
export function usagePorts({ usageDelivery }: GatewayConfiguration, ports: GatewayPorts): UsagePorts {
  const { now, randomUuid, wait, sendUsage, count } = ports;
  return {
    now,
    randomUuid,
    wait,
    send: usageDelivery === "off" ? null : sendUsage[usageDelivery],
    dropped: () => count("usage_dropped"),
  };
}

/** How a request was answered. */
interface Answered {
  readonly status: number;
  /** When, in ms since the epoch. */
  readonly nowMs: number;
  /** Milliseconds since it came. */
  readonly ms: number;
}

/** One isolate's counting. */
export class UsageCounter {
  readonly #ports: UsagePorts;
  readonly #cells: number;
  readonly #gateway: GatewayTally;
  #tally: UsageTally;
  #waiting: UsageBatch[] = [];
  /** Parts of the isolate's own counts that wait: none are added while there are any. */
  #gatewayWaiting: UsageBatch[] = [];
  /** When the flush that is planned will be over; 0: none is planned. One that was lost with its request is replaced after that. */
  #flushedByMs = 0;

  /** `gateway` is where the isolate's own doing is counted. */
  constructor(ports: UsagePorts, cells: number, gateway: GatewayTally) {
    this.#ports = ports;
    this.#cells = cells;
    this.#gateway = gateway;
    this.#tally = new UsageTally(ports.now());
  }

  /** A request is about to be passed on. Noted before: whoever hangs up early has used the key all the same. */
  used({ record, route }: Allowed, context: RequestContext): void {
    if (!record || !this.#ports.send) return;
    const nowMs = this.#ports.now();
    if (nowMs >= this.#flushedByMs) this.#flushLater(context, nowMs);
    if (!this.#tally.covers(nowMs)) this.#seal(nowMs);
    this.#tally.used(record, route, nowMs);
  }

  /** A request was answered. Counted for its key where that is known and its secret was right; for the gateway always. */
  answered(decision: Decision, { status, nowMs, ms }: Answered, context: RequestContext): void {
    if (!this.#ports.send) return;
    const { record, route } = decision;
    const isRefused = "reason" in decision;
    this.#gateway.decided(route, isRefused ? decision.reason : status, ms);
    const isPlanned = nowMs < this.#flushedByMs;
    if (!isPlanned) this.#flushLater(context, nowMs);
    if (!record || !route || (isRefused && decision.reason === "invalid_secret")) return;
    const refusal = isRefused && !isOfUpstream(decision.reason) ? decision.reason : null;
    if ((refusal !== null || !isPlanned) && !this.#tally.covers(nowMs)) this.#seal(nowMs);
    this.#tally.answered(record, route, refusal ?? status, status);
    if (this.#tally.requests >= REQUESTS_MAX || this.#tally.lines >= LINES_MAX) context.waitUntil(this.#flush());
  }

  #flushLater(context: RequestContext, nowMs: number): void {
    this.#flushedByMs = nowMs + FLUSH_MS + LATE_MS;
    context.waitUntil(
      this.#ports.wait(FLUSH_MS).then(() => {
        this.#flushedByMs = 0;
        return this.#flush();
      }),
    );
  }

  /** Puts what was counted in line, and begins anew. */
  #seal(nowMs: number): void {
    const { hourMs } = this.#tally;
    if (this.#gatewayWaiting.length === 0) this.#gatewayWaiting = this.#gateway.take().map((gateway) => this.#batchOf(gateway, hourMs));
    this.#waiting.push(...this.#tally.batches(this.#cells, this.#ports.randomUuid));
    this.#tally = new UsageTally(nowMs);
    this.#dropBeyondMax();
  }

  /** Any cell's store may take it: one by chance, so that they share the work. */
  #batchOf(gateway: GatewayCounts, hourMs: number): UsageBatch {
    const id = this.#ports.randomUuid();
    return { v: 1, id, cell: Number.parseInt(id.slice(0, 8), 16) % this.#cells, hour_ms: hourMs, entries: [], gateway };
  }

  async #flush(): Promise<void> {
    this.#seal(this.#ports.now());
    for (let tries = 1; this.#waiting.length + this.#gatewayWaiting.length > 0; tries += 1) {
      const [sent, ofGateway] = [this.#waiting, this.#gatewayWaiting];
      this.#waiting = [];
      this.#gatewayWaiting = [];
      if (await this.#send([...ofGateway, ...sent])) return;
      this.#waiting = [...sent, ...this.#waiting];
      this.#gatewayWaiting = [...ofGateway, ...this.#gatewayWaiting];
      this.#dropBeyondMax();
      if (tries === TRIES) return;
      await this.#ports.wait(RETRY_MS);
    }
  }

  async #send(batches: readonly UsageBatch[]): Promise<boolean> {
    const { send } = this.#ports;
    if (!send) return true;
    try {
      await withDeadline(send(batches), SEND_MS);
      return true;
    } catch {
      return false;
    }
  }

  #dropBeyondMax(): void {
    const beyond = this.#waiting.length - WAITING_MAX;
    if (beyond <= 0) return;
    for (const _ of this.#waiting.splice(0, beyond)) this.#ports.dropped();
  }
}

/** Reasons for which a request that was passed on has no answer of the upstream. */
type ReasonOfUpstream = Extract<Reason, `upstream_${string}`>;
const OF_UPSTREAM: Readonly<Record<ReasonOfUpstream, true>> = {
  upstream_unreachable: true,
  upstream_timeout: true,
  upstream_invalid: true,
  upstream_response_too_large: true,
  upstream_misconfigured: true,
};

function isOfUpstream(reason: Reason): boolean {
  return Object.hasOwn(OF_UPSTREAM, reason);
}
