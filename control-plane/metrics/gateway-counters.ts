/** What gateways have counted of their own doing, added up for ever. Each cell's usage store has a share, and whoever scrapes adds the shares up. Pure. */
import {
  DEPENDENCIES,
  EVENTS,
  type CountedEvent,
  type Dependency,
  type GatewayCounts,
  type Outcome,
  type RouteCounts,
} from "../../core/metrics/counts.ts";

/** Routes that are told apart at once, as many as a table may have; the one that was not heard of for the longest makes room. It bounds the row. */
const ROUTES_MAX = 1_000;

/** Of one route, since it was first heard of. */
export interface RouteCounters {
  /** When it was last heard of, in ms since the epoch. */
  atMs: number;
  readonly outcomes: Partial<Record<Outcome, number>>;
  readonly durations: number[];
  durationMs: number;
}

interface Asked {
  asked: number;
  answered: number;
}

/** Counters that only ever grow. */
export interface GatewayCounters {
  /** By name; "": no route was found. */
  readonly routes: Map<string, RouteCounters>;
  readonly events: Record<CountedEvent, number>;
  /** By region, then by what was asked. */
  readonly calls: Record<string, Record<Dependency, Asked>>;
  /** By region, then by cell. */
  readonly leases: Record<string, Record<string, Asked>>;
}

/** Nothing yet. */
export function noCounters(): GatewayCounters {
  const events = Object.fromEntries(EVENTS.map((event) => [event, 0])) as Record<CountedEvent, number>;
  return { routes: new Map(), events, calls: {}, leases: {} };
}

/** All shares as one. */
export function sumCounters(shares: readonly GatewayCounters[]): GatewayCounters {
  const sum = noCounters();
  for (const share of shares) {
    for (const [route, { atMs, outcomes, durations, durationMs }] of share.routes)
      addRoute(sum.routes, { route, outcomes, durations, duration_ms: durationMs }, atMs);
    for (const event of EVENTS) sum.events[event] += share.events[event];
    for (const [region, calls] of Object.entries(share.calls)) addCalls(sum, region, calls);
    for (const [region, leases] of Object.entries(share.leases))
      for (const [cell, lease] of Object.entries(leases)) addAsked((sum.leases[region] ??= {}), cell, lease);
  }
  return sum;
}

/** Adds one part of what an isolate has sent at `nowMs`. */
export function addPart(counters: GatewayCounters, { region, routes, events, calls, leases }: GatewayCounts, nowMs: number): void {
  for (const route of routes) addRoute(counters.routes, route, nowMs);
  for (const event of EVENTS) counters.events[event] += events[event] ?? 0;
  addCalls(counters, region, calls);
  forgetBeyondMax(counters.routes);
  for (const { cell, asked, renewed } of leases) addAsked((counters.leases[region] ??= {}), String(cell), { asked, answered: renewed });
}

function addRoute(routes: GatewayCounters["routes"], { route, outcomes, durations, duration_ms }: RouteCounts, atMs: number): void {
  const known = routes.get(route) ?? { atMs, outcomes: {}, durations: durations.map(() => 0), durationMs: 0 };
  routes.set(route, known);
  known.atMs = Math.max(known.atMs, atMs);
  for (const [outcome, requests] of Object.entries(outcomes) as [Outcome, number][])
    known.outcomes[outcome] = (known.outcomes[outcome] ?? 0) + requests;
  for (const [at, requests] of durations.entries()) known.durations[at] = (known.durations[at] ?? 0) + requests;
  known.durationMs += duration_ms;
}

function addCalls(counters: GatewayCounters, region: string, calls: GatewayCounts["calls"]): void {
  for (const dependency of DEPENDENCIES) {
    const call = calls[dependency];
    if (call) addAsked((counters.calls[region] ??= {} as Record<Dependency, Asked>), dependency, call);
  }
}

function addAsked(counts: Record<string, Asked>, name: string, { asked, answered }: Asked): void {
  const count = (counts[name] ??= { asked: 0, answered: 0 });
  count.asked += asked;
  count.answered += answered;
}

function forgetBeyondMax(routes: GatewayCounters["routes"]): void {
  const beyond = routes.size - ROUTES_MAX;
  if (beyond <= 0) return;
  const oldest = [...routes].toSorted(([, one], [, other]) => one.atMs - other.atMs);
  for (const [name] of oldest.slice(0, beyond)) routes.delete(name);
}
