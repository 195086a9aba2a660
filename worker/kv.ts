/** Reading KV, which may fail, stall, be out of date or be tampered with, without harm: it is only ever a shortcut past the ledger. */
import { hmacSha256 } from "../core/digest.ts";
import { DEADLINES_MS } from "../core/protocol/tunables.ts";
import { readPublished } from "../core/published.ts";
import type { TagKeys } from "../core/token.ts";
import { withDeadline } from "../platform/deadline.ts";
import type { GatewayPorts } from "./ports.ts";

/** What KV said. A name that is absent or not signed is an answer with the value undefined; no answer says nothing about the name. */
type KvAnswer = { readonly answered: true; readonly value: unknown } | { readonly answered: false };

/** Reads what was published under a name. Never rejects. */
export async function readKv(ports: Pick<GatewayPorts, "readKv">, name: string, keys: TagKeys): Promise<KvAnswer> {
  try {
    const text = await withDeadline(ports.readKv(name), DEADLINES_MS.kv);
    return { answered: true, value: text === null ? undefined : readPublished(name, text, keys, hmacSha256) };
  } catch {
    return { answered: false };
  }
}
