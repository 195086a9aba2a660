/**
 * How long requests wait for the head of an answer. A timer of its own costs a request about as much as deciding it does, and nearly all are
 * answered long before; so requests wait together, and those that still do when the next tick comes get timers of their own then.
 *
 * Invariant: whatever becomes of the request that ticks, one that waits has a timer of its own after {@link TICK_MS}. It ticks beside its own
 * answer, for less than the platform lets it; should it be lost all the same, the next request that comes ticks instead.
 */
import { withDeadline } from "../platform/deadline.ts";
import type { GatewayPorts, RequestContext } from "./ports.ts";

/** Milliseconds from the first request that waits to the next tick. The platform lets go of a request's work 30 s after its answer. */
export const TICK_MS = 10_000;
/** How much later than that a tick may come, in ms, before it counts as lost with its request. */
const LATE_MS = 1_000;

/** What a request that waits is told at the tick. */
const TICKED = Symbol("ticked");

/** One isolate's waiting requests. */
export class AnswerDeadlines {
  readonly #ports: Pick<GatewayPorts, "now" | "wait">;
  /** Each tells the request it belongs to that it needs a timer of its own. What a request that was cut off has left is gone with the next tick. */
  #waiting = new Set<(ticked: typeof TICKED) => void>();
  /** When the tick that is planned will be over; 0: none is planned. */
  #tickedByMs = 0;

  constructor(ports: Pick<GatewayPorts, "now" | "wait">) {
    this.#ports = ports;
  }

  /** The answer of `call`, which was begun at `sentAtMs`, or a `DeadlineError` after `ms`. */
  async meet<Value>(call: Promise<Value>, ms: number, sentAtMs: number, context: RequestContext): Promise<Value> {
    if (ms <= TICK_MS + LATE_MS) return withDeadline(call, ms);
    if (sentAtMs >= this.#tickedByMs) this.#tickLater(sentAtMs, context);
    // One promise for both: promises are what this costs.
    const { promise, resolve, reject } = Promise.withResolvers<Value | typeof TICKED>();
    this.#waiting.add(resolve);
    void call.then(resolve, reject);
    try {
      const outcome = await promise;
      if (outcome !== TICKED) return outcome;
    } finally {
      this.#waiting.delete(resolve);
    }
    return withDeadline(call, ms - (this.#ports.now() - sentAtMs));
  }

  #tickLater(nowMs: number, context: RequestContext): void {
    this.#tickedByMs = nowMs + TICK_MS + LATE_MS;
    context.waitUntil(this.#ports.wait(TICK_MS).then(() => this.#tick()));
  }

  #tick(): void {
    const waiting = this.#waiting;
    this.#waiting = new Set();
    this.#tickedByMs = 0;
    // Each goes on in its own request: what is resolved from another one's is handed over by the platform.
    for (const tell of waiting) tell(TICKED);
  }
}
