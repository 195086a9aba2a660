/** The test Worker: the control plane as it is, with the ledger's KV behind fault switches. */
import { Ledger as RealLedger, type LedgerEnv } from "../../control-plane/ledger/ledger.ts";
import { faultyKv } from "./faulty-kv.ts";

export { default, LedgerReader } from "../../control-plane/index.ts";

export class Ledger extends RealLedger {
  constructor(ctx: DurableObjectState, env: LedgerEnv) {
    super(ctx, { ...env, KEYS: faultyKv(env.KEYS) });
  }
}
