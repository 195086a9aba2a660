/** What forwarding needs to know of a route, worked out once for each route of a table. */
import type { PreparedHeaderRules } from "../core/header-rule.ts";
import { comesBack } from "../core/limits/limit.ts";
import type { PreparedRoute } from "../core/prepared-route.ts";
import { upstreamsOf } from "../core/upstream.ts";
import type { Fetch } from "./ports.ts";
import { UpstreamChoice, type Target } from "./upstream-choice.ts";

/** How an upstream is reached: by the service it is bound to, or over the network. */
export type FetchOf = (service: string | undefined) => Fetch;

/** How the requests of a route are sent. */
export interface RoutePlan {
  readonly upstreams: UpstreamChoice;
  readonly retries: number;
  /** Milliseconds to the head of the answer, of requests without and with a body; undefined: no limit. */
  readonly firstByteMs: number;
  readonly firstByteAfterBodyMs: number | undefined;
  /** Bytes; undefined: no limit. */
  readonly requestBytesMax: number | undefined;
  /** Undefined: the answer's body is nobody's business, and passes without being looked at. */
  readonly watch: BodyWatch | undefined;
  /** Whether anything is done with the body of an answer on its way: it is watched, or its end is waited for. */
  readonly isRead: boolean;
  /** What becomes of headers on the way there and back; undefined: nothing but the usual. */
  readonly requestHeaders: PreparedHeaderRules | undefined;
  readonly responseHeaders: PreparedHeaderRules | undefined;
  /** Whether the gateway says what web pages may see of an answer, and the upstream does not. */
  readonly isShared: boolean;
}

/** What the body of an answer is watched for. */
export interface BodyWatch {
  readonly idleMs: number | undefined;
  readonly bytesMax: number | undefined;
}

/** A client should not have to give up first; proxies usually wait for a minute. */
const FIRST_BYTE_MS = 60_000;
const RETRIES = 1;

/** One isolate's plans. They, and what is known of how upstreams fare, go with the table that the routes are from. */
export class RoutePlans {
  readonly #fetchOf: FetchOf;
  readonly #plans = new WeakMap<PreparedRoute, RoutePlan>();

  constructor(fetchOf: FetchOf) {
    this.#fetchOf = fetchOf;
  }

  /** The plan of a route. */
  of(route: PreparedRoute): RoutePlan {
    const known = this.#plans.get(route);
    if (known) return known;
    const plan = planOf(route, this.#fetchOf);
    this.#plans.set(route, plan);
    return plan;
  }
}

function planOf(route: PreparedRoute, fetchOf: FetchOf): RoutePlan {
  const { timeouts, bodyLimits, limits, prepared } = route;
  const targets = upstreamsOf(route).map(({ url, service, weight }): Target => ({
    base: url,
    fetch: fetchOf(service),
    weight,
    failures: 0,
    outUntilMs: 0,
  }));
  const isWatched = timeouts?.idle !== undefined || bodyLimits?.response !== undefined;
  return {
    upstreams: new UpstreamChoice(targets),
    retries: route.retries ?? RETRIES,
    firstByteMs: timeouts?.firstByte ?? FIRST_BYTE_MS,
    firstByteAfterBodyMs: timeouts?.firstByte,
    requestBytesMax: bodyLimits?.request,
    watch: isWatched ? { idleMs: timeouts?.idle, bytesMax: bodyLimits?.response } : undefined,
    isRead: isWatched || (limits?.some(comesBack) ?? false),
    requestHeaders: prepared.requestHeaders,
    responseHeaders: prepared.responseHeaders,
    isShared: prepared.cors !== undefined,
  };
}
