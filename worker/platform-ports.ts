/** The gateway's ports on Cloudflare Workers. */
import { createHash, createHmac } from "node:crypto";
import type { LedgerReader } from "../core/ledger-reader.ts";
import type { GatewayPorts } from "./ports.ts";

/** Bindings of the gateway Worker besides its settings. */
export interface GatewayBindings {
  readonly KEYS: KVNamespace;
  readonly LEDGER_READER: LedgerReader;
}

/** Staleness is harmless (floors judge every record), so KV may keep copies near the caller for long. */
const KV_CACHE_TTL_S = 3_600;

/** Ports over the Worker's bindings. */
export function platformPorts(bindings: GatewayBindings): GatewayPorts {
  return {
    readKv: (name) => bindings.KEYS.get(name, { type: "json", cacheTtl: KV_CACHE_TTL_S }),
    ledger: bindings.LEDGER_READER,
    fetch: (request) => fetch(request),
    now: () => Date.now(),
    requestId,
    sha256Hex: (text) => createHash("sha256").update(text).digest("hex"),
    hmacSha256: (key, message) => createHmac("sha256", key).update(message).digest(),
    decodeBase64,
    log: (line) => console.log(line),
  };
}

/** 96 random bits in hexadecimal. */
function requestId(): string {
  const words = crypto.getRandomValues(new Uint32Array(3));
  let id = "req_";
  for (const word of words) id += word.toString(16).padStart(8, "0");
  return id;
}

function decodeBase64(text: string): string | undefined {
  try {
    return atob(text);
  } catch {
    return undefined;
  }
}
