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

/** What a call comes to: one of these is called, once. They neither throw nor do I/O: the tick may come in the time of another request. */
interface Ends<Value, Answered, Unanswered> {
  readonly answered: (value: Value) => Answered;
  /** It has failed, or is to be waited for on one's own: `rest` does that, in the time of the request that calls it. */
  readonly unanswered: (rest: () => Promise<Value>) => Unanswered;
}

/** One isolate's waiting requests. */
export class AnswerDeadlines {
  readonly #ports: Pick<GatewayPorts, "now" | "wait">;
  /** Each tells the request it belongs to that it needs a timer of its own. What a request that was cut off has left is gone with the next tick. */
  #waiting = new Set<() => void>();
  /** When the tick that is planned will be over; 0: none is planned. */
  #tickedByMs = 0;

  constructor(ports: Pick<GatewayPorts, "now" | "wait">) {
    this.#ports = ports;
  }

  /**
   * What `call`, which was begun at `sentAtMs` and is given `ms`, comes to while all wait together; it never rejects. `rest` gives its answer, its error, or
   * a `DeadlineError` when the time is over. One promise for all of that: promises are what this costs.
   */
  meet<Value, Answered, Unanswered>(
    call: Promise<Value>,
    { ms, sentAtMs }: { readonly ms: number; readonly sentAtMs: number },
    context: RequestContext,
    { answered, unanswered }: Ends<Value, Answered, Unanswered>,
  ): Promise<Answered | Unanswered> {
    const rest = () => withDeadline(call, ms - (this.#ports.now() - sentAtMs));
    if (ms <= TICK_MS + LATE_MS) return Promise.resolve(unanswered(rest));
    if (sentAtMs >= this.#tickedByMs) this.#tickLater(sentAtMs, context);
    // Not `new Promise`: optimised code makes that without noting whose it is, and what another request's tick then tells it never arrives.
    const { promise, resolve } = Promise.withResolvers<Answered | Unanswered>();
    const goOnAlone = () => resolve(unanswered(rest));
    this.#waiting.add(goOnAlone);
    void call.then(
      (value) => {
        if (this.#waiting.delete(goOnAlone)) resolve(answered(value));
      },
      () => {
        if (this.#waiting.delete(goOnAlone)) goOnAlone();
      },
    );
    return promise;
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
    for (const goOnAlone of waiting) goOnAlone();
  }
}
