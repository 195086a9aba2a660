/**
 * What is wrong with a table though each of its routes is right. Matching knows a winner for every request, but nobody should need to know
 * its rules of precedence to read a table:
 *
 * - Two routes **overlap** when some request is for both, neither is a part of the other, and no third route is for just the requests
 *   that they share. Without overlaps, of all routes that are for a request one is a part of every other, and that one answers.
 * - A route is **shadowed** when more specific ones take all of its requests between them, so that it answers none.
 */
import { isPartOf, meet, nameOfPattern, patternOf, type Pattern } from "./route-pattern.ts";
import { methodsOf, routesSchema, type Route } from "./route.ts";

/** A fault, by places in the table. */
export type TableFault =
  /** `example`: what both are for, as host and path; no host: any. */
  | {
      readonly kind: "overlap";
      readonly route: number;
      readonly with: number;
      readonly methods: readonly string[];
      readonly example: { readonly host: string | undefined; readonly path: string };
    }
  | { readonly kind: "shadowed"; readonly route: number; readonly methods: readonly string[]; readonly by: readonly number[] };

/** More are not looked for: the table is to be mended first. */
const FAULTS_MAX = 100;
/** Stands for any segment in an example. */
const ANY_SEGMENT = "x";

/** Routes to be published: right one by one, and as a whole. */
export const publishableRoutesSchema = routesSchema.superRefine((routes, context) => {
  for (const fault of tableFaults(routes))
    context.addIssue({ code: "custom", path: [fault.route, "path"], message: describeFault(fault, routes) });
});

/** The faults of a table, at most a hundred. */
export function tableFaults(routes: readonly Route[]): readonly TableFault[] {
  const table = new Table(routes);
  return [...table.shadowed(), ...table.overlaps()].slice(0, FAULTS_MAX);
}

/** A fault in a sentence, with what to do about it. */
export function describeFault(fault: TableFault, routes: readonly Route[]): string {
  const name = (at: number) => `'${routes[at]?.name ?? at}'`;
  const methods = fault.methods.join(", ");
  if (fault.kind === "shadowed") return `never answers ${methods}: ${fault.by.map(name).join(", ")} take all of its requests; remove it`;
  const { host, path } = fault.example;
  return (
    `overlaps with ${name(fault.with)}: ${methods} ${host ?? ""}${path} is for both, and neither is the more specific one; ` +
    `state hosts or narrow one of them, or add a route for just what they share`
  );
}

class Table {
  readonly #routes: readonly { readonly pattern: Pattern; readonly methods: readonly string[] }[];
  /** Places of routes by method and pattern. */
  readonly #places = new Map<string, number>();

  constructor(routes: readonly Route[]) {
    this.#routes = routes.map((route) => ({ pattern: patternOf(route), methods: methodsOf(route) }));
    for (const [at, { pattern, methods }] of this.#routes.entries())
      for (const method of methods) this.#places.set(keyOf(method, pattern), at);
  }

  *overlaps(): Generator<TableFault> {
    for (const [at, one] of this.#routes.entries())
      for (const [before, other] of this.#routes.slice(0, at).entries()) {
        const both = meet(one.pattern, other.pattern);
        if (!both || isPartOf(one.pattern, other.pattern) || isPartOf(other.pattern, one.pattern)) continue;
        const methods = one.methods.filter((method) => other.methods.includes(method) && !this.#places.has(keyOf(method, both)));
        if (methods.length > 0) yield { kind: "overlap", route: at, with: before, methods, example: exampleOf(both) };
      }
  }

  *shadowed(): Generator<TableFault> {
    for (const [route, { pattern, methods }] of this.#routes.entries()) {
      const taken = methods.map((method) => ({ method, by: this.#takers(method, pattern) })).filter(({ by }) => by !== undefined);
      const by = [...new Set(taken.flatMap((each) => each.by ?? []))];
      if (taken.length > 0) yield { kind: "shadowed", route, methods: taken.map(({ method }) => method), by };
    }
  }

  /**
   * The routes that take all requests of `…/*` between them: those to `…/`, those to `…/:x`, and all that goes on from there. No number of
   * literals takes all that a parameter stands for, and other hosts' routes take nothing here.
   */
  #takers(method: string, { host, segments }: Pattern): number[] | undefined {
    if (segments.at(-1) !== "*") return undefined;
    const at = (...end: string[]) => ({ host, segments: [...segments.slice(0, -1), ...end] });
    const place = (pattern: Pattern) => this.#places.get(keyOf(method, pattern));
    const [empty, one, deeper] = [place(at("")), place(at(":")), place(at(":", "*"))];
    if (empty === undefined || one === undefined) return undefined;
    const beyond = deeper === undefined ? this.#takers(method, at(":", "*")) : [deeper];
    return beyond && [empty, one, ...beyond];
  }
}

function keyOf(method: string, pattern: Pattern): string {
  return `${method} ${nameOfPattern(pattern)}`;
}

function exampleOf({ host, segments }: Pattern): { readonly host: string | undefined; readonly path: string } {
  return { host, path: `/${segments.map((segment) => (segment === ":" || segment === "*" ? ANY_SEGMENT : segment)).join("/")}` };
}
