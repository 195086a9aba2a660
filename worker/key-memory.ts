/**
 * What an isolate remembers of keys: values only, bounded. Staleness is harmless, because every record is judged by the
 * ledger's floors before use; but a fill never brings an older record back over a newer one.
 */
import { LRUCache } from "lru-cache";
import type { KeyRecord } from "../core/record.ts";

const RECORDS_MAX = 10_000;
const UNKNOWN_MAX = 10_000;
/** Milliseconds for which an id that the ledger does not know is not asked for again. Ids are random and come from the ledger, so none becomes known later. */
const UNKNOWN_KEPT_MS = 5_000;

export class KeyMemory {
  readonly #records = new LRUCache<string, KeyRecord>({ max: RECORDS_MAX });
  readonly #unknownUntilMs = new LRUCache<string, number>({ max: UNKNOWN_MAX });

  /** The newest record seen of a token, if it is still here. */
  record(tokenId: string): KeyRecord | undefined {
    return this.#records.get(tokenId);
  }

  /** Keeps a record unless a newer one is there, or a tombstone: death is final. Answers the one that stays. */
  keep(record: KeyRecord): KeyRecord {
    const held = this.#records.get(record.token_id);
    if (held && (held.state === "revoked" || held.stamp > record.stamp)) return held;
    this.#records.set(record.token_id, record);
    return record;
  }

  /** Whether the ledger said a moment ago that nobody issued this token. */
  isUnknown(tokenId: string, nowMs: number): boolean {
    const untilMs = this.#unknownUntilMs.get(tokenId);
    return untilMs !== undefined && nowMs < untilMs;
  }

  /** Remembers that nobody issued this token. */
  keepUnknown(tokenId: string, nowMs: number): void {
    this.#unknownUntilMs.set(tokenId, nowMs + UNKNOWN_KEPT_MS);
  }
}
