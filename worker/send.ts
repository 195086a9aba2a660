/** Sending a request to an upstream: in time, and once more where nothing can have been lost. */
import { DeadlineError, withDeadline } from "../platform/deadline.ts";
import type { AnswerDeadlines } from "./answer-deadlines.ts";
import type { UpstreamRequest } from "./forward.ts";
import type { RequestContext } from "./ports.ts";
import { outgoingBody } from "./request-body.ts";
import type { RoutePlan } from "./route-plan.ts";
import { noteAnswer, noteFailure, type Target } from "./upstream-choice.ts";
import { UpstreamFault } from "./upstream-fault.ts";

/** Methods that do the same when they are sent twice (RFC 9110 section 9.2.2). */
const IDEMPOTENT: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS", "PUT", "DELETE"]);
const NONE: readonly Target[] = [];

/** What sending needs besides the request and its route. */
export interface Sending {
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly deadlines: AnswerDeadlines;
  readonly context: RequestContext;
}

/** A request that was not answered while all wait together: there is more to be done for it. */
export class Unanswered {
  /** Does it. Rejects with an {@link UpstreamFault} when there is no answer. */
  readonly answer: () => Promise<Response>;

  constructor(answer: () => Promise<Response>) {
    this.answer = answer;
  }
}

/**
 * The upstream's answer, as far as its head; or what is left to be done for one, so that those that are answered soon need no promise for it. Throws or
 * rejects with an {@link UpstreamFault} when there is none.
 */
export function send(outgoing: UpstreamRequest, plan: RoutePlan, sending: Sending): Promise<Response | Unanswered> {
  const sentAtMs = sending.now();
  const target = plan.upstreams.choose(sentAtMs, NONE);
  if (!target) throw new UpstreamFault("upstream_misconfigured");
  if (outgoing.body) return sendOnce(outgoing, outgoing.body, target, plan);
  return sending.deadlines.meet(
    target.fetch(target.base + outgoing.target, outgoing.init),
    { ms: plan.firstByteMs, sentAtMs },
    sending.context,
    {
      answered: (answer) => {
        noteAnswer(target);
        return answer;
      },
      unanswered: (rest) => new Unanswered(() => answerOf(rest, outgoing, plan, sending, target)),
    },
  );
}

async function answerOf(
  rest: () => Promise<Response>,
  outgoing: UpstreamRequest,
  plan: RoutePlan,
  sending: Sending,
  target: Target,
): Promise<Response> {
  try {
    const answer = await rest();
    noteAnswer(target);
    return answer;
  } catch (error) {
    return sendAgain(outgoing, plan, sending, target, error);
  }
}

/** A body can be read only once, so it is not sent again; and what goes wrong with it may be the client's fault, and says nothing of the upstream. */
async function sendOnce(outgoing: UpstreamRequest, body: ReadableStream, target: Target, plan: RoutePlan): Promise<Response> {
  const { stream, taken, isTooLarge } = outgoingBody(body, outgoing.length, plan);
  try {
    const call = target.fetch(target.base + outgoing.target, { ...outgoing.init, body: stream });
    const ms = plan.firstByteAfterBodyMs;
    if (ms === undefined || !taken) return await call;
    // A slow client is not a slow upstream: its time starts when it has the whole request.
    return (await Promise.race([call, taken])) ?? (await withDeadline(call, ms));
  } catch (error) {
    throw isTooLarge() ? new UpstreamFault("request_too_large") : faultOf(error);
  }
}

/**
 * Sends once more what `last` did not answer. An upstream that closes a kept-alive connection at the wrong moment is not the client's business.
 * With several upstreams it is another one's turn each time; with one, what it did not answer in time is not sent again, which would only take
 * twice as long.
 */
async function sendAgain(outgoing: UpstreamRequest, plan: RoutePlan, { now }: Sending, last: Target, first: unknown): Promise<Response> {
  const { upstreams, firstByteMs } = plan;
  let error = first;
  noteFailure(last, now());
  const tried = [last];
  for (let left = IDEMPOTENT.has(outgoing.method) ? plan.retries : 0; left > 0; left -= 1) {
    if (upstreams.isSingle && error instanceof DeadlineError) break;
    const target = upstreams.choose(now(), tried);
    if (!target) break;
    tried.push(target);
    try {
      const answer = await withDeadline(target.fetch(target.base + outgoing.target, outgoing.init), firstByteMs);
      noteAnswer(target);
      return answer;
    } catch (another) {
      error = another;
      noteFailure(target, now());
    }
  }
  throw faultOf(error);
}

function faultOf(error: unknown): UpstreamFault {
  if (error instanceof UpstreamFault) return error;
  return new UpstreamFault(error instanceof DeadlineError ? "upstream_timeout" : "upstream_unreachable", { cause: error });
}
