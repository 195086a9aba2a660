/** Finding the usage store of a cell. A new stub for each call: one that has failed stays dead. */
import { reachedThrough } from "../cells.ts";
import { cellName } from "../ledger/cell-name.ts";
import type { UsageStoreContract } from "./contract.ts";
import type { UsageStore } from "./store.ts";

/** The usage stores of an installation. A call that does not get there rejects as one to a ledger does. */
export class UsageStores {
  readonly #namespace: DurableObjectNamespace<UsageStore>;

  constructor(namespace: DurableObjectNamespace<UsageStore>) {
    this.#namespace = namespace;
  }

  /** The store of a cell's keys. */
  store(cell: number): UsageStoreContract {
    return reachedThrough<UsageStoreContract>(this.#namespace.getByName(cellName(cell)));
  }
}
