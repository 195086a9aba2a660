/**
 * Lines on their way to the log. A call of the platform's log costs about a quarter of a whole refusal, and is what a log is
 * paid by; so under load lines of the same moment share one call, in which each is still a line of JSON of its own. A line waits
 * 50 ms, or, should its request be cut off, until the next decision; an isolate that dies takes fewer than 32 lines with it.
 */
import type { RequestContext } from "./ports.ts";

/** Milliseconds a line may wait for company. */
const WAIT_MS = 50;
/** Lines that are never kept waiting. */
const LINES_MAX = 32;

/** One isolate's lines that are not written yet. */
export class LogBatch {
  readonly #write: (text: string) => void;
  readonly #now: () => number;
  #lines: string[] = [];
  /** When the timer that is running will have written them. One that was lost with its request is replaced after that. */
  #writtenByMs = 0;

  constructor(write: (text: string) => void, now: () => number) {
    this.#write = write;
    this.#now = now;
  }

  /** Takes a line of the request with this context. */
  add(line: string, context: RequestContext): void {
    this.#lines.push(line);
    if (this.#lines.length >= LINES_MAX) this.#flush();
    else if (this.#now() >= this.#writtenByMs) this.#flushLater(context);
  }

  #flushLater(context: RequestContext): void {
    this.#writtenByMs = this.#now() + WAIT_MS;
    context.waitUntil(
      new Promise<void>((resolve) => {
        setTimeout(() => {
          this.#flush();
          resolve();
        }, WAIT_MS);
      }),
    );
  }

  #flush(): void {
    if (this.#lines.length === 0) return;
    const lines = this.#lines;
    this.#lines = [];
    this.#write(lines.join("\n"));
  }
}
