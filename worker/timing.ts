/** Durations of one request's calls, for the log and the Server-Timing header. In production the clock moves only at I/O, so these are I/O times. */
export class Timing {
  readonly #now: () => number;
  readonly #startedAtMs: number;
  /** Undefined when nobody wants them. */
  readonly #spans: string[] | undefined;

  constructor(now: () => number, areSpansWanted: boolean) {
    this.#now = now;
    this.#startedAtMs = now();
    this.#spans = areSpansWanted ? [] : undefined;
  }

  /** Runs a call and notes how long it took, also when it fails. */
  span<Value>(name: string, call: () => Promise<Value>): Promise<Value> {
    return this.#spans ? this.#timed(name, this.#spans, call) : call();
  }

  async #timed<Value>(name: string, spans: string[], call: () => Promise<Value>): Promise<Value> {
    const from = this.#now();
    try {
      return await call();
    } finally {
      spans.push(`${name};dur=${this.#now() - from}`);
    }
  }

  /** Milliseconds since the request arrived. */
  elapsedMs(nowMs: number = this.#now()): number {
    return nowMs - this.#startedAtMs;
  }

  /** Value of a Server-Timing header. */
  header(): string {
    return [...(this.#spans ?? []), `total;dur=${this.elapsedMs()}`].join(", ");
  }
}
