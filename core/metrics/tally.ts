/**
 * Counting decisions in memory. A request costs two look-ups, by the route's object and by what it came to, and makes nothing. Pure.
 */
import type { Reason } from "../reason.ts";
import type { Route } from "../route.ts";
import {
  DURATION_BOUNDS_MS,
  ROUTES_IN_PART_MAX,
  STATUS_CLASSES,
  type CountedEvent,
  type Dependency,
  type GatewayCounts,
  type Outcome,
  type RouteCounts,
} from "./counts.ts";

/** What is counted of one route. */
interface Line {
  readonly outcomes: Map<Reason | number, { requests: number }>;
  readonly durations: number[];
  durationMs: number;
}

interface Asked {
  asked: number;
  answered: number;
}

/** What one isolate has counted and not handed over yet. */
export class GatewayTally {
  #routes = new Map<Route | undefined, Line>();
  #events = new Map<CountedEvent, number>();
  #calls = new Map<Dependency, Asked>();
  #leases = new Map<number, Asked>();
  /** Where the isolate is; known once it has asked a replica. */
  region: GatewayCounts["region"] = "unknown";

  /** A request was decided and, where it was passed on, answered: the reason for which it was refused, or the answer's status, and milliseconds since it came. */
  decided(route: Route | undefined, outcome: Reason | number, ms: number): void {
    let line = this.#routes.get(route);
    if (!line) this.#routes.set(route, (line = newLine()));
    const count = line.outcomes.get(outcome);
    if (count) count.requests += 1;
    else line.outcomes.set(outcome, { requests: 1 });
    let at = 0;
    while (ms > (DURATION_BOUNDS_MS[at] ?? Number.POSITIVE_INFINITY)) at += 1;
    line.durations[at] = (line.durations[at] ?? 0) + 1;
    line.durationMs += ms;
  }

  /** Something happened that an operator should hear of. */
  happened(event: CountedEvent): void {
    this.#events.set(event, (this.#events.get(event) ?? 0) + 1);
  }

  /** Something was asked. */
  asked(dependency: Dependency): void {
    countIn(this.#calls, dependency).asked += 1;
  }

  /** It answered. */
  answered(dependency: Dependency): void {
    countIn(this.#calls, dependency).answered += 1;
  }

  /** The replica was asked for a lease on a cell, and gave one or not. */
  askedForLease(cell: number, isRenewed: boolean): void {
    const lease = countIn(this.#leases, cell);
    lease.asked += 1;
    if (isRenewed) lease.answered += 1;
  }

  /** Hands all of it over, in parts that can be sent; none when there is nothing. */
  take(): GatewayCounts[] {
    const rest = { events: Object.fromEntries(this.#events), calls: Object.fromEntries(this.#calls), leases: this.#takenLeases() };
    const routes = [...byName(this.#routes)];
    const isAnything = routes.length > 0 || this.#events.size > 0 || this.#calls.size > 0 || this.#leases.size > 0;
    this.#routes = new Map();
    this.#events = new Map();
    this.#calls = new Map();
    this.#leases = new Map();
    if (!isAnything) return [];
    const parts: GatewayCounts[] = [{ region: this.region, routes: routes.splice(0, ROUTES_IN_PART_MAX), ...rest }];
    while (routes.length > 0)
      parts.push({ region: this.region, routes: routes.splice(0, ROUTES_IN_PART_MAX), events: {}, calls: {}, leases: [] });
    return parts;
  }

  #takenLeases(): GatewayCounts["leases"] {
    return [...this.#leases].map(([cell, { asked, answered }]) => ({ cell, asked, renewed: answered }));
  }
}

function newLine(): Line {
  return { outcomes: new Map(), durations: Array.from({ length: DURATION_BOUNDS_MS.length + 1 }, () => 0), durationMs: 0 };
}

function countIn<Name>(counts: Map<Name, Asked>, name: Name): Asked {
  let count = counts.get(name);
  if (!count) counts.set(name, (count = { asked: 0, answered: 0 }));
  return count;
}

/** A route that was published again is another object of the same name. */
function* byName(lines: ReadonlyMap<Route | undefined, Line>): Generator<RouteCounts> {
  for (const [route, same] of Map.groupBy(lines, ([each]) => each?.name ?? "")) {
    const outcomes: Partial<Record<Outcome, number>> = {};
    const durations = newLine().durations;
    let durationMs = 0;
    for (const [, line] of same) {
      for (const [outcome, { requests }] of line.outcomes) {
        const name = typeof outcome === "number" ? classOf(outcome) : outcome;
        outcomes[name] = (outcomes[name] ?? 0) + requests;
      }
      for (const [at, requests] of line.durations.entries()) durations[at] = (durations[at] ?? 0) + requests;
      durationMs += line.durationMs;
    }
    yield { route, outcomes, durations, duration_ms: durationMs };
  }
}

/** A status beyond 599 is nothing that HTTP knows; it counts as a server's error. */
function classOf(status: number): Outcome {
  return STATUS_CLASSES[Math.floor(status / 100) - 1] ?? "5xx";
}
