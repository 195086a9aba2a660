/** The gateway's ports on Cloudflare Workers. */
import { createHash, createHmac } from "node:crypto";
import type { LedgerReader } from "../core/ledger-reader.ts";
import { KV_CACHE_TTL_S } from "../core/record.ts";
import type { GatewayPorts } from "./ports.ts";

/** Bindings of the gateway Worker besides its settings. */
export interface GatewayBindings {
  readonly KEYS: KVNamespace;
  /** The control plane's entrypoint of that name. */
  readonly LEDGER_READER: LedgerReader;
}

/** Ports over the Worker's bindings. */
export function platformPorts(bindings: GatewayBindings): GatewayPorts {
  return {
    readKv: (name) => bindings.KEYS.get(name, { type: "text", cacheTtl: KV_CACHE_TTL_S }),
    ledger: bindings.LEDGER_READER,
    fetch: (request) => fetch(request),
    now: () => Date.now(),
    randomBytes: (target) => crypto.getRandomValues(target),
    sha256Hex: (text) => createHash("sha256").update(text).digest("hex"),
    hmacSha256: (key, message) => createHmac("sha256", key).update(message).digest(),
    log: (line) => console.log(line),
  };
}
