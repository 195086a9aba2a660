import type { LedgerEnv } from "../../control-plane/ledger/ledger.ts";
import type { LimiterEnv } from "../../control-plane/limiter-access.ts";
import type { CollectorEnv } from "../../control-plane/usage/collector.ts";
import type { GatewayBindings } from "../../worker/platform-ports.ts";

declare global {
  namespace Cloudflare {
    interface GlobalProps {
      mainModule: typeof import("./entry.ts");
    }
    interface Env extends LedgerEnv, GatewayBindings, LimiterEnv, CollectorEnv {
      readonly BOOTSTRAP_SECRET: string;
      readonly REPLY_SEAL_KEY: string;
      readonly WIDGET_TOKEN_KEY: string;
      readonly TOKEN_PREFIX: string;
      readonly CUSTOMER_API: Fetcher;
    }
  }
}
