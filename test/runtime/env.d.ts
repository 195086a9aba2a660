import type { LedgerEnv } from "../../control-plane/ledger/ledger.ts";
import type { GatewayBindings } from "../../worker/platform-ports.ts";

declare global {
  namespace Cloudflare {
    interface Env extends LedgerEnv, GatewayBindings {}
  }
}
