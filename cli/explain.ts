/** `explain`: which routes a request could go by, which one it goes by, and why it passes or does not. */
import { isPathFault, normalisePath } from "../core/path.ts";
import { TOLD } from "../core/reason.ts";
import { describesPath, patternOf } from "../core/route-pattern.ts";
import { methodsOf, type Route } from "../core/route.ts";
import { readTarget } from "../core/target.ts";
import type { Decision } from "../core/edge/request.ts";
import { decisionOn, outcomeOf, targetOf } from "./rehearsed.ts";
import type { WrittenRequest } from "./route-file-schema.ts";

/** A route for the path, and what becomes of it. */
export interface Consideration {
  readonly route: Route;
  readonly verdict: "answers" | "less specific" | "other method" | "other host";
}

/** The routes whose path it is: the one that answers first, then those it comes before, then those for other methods and hosts. */
export function considered(routes: readonly Route[], written: WrittenRequest): Consideration[] {
  const { method, url } = targetOf(written);
  const { host, path } = readTarget(url.href);
  const normal = normalisePath(path);
  if (isPathFault(normal)) return [];
  const segments = normal.slice(1).split("/").map(decodeURIComponent);
  const asked = written.preflight ?? method;
  const rank = (each: Consideration) => ["answers", "less specific", "other method", "other host"].indexOf(each.verdict);
  const rivals = routes.filter((route) => describesPath(patternOf(route), segments));
  const { route: answering } = decisionOn(routes, written);
  return rivals
    .map((route): Consideration => {
      if (route.name === answering?.name) return { route, verdict: "answers" };
      if ((route.host ?? host) !== host) return { route, verdict: "other host" };
      return { route, verdict: methodsOf(route).includes(asked) ? "less specific" : "other method" };
    })
    .toSorted((one, other) => rank(one) - rank(other));
}

/** The explanation, a line each. */
export function explanation(routes: readonly Route[], written: WrittenRequest): string[] {
  const { method, url } = targetOf(written);
  const decision = decisionOn(routes, written);
  const path = normalisePath(readTarget(url.href).path);
  return [
    `${method} ${isPathFault(path) ? readTarget(url.href).path : path}`,
    ...considered(routes, written).map(({ route, verdict }) => `  ${verdict.padEnd(13)} ${describe(route)}`),
    `${outcomeOf(decision)}${statusOf(decision)}`,
    ...reasonsOf(decision, written).map((line) => `  ${line}`),
  ];
}

function describe(route: Route): string {
  return `${route.name}: ${methodsOf(route).join(",")} ${route.host ?? ""}${route.path}`;
}

function statusOf(decision: Decision): string {
  return "reason" in decision ? ` (${TOLD[decision.reason].status} ${TOLD[decision.reason].code})` : "";
}

function reasonsOf(decision: Decision, { permissions }: WrittenRequest): string[] {
  if (!("reason" in decision)) {
    const { route } = decision;
    if ("preflight" in decision) return ["The gateway answers the preflight itself; no key is needed for it."];
    return [route.public === true ? "The route is public." : `The key has what the route asks for: ${JSON.stringify(route.permissions)}.`];
  }
  const { missing, excluded, reason } = decision;
  if (missing)
    return [
      `The key has [${(permissions ?? []).join(", ")}] and lacks ${missing.any ? "any one" : "all"} of: ${missing.permissions.join(", ")}.`,
    ];
  if (excluded) return [`The key may do what the route excludes: ${excluded.join(", ")}.`];
  return [TOLD[reason].detail];
}
