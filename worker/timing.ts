/** How long the calls of one request take. */

/** One thing that takes time, in ms since the epoch; without an end as long as it goes on. */
interface Span {
  readonly name: string;
  readonly fromMs: number;
  toMs?: number;
}

/** The end of what nobody wants to know the duration of. */
const NOT_NOTED = () => {};

/** Durations of one request's calls, for the log and the Server-Timing header. In production the clock moves only at I/O, so these are I/O times. */
export class Timing {
  readonly #now: () => number;
  readonly #startedAtMs: number;
  /** Undefined when nobody wants them. */
  readonly #spans: Span[] | undefined;

  constructor(now: () => number, areSpansWanted: boolean) {
    this.#now = now;
    this.#startedAtMs = now();
    this.#spans = areSpansWanted ? [] : undefined;
  }

  /** Something begins; what this returns is called when it is over. What has failed lasts until the header is made. */
  begin(name: string): () => void {
    if (!this.#spans) return NOT_NOTED;
    const span: Span = { name, fromMs: this.#now() };
    this.#spans.push(span);
    return () => void (span.toMs = this.#now());
  }

  /** Runs a call and notes how long it took. */
  span<Value>(name: string, call: () => Promise<Value>): Promise<Value> {
    const over = this.begin(name);
    return over === NOT_NOTED ? call() : call().finally(over);
  }

  /** Milliseconds since the request arrived. */
  elapsedMs(nowMs: number = this.#now()): number {
    return nowMs - this.#startedAtMs;
  }

  /** Value of a Server-Timing header. */
  header(): string {
    const nowMs = this.#now();
    const spans = (this.#spans ?? []).map(({ name, fromMs, toMs = nowMs }) => `${name};dur=${toMs - fromMs}`);
    return [...spans, `total;dur=${this.elapsedMs(nowMs)}`].join(", ");
  }
}
