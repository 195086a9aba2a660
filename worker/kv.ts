/** Reading KV, which may fail, stall or be out of date without harm: it is only ever a shortcut past the ledger. */
import { withDeadline } from "./deadline.ts";

/** Seconds for which a location may answer from its cache. Staleness is harmless, because floors judge every copy. */
const CACHE_TTL_S = 3_600;
/** Milliseconds after which the ledger is asked instead. */
const DEADLINE_MS = 1_000;

/** What KV said. An absent name is an answer with the value null; no answer says nothing about the name. */
export type KvAnswer = { readonly answered: true; readonly value: unknown } | { readonly answered: false };

/** Reads a name as JSON. Never rejects. */
export async function readKv(kv: Pick<KVNamespace, "get">, name: string): Promise<KvAnswer> {
  try {
    return { answered: true, value: await withDeadline(kv.get<unknown>(name, { type: "json", cacheTtl: CACHE_TTL_S }), DEADLINE_MS) };
  } catch (error) {
    return error instanceof SyntaxError ? { answered: true, value: null } : { answered: false };
  }
}
