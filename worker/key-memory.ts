/**
 * What an isolate remembers of keys: values only, bounded, never promises. Staleness is harmless, because every record is
 * judged by the ledger's floors before use; but a fill must never bring an older record back over a newer one.
 */
import { LRUCache } from "lru-cache";
import type { KeyRecord } from "../core/record.ts";

const RECORDS_MAX = 10_000;
const UNKNOWN_MAX = 10_000;
/** How long an id that the ledger does not know is not asked for again. Ids are made by us at random, so none becomes known later. */
const UNKNOWN_KEPT_MS = 5_000;

export class KeyMemory {
  readonly #records = new LRUCache<string, KeyRecord>({ max: RECORDS_MAX });
  readonly #unknownUntil = new LRUCache<string, number>({ max: UNKNOWN_MAX });

  record(tokenId: string): KeyRecord | undefined {
    return this.#records.get(tokenId);
  }

  /** Keeps a record unless a newer one is there. */
  keep(record: KeyRecord): void {
    const held = this.#records.get(record.token_id);
    if (!held || held.stamp <= record.stamp) this.#records.set(record.token_id, record);
  }

  isUnknown(tokenId: string, nowMs: number): boolean {
    const until = this.#unknownUntil.get(tokenId);
    return until !== undefined && nowMs < until;
  }

  keepUnknown(tokenId: string, nowMs: number): void {
    this.#unknownUntil.set(tokenId, nowMs + UNKNOWN_KEPT_MS);
  }
}
