/** `test`: the file's table of requests, each decided by what decides at the gateway. */
import type { Route } from "../core/route.ts";
import { decisionOn, outcomeOf } from "./rehearsed.ts";
import type { Expectation } from "./route-file-schema.ts";

/** What is not as expected, a line each. */
export function failuresOf(routes: readonly Route[], tests: readonly Expectation[]): string[] {
  return tests.flatMap((test, at) => {
    const expected = test.allow === undefined ? `deny ${String(test.deny)}` : `allow ${test.allow}`;
    const found = outcomeOf(decisionOn(routes, test));
    return found === expected ? [] : [`tests.${at} ${test.request} ${keyOf(test)}: expected ${expected}, got ${found}`];
  });
}

function keyOf({ permissions, preflight, origin }: Expectation): string {
  if (preflight !== undefined) return `before ${preflight} from ${String(origin)}`;
  return permissions === undefined ? "without a key" : `with [${permissions.join(", ")}]`;
}
