/**
 * Counting in memory: what one isolate has seen of keys within one hour. What is counted is found by the very objects a decision was
 * made with, so that a request costs a few look-ups by identity and no text is made. Pure.
 */
import { cellOfOrganization } from "../identifier.ts";
import { coversAny } from "../permission.ts";
import type { Reason } from "../reason.ts";
import type { ActiveRecord } from "../record.ts";
import type { Route } from "../route.ts";
import { BATCH_ENTRIES_MAX, BATCH_SIZE_MAX, HOUR_MS, type UsageBatch, type UsageEntry } from "./batch.ts";

/** What a request came to: the status of the answer when it was passed on, the reason when it was refused. */
export type UsageOutcome = number | Reason;

interface Count {
  readonly status: number;
  requests: number;
}

/** One key on one route. */
interface Line {
  readonly permissions: readonly string[];
  usedAtMs: number | null;
  readonly counts: Map<UsageOutcome, Count>;
}

/** Counts of one hour. */
export class UsageTally {
  readonly hourMs: number;
  readonly #keys = new Map<ActiveRecord, Map<Route, Line>>();
  #requests = 0;
  #lines = 0;

  /** Of the hour that `nowMs` is in. */
  constructor(nowMs: number) {
    this.hourMs = nowMs - (nowMs % HOUR_MS);
  }

  /** Requests that were passed on or refused since the beginning: what would be lost with it. */
  get requests(): number {
    return this.#requests;
  }

  /** Pairs of key and route: what it takes of memory. */
  get lines(): number {
    return this.#lines;
  }

  /** Whether a moment belongs to its hour. */
  covers(nowMs: number): boolean {
    return nowMs >= this.hourMs && nowMs < this.hourMs + HOUR_MS;
  }

  /** A request was passed on. */
  used(record: ActiveRecord, route: Route, nowMs: number): void {
    this.#line(record, route).usedAtMs = nowMs;
  }

  /** A request was answered. */
  answered(record: ActiveRecord, route: Route, outcome: UsageOutcome, status: number): void {
    const { counts } = this.#line(record, route);
    const count = counts.get(outcome);
    if (count) count.requests += 1;
    else counts.set(outcome, { status, requests: 1 });
    this.#requests += 1;
  }

  /** All of it, by cell, in parts that can be sent. */
  batches(cells: number, mintId: () => string): UsageBatch[] {
    const byCell = Map.groupBy(this.#entries(), (entry) => cellOfOrganization(entry.organization_id, cells));
    return [...byCell].flatMap(([cell, entries]) =>
      inParts(entries).map((part) => ({ v: 1 as const, id: mintId(), cell, hour_ms: this.hourMs, entries: part })),
    );
  }

  *#entries(): Generator<UsageEntry> {
    for (const [record, routes] of this.#keys) for (const [route, line] of routes) yield entryOf(record, route, line);
  }

  #line(record: ActiveRecord, route: Route): Line {
    let routes = this.#keys.get(record);
    if (!routes) {
      routes = new Map();
      this.#keys.set(record, routes);
    }
    let line = routes.get(route);
    if (!line) {
      line = { permissions: permissionsUsed(route, record.permissions), usedAtMs: null, counts: new Map() };
      routes.set(route, line);
      this.#lines += 1;
    }
    return line;
  }
}

/**
 * The permissions by which a key passes on a route, in the route's words: all it asks for, and of those it takes in place of each
 * other the first one the key has. Narrowed to these, the key passes there still. None where the key cannot pass.
 */
export function permissionsUsed(route: Route, held: readonly string[]): string[] {
  const { all = [], any } = route.permissions ?? {};
  if (!all.every((permission) => coversAny(held, permission))) return [];
  if (!any || any.some((permission) => all.includes(permission))) return all;
  const first = any.find((permission) => coversAny(held, permission));
  return first === undefined ? [] : [...all, first];
}

function entryOf(record: ActiveRecord, route: Route, line: Line): UsageEntry {
  const { owner } = record;
  return {
    key_id: record.key_id,
    token_id: record.token_id,
    organization_id: owner.type === "user" ? owner.organization_id : owner.id,
    route: route.name,
    permissions: [...line.permissions],
    used_at_ms: line.usedAtMs,
    counts: [...line.counts].map(([outcome, { status, requests }]) => ({
      status,
      refusal: typeof outcome === "number" ? null : outcome,
      requests,
    })),
  };
}

function inParts(entries: readonly UsageEntry[]): UsageEntry[][] {
  const parts: UsageEntry[][] = [];
  let size = Number.POSITIVE_INFINITY;
  for (const entry of entries) {
    const more = sizeOf(entry);
    const last = parts.at(-1);
    if (last && last.length < BATCH_ENTRIES_MAX && size + more <= BATCH_SIZE_MAX) {
      last.push(entry);
      size += more;
    } else {
      parts.push([entry]);
      size = more;
    }
  }
  return parts;
}

/** About as many characters as its JSON has. */
function sizeOf({ permissions, counts }: UsageEntry): number {
  return 320 + 52 * permissions.length + 100 * counts.length;
}
