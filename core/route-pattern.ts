/**
 * Patterns of hosts and paths as sets of requests, apart from how they are looked up: which requests two of them share, and whether one is
 * a part of the other. Every two patterns share either nothing or what a third pattern describes, their meet.
 */
import type { Route } from "./route.ts";

/** Where a route applies. Segments are literals, ":" for any one segment that is not empty, and a last "*" for one or more. */
export interface Pattern {
  /** Undefined: any. */
  readonly host: string | undefined;
  readonly segments: readonly string[];
}

/** A route's pattern; what its parameters are called does not matter. */
export function patternOf({ host, path }: Pick<Route, "host" | "path">): Pattern {
  const segments = path
    .slice(1)
    .split("/")
    .map((segment) => (segment.startsWith(":") ? ":" : segment));
  return { host, segments };
}

/** The requests that both describe, as a pattern; undefined when there are none. */
export function meet(left: Pattern, right: Pattern): Pattern | undefined {
  if (left.host !== undefined && right.host !== undefined && left.host !== right.host) return undefined;
  const segments = meetOfSegments(left.segments, right.segments);
  return segments && { host: left.host ?? right.host, segments };
}

/** The same for equal patterns, and for no others. */
export function nameOfPattern({ host = "*", segments }: Pattern): string {
  return `${host} /${segments.join("/")}`;
}

/** Whether every request that `inner` describes is one that `outer` describes. */
export function isPartOf(inner: Pattern, outer: Pattern): boolean {
  const both = meet(inner, outer);
  return both !== undefined && nameOfPattern(both) === nameOfPattern(inner);
}

/** Whether a path, with its literals decoded, is one that the pattern describes. */
export function describesPath({ segments }: Pattern, path: readonly string[]): boolean {
  return isPartOf({ host: undefined, segments: path }, { host: undefined, segments });
}

function meetOfSegments(left: readonly string[], right: readonly string[]): readonly string[] | undefined {
  const met: string[] = [];
  for (const at of Array.from({ length: Math.max(left.length, right.length) }).keys()) {
    const [one, other] = [left[at], right[at]];
    if (one === undefined || other === undefined) return undefined;
    if (one === "*") return [...met, ...right.slice(at)];
    if (other === "*") return [...met, ...left.slice(at)];
    const both = meetOfSegment(one, other);
    if (both === undefined) return undefined;
    met.push(both);
  }
  return met;
}

function meetOfSegment(one: string, other: string): string | undefined {
  if (one === other) return one;
  if (one === ":") return other === "" ? undefined : other;
  if (other === ":") return one === "" ? undefined : one;
  return undefined;
}
