/** Judges every answer: right, explained by a fault, wrong, or an error that nothing explains. */
import type { Fault } from "./faults.ts";
import type { FaultLog } from "./fault-log.ts";
import { LIMIT_CODES, type LimitWatch } from "./limit-watch.ts";
import { PASSED, permissible, routesAt, type Interval, type Sent } from "./oracle.ts";
import { UPLOADED } from "./routes.ts";
import type { Upstream } from "./upstream.ts";
import type { SoakRoute, World } from "./world.ts";

/** What came back. */
export interface Answer {
  readonly id: string;
  readonly interval: Interval;
  readonly status: number;
  /** Of the gateway's own refusal; undefined: it is the upstream's answer. */
  readonly code: string | undefined;
  /** The key that the upstream was told of. */
  readonly keyId: string | undefined;
  /** `broken`: it ended too early; `other`: it is not what was to come. */
  readonly body: "whole" | "broken" | "other";
}

/** What came of a request, counted under these words; `isExplained` by the faults it names. */
export interface Verdict {
  readonly outcome: string;
  readonly kind: "right" | "explained" | "wrong" | "unexplained";
  readonly detail?: string;
}

const OF_LIMITS: ReadonlySet<string> = new Set(Object.values(LIMIT_CODES));
/** Refusals after which the upstream may have seen the request. */
const OF_UPSTREAMS: ReadonlySet<string> = new Set(["upstream_unreachable", "upstream_timeout", "upstream_invalid"]);

/** Whether an answer says that the request had been allowed; the code is that of the gateway's own refusal. */
export function wasPassedOn(code: string | undefined): boolean {
  return code === undefined || OF_UPSTREAMS.has(code);
}

/** The judge of one run. */
export class Judge {
  readonly #world: World;
  readonly #faults: FaultLog;
  readonly #limits: LimitWatch;
  readonly #upstreams: readonly Upstream[];

  constructor(world: World, faults: FaultLog, limits: LimitWatch, upstreams: readonly Upstream[]) {
    this.#world = world;
    this.#faults = faults;
    this.#limits = limits;
    this.#upstreams = upstreams;
  }

  judge(sent: Sent, answer: Answer): Verdict {
    const allowed = permissible(sent, this.#world, this.#knowledgeOf(sent, answer.interval));
    const verdict =
      answer.code === undefined ? this.#ofUpstream(sent, answer, allowed) : this.#ofRefusal(sent, answer, answer.code, allowed);
    return verdict.kind === "right" || verdict.kind === "explained"
      ? verdict
      : { ...verdict, detail: `${verdict.detail}; permissible: ${[...allowed].join(", ") || "nothing"}` };
  }

  /** There was no answer: the connection broke. It may when an upload is answered before it has come to its end, as all refusals are. */
  judgeNone(sent: Sent, interval: Interval, cause: string): Verdict {
    const outcome = "no answer";
    const mayBeRefused = [...permissible(sent, this.#world, this.#knowledgeOf(sent, interval))].some((each) => each !== PASSED);
    const isAnsweredEarly = mayBeRefused || this.#faults.during(interval, ({ explains }) => explains.length > 0).length > 0;
    if (sent.path === UPLOADED && isAnsweredEarly) return { outcome, kind: "explained", detail: "an upload that was refused on its way" };
    return { outcome, kind: "unexplained", detail: cause };
  }

  /** While the ledger cannot be asked some routes go by older knowledge. */
  #knowledgeOf({ path }: Sent, interval: Interval): Interval {
    const staleS = Math.max(0, ...routesAt(path, this.#world, interval).map((route) => route?.allowStaleS ?? 0));
    const isOut = this.#faults.during(interval, ({ explains }) => explains.includes("ledger_unreachable")).length > 0;
    return isOut ? { ...interval, fromMs: interval.fromMs - staleS * 1_000 } : interval;
  }

  #ofUpstream(sent: Sent, { interval, status, keyId, body }: Answer, allowed: ReadonlySet<string>): Verdict {
    const outcome = `${status} from the API`;
    if (!allowed.has(PASSED)) return { outcome, kind: "wrong", detail: "it was let through" };
    const expected = sent.presented.kind === "key" ? sent.presented.key.id : "none";
    if (keyId !== expected) return { outcome, kind: "wrong", detail: `the API was told of ${keyId} instead of ${expected}` };
    if (status === 500) return this.#explained(outcome, interval, "an error of the API", ({ upstreamSays500 }) => upstreamSays500 === true);
    if (status !== 200) return { outcome, kind: "unexplained", detail: "the API never says that" };
    if (body === "other") return { outcome, kind: "wrong", detail: "another body than was sent" };
    if (body === "whole") return { outcome, kind: "right" };
    return this.#explained(`${outcome}, broken off`, interval, "a broken body", ({ breaksBodies }) => breaksBodies === true);
  }

  #ofRefusal(sent: Sent, { id, interval, status, keyId, body }: Answer, code: string, allowed: ReadonlySet<string>): Verdict {
    const outcome = `${status} ${code}`;
    if (keyId !== undefined || body !== "whole") return { outcome, kind: "wrong", detail: "a refusal with something of the API in it" };
    if (!OF_UPSTREAMS.has(code) && this.#upstreams.some((upstream) => upstream.hasSeen(id)))
      return { outcome, kind: "wrong", detail: "it was refused and passed on" };
    if (allowed.has(code)) return { outcome, kind: "right" };
    if (OF_LIMITS.has(code)) return this.#ofLimit(sent, interval, code, allowed);
    if (status < 500) return { outcome, kind: "wrong", detail: "it was refused" };
    if (OF_UPSTREAMS.has(code) && !allowed.has(PASSED)) return { outcome, kind: "wrong", detail: "it was passed on" };
    // Where another upstream can be had, one that fails explains nothing.
    const hasSpare = OF_UPSTREAMS.has(code) && routesAt(sent.path, this.#world, interval).every((route) => route?.hasSpare);
    return this.#explained(
      outcome,
      interval,
      "the error",
      ({ explains, isEverywhere }) => explains.includes(code) && (!hasSpare || isEverywhere === true),
    );
  }

  #ofLimit({ path, presented }: Sent, interval: Interval, code: string, allowed: ReadonlySet<string>): Verdict {
    const outcome = `429 ${code}`;
    const limits = routesAt(path, this.#world, interval).map((route) => route?.limit);
    const limit = limits.find((each): each is NonNullable<SoakRoute["limit"]> => each !== undefined && LIMIT_CODES[each] === code);
    if (!limit || presented.kind !== "key" || !allowed.has(PASSED)) return { outcome, kind: "wrong", detail: "refused by a limit" };
    // A day's units that were lost in a fault stay lost.
    const since = limit === "quota" ? { ...interval, fromMs: 0 } : { ...interval, fromMs: interval.fromMs - 20_000 };
    const unitsLost = this.#faults.during(since, ({ losesUnits }) => losesUnits === true).length > 0;
    if (this.#limits.isRefusalDue(limit, presented.key.id, interval.toMs, unitsLost)) return { outcome, kind: "right" };
    return { outcome, kind: "wrong", detail: "nobody has used that much of the limit" };
  }

  #explained(outcome: string, interval: Interval, what: string, suits: (fault: Fault) => boolean): Verdict {
    const names = this.#faults.during(interval, suits);
    return names.length > 0
      ? { outcome, kind: "explained", detail: names.join("+") }
      : { outcome, kind: "unexplained", detail: `nothing explains ${what}` };
  }
}
