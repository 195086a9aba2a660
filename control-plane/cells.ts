/** Finding the ledger of a cell. A new stub for each call: one that has failed stays dead. */
import { cellOfOrganization, HOME_CELL } from "../core/identifier.ts";
import type { LedgerContract } from "./ledger/contract.ts";
import { cellName } from "./ledger/cell-name.ts";
import type { Ledger } from "./ledger/ledger.ts";

/** The way to a ledger failed, or the ledger's life ended on the way: whether it did what it was asked is not known. */
export class LedgerUnreachableError extends Error {
  override readonly name = "LedgerUnreachableError";
}

/** The ledgers of an installation. */
export class Cells {
  readonly #namespace: DurableObjectNamespace<Ledger>;
  readonly count: number;

  constructor(namespace: DurableObjectNamespace<Ledger>, count: number) {
    this.#namespace = namespace;
    this.count = count;
  }

  /** The ledger of a cell, 0 to `count` - 1. A call rejects with a {@link LedgerUnreachableError}, or with what the ledger's own code threw. */
  ledger(cell: number): LedgerContract {
    return reachedThrough<LedgerContract>(this.#namespace.getByName(cellName(cell)));
  }

  /** The ledger of what belongs to the whole installation. */
  home(): LedgerContract {
    return this.ledger(HOME_CELL);
  }

  /** The cell an organization lives in. */
  cellOf(organizationId: string): number {
    return cellOfOrganization(organizationId, this.count);
  }

  /** Every cell's ledger. */
  all(): LedgerContract[] {
    return Array.from({ length: this.count }, (_, cell) => this.ledger(cell));
  }

  /** Asks every cell the same and gathers the answers. */
  everywhere<Answer>(question: (ledger: LedgerContract) => Promise<Answer>): Promise<Answer[]> {
    return Promise.all(this.all().map(question));
  }
}

/** An object whose calls reject with a {@link LedgerUnreachableError}, or with what its own code threw. */
export function reachedThrough<Contract extends object>(stub: Contract): Contract {
  return new Proxy(stub, {
    get: (target, method) => {
      const call: unknown = Reflect.get(target, method);
      return typeof call === "function" ? (...inputs: unknown[]) => reached(Reflect.apply(call, target, inputs)) : call;
    },
  });
}

async function reached<Answer>(call: Promise<Answer>): Promise<Answer> {
  try {
    return await call;
  } catch (error) {
    throw isOfLedgersCode(error) ? error : new LedgerUnreachableError("the ledger could not be reached", { cause: error });
  }
}

/** The platform marks what an object's code threw, and, whoever threw it, what ended the object's life. */
function isOfLedgersCode(error: unknown): boolean {
  const { remote, durableObjectReset } = error as { readonly remote?: boolean; readonly durableObjectReset?: boolean };
  return remote === true && durableObjectReset !== true;
}
