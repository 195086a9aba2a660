/** A request that its limits let through, from the moment its units are taken until its answer has ended. */
import type { Allowed } from "../core/edge/request.ts";
import { withDeadline } from "../platform/deadline.ts";
import type { LimiterQuestions } from "./limiter-questions.ts";
import type { Taken } from "./metered.ts";
import type { RequestContext } from "./ports.ts";
import { withEnd } from "./response-end.ts";

/** How often, in milliseconds, a request under way shows that it goes on, and leases of places are renewed. */
const BEAT_MS = 3_000;
const SWITCHING_PROTOCOLS = 101;

/** One admission. */
export class Admission {
  readonly allowed: Allowed;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #taken: readonly Taken[];
  readonly #questions: LimiterQuestions;
  readonly #context: RequestContext;
  #end: () => void = () => {};

  /** `taken` is what is settled at the end. */
  constructor(
    allowed: Allowed,
    headers: Readonly<Record<string, string>>,
    taken: readonly Taken[],
    questions: LimiterQuestions,
    context: RequestContext,
  ) {
    this.allowed = allowed;
    this.#headers = headers;
    this.#taken = taken;
    this.#questions = questions;
    this.#context = context;
    if (taken.some(({ metered }) => metered.limit.kind === "concurrency")) context.waitUntil(this.#goOn());
  }

  /** Says on the answer how the limits stand, and settles when it has ended: a budget is charged unless the answer is 5xx. */
  finish(answer: Response): Response {
    const { status } = answer;
    const ended = () => this.#settle(status < 500);
    if (status === SWITCHING_PROTOCOLS) {
      ended();
      return answer;
    }
    const { headers } = answer;
    for (const [name, value] of Object.entries(this.#headers)) headers.set(name, value);
    return this.#taken.length > 0 ? withEnd(answer, this.#context, ended) : answer;
  }

  #settle(wasUsed: boolean): void {
    for (const { metered, ticket } of this.#taken) {
      metered.holding.settle(ticket, wasUsed);
      this.#questions.giveBackLater(metered, this.#context);
    }
    this.#end();
  }

  /** Places are held for as long as the request shows that it goes on. */
  async #goOn(): Promise<void> {
    const ended = new Promise<boolean>((resolve) => {
      this.#end = () => resolve(true);
    });
    while (!(await withDeadline(ended, BEAT_MS).catch(() => false))) {
      const nowMs = this.#questions.now();
      for (const { metered, ticket } of this.#taken) metered.holding.goesOn(ticket, nowMs);
      this.#questions.askBeside(this.#taken, this.#context);
    }
  }
}
