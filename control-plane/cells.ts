/** Finding the ledger of a cell. A new stub for each call: one that has failed stays dead. */
import { cellOfOrganization, HOME_CELL } from "../core/identifier.ts";
import type { LedgerContract } from "./ledger/contract.ts";
import { cellName } from "./ledger/cell-name.ts";
import type { Ledger } from "./ledger/ledger.ts";

/** The ledgers of an installation. */
export class Cells {
  readonly #namespace: DurableObjectNamespace<Ledger>;
  readonly count: number;

  constructor(namespace: DurableObjectNamespace<Ledger>, count: number) {
    this.#namespace = namespace;
    this.count = count;
  }

  /** The ledger of a cell, 0 to `count` - 1. */
  ledger(cell: number): LedgerContract {
    return this.#namespace.getByName(cellName(cell));
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
