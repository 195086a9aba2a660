/** The route table an edge remembers, ready for matching. Whether it may be used is for the home cell's view to say. */
import { compileRoutes, type CompiledRoutes } from "../match.ts";
import type { RouteTable } from "../route.ts";

/** A table and the latest entry of the home cell at which it is known to have been in force. */
export interface KnownRoutes {
  readonly routes: CompiledRoutes;
  readonly trueAt: number;
}

/** One isolate's memory of the route table. */
export class RouteMemory {
  #known: KnownRoutes | undefined;

  /** Undefined on a cold start. */
  get known(): KnownRoutes | undefined {
    return this.#known;
  }

  /** Keeps a table unless a newer one is there. */
  keep(table: RouteTable): void {
    if (!this.#known || this.#known.trueAt < table.stamp) this.#known = { routes: compileRoutes(table), trueAt: table.stamp };
  }

  /** The table that is known, or the first one that was found, is in force at an entry. */
  confirm(found: KnownRoutes, atSeq: number): void {
    if (found === this.#known && found.trueAt >= atSeq) return;
    this.#known = { routes: found.routes, trueAt: Math.max(found.trueAt, atSeq) };
  }
}
