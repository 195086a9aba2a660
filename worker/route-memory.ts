/** The route table an isolate remembers, ready for matching. Whether it may be used is for the ledger's floor to say. */
import { compileRoutes, type CompiledRoutes } from "../core/match.ts";
import type { RouteTable } from "../core/route.ts";

export class RouteMemory {
  #table: CompiledRoutes | undefined;

  /** Undefined on a cold start. */
  get table(): CompiledRoutes | undefined {
    return this.#table;
  }

  /** Keeps a table unless a newer one is there; answers the newer of the two. */
  keep(table: RouteTable): CompiledRoutes {
    if (!this.#table || this.#table.stamp < table.stamp) this.#table = compileRoutes(table);
    return this.#table;
  }
}
