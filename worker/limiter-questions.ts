/** One isolate's questions to limiters: grouped, within their time, and what is to be given back later. Promises belong to the request that asks. */
import { LIMITER_DEADLINE_MS, type Holding, type Question } from "../core/limits/holding.ts";
import type { LimiterAccess, LimiterAnswer, LimiterName } from "../core/limits/messages.ts";
import { withDeadline } from "../platform/deadline.ts";
import { isOverloaded } from "./overload.ts";
import type { Met, Metered } from "./metered.ts";
import type { GatewayPorts, RequestContext } from "./ports.ts";

/** What is asked of one meter. */
interface Asked {
  readonly metered: Metered;
  readonly question: Question;
}

/** Milliseconds between two looks at a question that another request has asked. */
const LOOK_MS = 5;
/** By how much later than planned, in milliseconds, a look may come before it counts as lost with its request. */
const LATE_MS = 1_000;

/** One isolate's way to limiters. */
export class LimiterQuestions {
  readonly #limiters: LimiterAccess;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Until when somebody has promised to look at a holding for units that nobody uses. */
  readonly #lookedAtBy = new WeakMap<Holding, number>();

  constructor({ limiters, now }: Pick<GatewayPorts, "limiters" | "now">) {
    this.#limiters = limiters;
    this.now = now;
  }

  /** Asks for what a request lacks, or lets a moment pass where another one has asked. Never rejects. */
  async ask(met: readonly Met[], context: RequestContext): Promise<void> {
    const nowMs = this.now();
    const lacking = met.filter(({ standing }) => standing === "ask");
    if (lacking.length === 0) return pause(LOOK_MS);
    // Others wait for it as well: it goes on when this request's client hangs up.
    const asking = this.#askAll(
      lacking.map(({ metered, cost }) => ({ metered, question: metered.holding.question(cost, nowMs) })),
      context,
    );
    context.waitUntil(asking);
    return asking;
  }

  /** Asks beside the requests for what will be needed. */
  askBeside(met: readonly { readonly metered: Metered }[], context: RequestContext): void {
    const nowMs = this.now();
    const due = met.filter(({ metered }) => metered.holding.isRefillDue(nowMs));
    if (due.length === 0) return;
    const asked = due.map(({ metered }) => ({ metered, question: metered.holding.refill(nowMs) }));
    context.waitUntil(this.#askAll(asked, context));
  }

  /** Has somebody look, after a while, for units that nobody uses. */
  giveBackLater(metered: Metered, context: RequestContext): void {
    const { holding } = metered;
    const nowMs = this.now();
    if (!holding.hasUnused || (this.#lookedAtBy.get(holding) ?? 0) > nowMs) return;
    const afterMs = holding.giveBackAfterMs;
    this.#lookedAtBy.set(holding, nowMs + afterMs + LATE_MS);
    context.waitUntil(pause(afterMs).then(() => this.#giveBack(metered, context)));
  }

  async #giveBack(metered: Metered, context: RequestContext): Promise<void> {
    this.#lookedAtBy.delete(metered.holding);
    const question = metered.holding.giveBack(this.now());
    if (question) return this.#askAll([{ metered, question }], context);
    this.giveBackLater(metered, context);
  }

  async #askAll(asked: readonly Asked[], context: RequestContext): Promise<void> {
    const byLimiter = Map.groupBy(asked, ({ metered: { limiter } }) => `${limiter.place}/${limiter.subject}`);
    await Promise.all([...byLimiter.values()].map((group) => this.#exchange(group, context)));
  }

  async #exchange(asked: readonly Asked[], context: RequestContext): Promise<void> {
    const [first] = asked;
    if (!first) return;
    const answers = await this.#answers(first.metered.limiter, asked);
    for (const [at, { metered, question }] of asked.entries()) {
      const answer = answers[at];
      if (answer) metered.holding.answered(question, answer, this.now());
      else metered.holding.failed(question, this.now());
      this.giveBackLater(metered, context);
    }
  }

  /** No answers when there are none in time. Asks once more when the first call failed at once: a limiter that has just been restarted fails one. */
  async #answers(limiter: LimiterName, asked: readonly Asked[]): Promise<LimiterAnswer> {
    const request = asked.map(({ metered, question }) => ({ meter: metered.meter, ...question.ask }));
    const ask = async () => withDeadline(this.#limiters.exchange(limiter, request), LIMITER_DEADLINE_MS);
    const askedAtMs = this.now();
    try {
      return await ask();
    } catch (error) {
      if (isOverloaded(error) || this.now() - askedAtMs >= LIMITER_DEADLINE_MS / 2) return [];
      return ask().catch(() => []);
    }
  }
}

async function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
