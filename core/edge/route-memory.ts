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

  /** A table has been found to be in force at an entry. */
  confirm({ routes, trueAt }: KnownRoutes, atSeq: number): void {
    if (this.#known?.routes === routes && this.#known.trueAt >= atSeq) return;
    if (!this.#known || this.#known.trueAt <= trueAt) this.#known = { routes, trueAt: Math.max(trueAt, atSeq) };
  }
}
