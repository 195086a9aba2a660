/** Durations of one request's calls, for the log and the Server-Timing header. In production the clock moves only at I/O, so these are I/O times. */
export class Timing {
  readonly #now: () => number;
  readonly #startedAtMs: number;
  readonly #spans: string[] = [];

  constructor(now: () => number) {
    this.#now = now;
    this.#startedAtMs = now();
  }

  /** Runs a call and notes how long it took, also when it fails. */
  async span<Value>(name: string, call: () => Promise<Value>): Promise<Value> {
    const from = this.#now();
    try {
      return await call();
    } finally {
      this.#spans.push(`${name};dur=${this.#now() - from}`);
    }
  }

  /** Milliseconds since the request arrived. */
  elapsedMs(): number {
    return this.#now() - this.#startedAtMs;
  }

  /** Value of a Server-Timing header. */
  header(): string {
    return [...this.#spans, `total;dur=${this.elapsedMs()}`].join(", ");
  }
}
