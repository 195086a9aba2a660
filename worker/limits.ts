/** Limits of routes at one isolate: requests take their units from memory, limiters are asked when there are none. */
import { LRUCache } from "lru-cache";
import type { Allowed, Refused } from "../core/edge/request.ts";
import { limitHeaders, seconds, type LimitStanding } from "../core/limits/headers.ts";
import { Holding, type Standing } from "../core/limits/holding.ts";
import { comesBack, type Limit } from "../core/limits/limit.ts";
import { costOf, subjectIdOf, termsOf } from "../core/limits/limited-subject.ts";
import type { LimiterName } from "../core/limits/messages.ts";
import { regionOfReplica } from "../core/protocol/region.ts";
import type { Reason } from "../core/reason.ts";
import { allowedStaleMs } from "../core/route.ts";
import type { Asker } from "./ledger-access.ts";
import { LimiterQuestions } from "./limiter-questions.ts";
import { Admission } from "./limit-admission.ts";
import type { Met, Metered, Taken } from "./metered.ts";
import type { GatewayPorts } from "./ports.ts";

/** Meters of which something is held at once; those not used the longest are let go, with what is held of them. */
const METERS_MAX = 10_000;
/** Milliseconds after which a request that got no units, though limiters answer, is not kept waiting any more. */
const PATIENCE_MS = 5_000;

/** One isolate's limits. */
export class Limits {
  readonly #now: () => number;
  readonly #questions: LimiterQuestions;
  readonly #metered = new LRUCache<string, Metered>({ max: METERS_MAX });

  constructor(ports: Pick<GatewayPorts, "limiters" | "now">) {
    this.#now = ports.now;
    this.#questions = new LimiterQuestions(ports);
  }

  /** Takes the units of all of the route's limits, or of none; without I/O when all are held. `until`: limiters are being asked, try again then. */
  take(allowed: Allowed, asker: Asker, sinceMs: number): Admission | Refused | { readonly until: Promise<void> } {
    const nowMs = this.#now();
    const met = this.#meet(allowed, asker);
    const denied = met.filter(({ standing }) => typeof standing === "object" && "deniedUntilMs" in standing);
    if (denied.length > 0) return refusalOf(allowed, met, denied, nowMs);
    const isPending = met.some(({ standing }) => standing === "ask" || standing === "wait");
    const isLost = met.some(({ standing }) => isSilentTooLong(standing, allowedStaleMs(allowed.route), nowMs));
    if (isPending && !isLost && nowMs - sinceMs < PATIENCE_MS) return { until: this.#questions.ask(met, asker.context) };
    this.#questions.askBeside(met, asker.context);
    return isPending || isLost ? { ...allowed, reason: "limiter_unreachable" } : this.#admit(allowed, met, asker, nowMs);
  }

  #admit(allowed: Allowed, met: readonly Met[], { context }: Asker, nowMs: number): Admission {
    const taken: Taken[] = [];
    let isUnlimited = false;
    for (const { metered, cost, standing } of met) {
      if (standing !== "held") isUnlimited = true;
      else {
        const ticket = metered.holding.take(cost, nowMs);
        if (comesBack(metered.limit)) taken.push({ metered, ticket });
        else metered.holding.settle(ticket, true);
      }
    }
    const headers = limitHeaders(met.map((each) => standingOf(each, nowMs)));
    return new Admission(isUnlimited ? { ...allowed, unlimited: true } : allowed, headers, taken, this.#questions, context);
  }

  #meet(allowed: Allowed, asker: Asker): Met[] {
    const nowMs = this.#now();
    const met: Met[] = [];
    for (const limit of allowed.route.limits ?? []) {
      const cost = costOf(limit, allowed);
      const id = subjectIdOf(limit, allowed);
      if (id === undefined || cost === 0) continue;
      const metered = this.#meteredOf(limit, id, asker);
      met.push({ metered, cost, standing: metered.holding.standing(cost, nowMs) });
    }
    return met;
  }

  /** What is held under other terms is not touched: a new limit holds from its first request on. */
  #meteredOf(limit: Limit, id: string, asker: Asker): Metered {
    const terms = termsOf(limit, id);
    const subject = `${limit.per}:${id}`;
    const meter = `${limit.kind}:${limit.name}`;
    const key = `${subject} ${meter} ${limit.scope} ${terms.limit} ${terms.kind === "rate" ? terms.windowMs : terms.kind === "period" && terms.period}`;
    const known = this.#metered.get(key);
    if (known) return known;
    const place: LimiterName["place"] = limit.scope === "region" ? (regionOfReplica(asker.replica) ?? "local") : "global";
    const metered = { limit, terms, limiter: { place, subject }, meter, holding: new Holding(terms) };
    this.#metered.set(key, metered);
    return metered;
  }
}

function isSilentTooLong(standing: Standing, allowedMs: number, nowMs: number): boolean {
  return typeof standing === "object" && "silentSinceMs" in standing && nowMs - standing.silentSinceMs >= allowedMs;
}

const DENIED: Readonly<Record<Limit["kind"], Reason>> = {
  rate: "rate_limited",
  quota: "quota_exceeded",
  budget: "quota_exceeded",
  concurrency: "concurrency_exceeded",
};

/** The refusal names all limits that deny; its reason is that of the one which does so the longest. */
function refusalOf(allowed: Allowed, met: readonly Met[], denied: readonly Met[], nowMs: number): Refused {
  const longest = denied.reduce((last, each) => (deniedMs(each, nowMs) > deniedMs(last, nowMs) ? each : last));
  const headers = {
    ...limitHeaders(met.map((each) => standingOf(each, nowMs))),
    "Retry-After": String(seconds(deniedMs(longest, nowMs))),
  };
  return {
    ...allowed,
    reason: DENIED[longest.metered.limit.kind],
    limits: { violated: denied.map(({ metered }) => metered.limit.name), headers },
  };
}

function deniedMs({ standing }: Met, nowMs: number): number {
  return typeof standing === "object" && "deniedUntilMs" in standing ? standing.deniedUntilMs - nowMs : 0;
}

function standingOf(met: Met, nowMs: number): LimitStanding {
  const { limit, terms, holding } = met.metered;
  const forMs = deniedMs(met, nowMs);
  if (forMs > 0) return { limit, terms, remaining: 0, resetMs: forMs };
  return { limit, terms, remaining: holding.remaining(nowMs), resetMs: holding.resetMs(nowMs) };
}
