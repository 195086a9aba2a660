/** The test Worker: the control plane as it is, with the ledger's KV and the way between cells behind fault switches. */
import { Ledger as RealLedger, type LedgerEnv } from "../../control-plane/ledger/ledger.ts";
import type { Catalogue } from "../../control-plane/ledger/contract.ts";
import { faultyKv } from "./faulty-kv.ts";
import { ledgerFaults } from "./ledger-faults.ts";

export { default, LedgerReader } from "../../control-plane/index.ts";

export class Ledger extends RealLedger {
  constructor(ctx: DurableObjectState, env: LedgerEnv) {
    super(ctx, { ...env, KEYS: faultyKv(env.KEYS) });
  }

  override async mirrorCatalogue(received: Catalogue): Promise<void> {
    if (ledgerFaults.notTakingCatalogue.has(this.ctx.id.name ?? "")) throw new Error("Network connection lost.");
    return super.mirrorCatalogue(received);
  }
}
