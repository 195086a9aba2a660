/**
 * What an edge remembers of keys: values only, bounded in number and size.
 *
 * Invariants (docs/protocol.md, "Cache discipline"):
 * - C1 A fill never takes an older truth over a newer one.
 * - C2 Death is final: a tombstone is never replaced.
 * - C3 What is kept was vouched for: by the ledger itself, or by a view that covers it.
 * Whether a record may still be used is for the views to say, at every use.
 */
import { LRUCache } from "lru-cache";
import type { KeyRecord } from "../record.ts";

const RECORDS_MAX = 10_000;
/** Characters in all records together; about as many bytes of memory. */
const RECORDS_SIZE_MAX = 16_000_000;
/** What a record costs besides its permissions, in the same measure. */
const RECORD_SIZE = 600;
const NETWORK_SIZE = 250;
/**
 * Milliseconds for which an id that the ledger does not know is not asked for again. Ids of ours are random and come from the ledger, so
 * none becomes known later; an imported key that was tried before its import is accepted when this is over.
 */
const UNKNOWN_KEPT_MS = 5_000;

/** A record and the latest entry of its cell at which it is known to have been true. */
export interface KnownRecord {
  readonly record: KeyRecord;
  readonly trueAt: number;
}

/** One isolate's memory of keys, by token id. The least recently used are forgotten first. */
export class KeyMemory {
  readonly #records: LRUCache<string, KnownRecord>;
  readonly #unknownUntilMs: LRUCache<string, number>;
  readonly #places: LRUCache<string, number>;

  constructor(recordsMax: number = RECORDS_MAX) {
    this.#records = new LRUCache({ max: recordsMax, maxSize: RECORDS_SIZE_MAX, sizeCalculation: sizeOf });
    this.#unknownUntilMs = new LRUCache({ max: recordsMax });
    this.#places = new LRUCache({ max: recordsMax });
  }

  /** What is known of a token. */
  known(tokenId: string): KnownRecord | undefined {
    return this.#records.get(tokenId);
  }

  /** Keeps what was found unless something newer is there, or a tombstone. */
  keep(found: KnownRecord): void {
    const tokenId = found.record.token_id;
    if (this.outranks(this.#records.get(tokenId), found)) return;
    this.#records.set(tokenId, found);
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

  /** The cell an imported key lives in, if that has been asked. It never moves. */
  placeOf(tokenId: string): number | undefined {
    return this.#places.get(tokenId);
  }

  /** Remembers where an imported key lives. */
  keepPlace(tokenId: string, cell: number): void {
    this.#places.set(tokenId, cell);
  }

  /** Whether what is held must not be replaced by what was found. */
  protected outranks(held: KnownRecord | undefined, found: KnownRecord): boolean {
    return held !== undefined && (held.record.state === "revoked" || (found.record.state === "active" && held.trueAt >= found.trueAt));
  }
}

function sizeOf({ record }: KnownRecord): number {
  if (record.state === "revoked") return RECORD_SIZE;
  let size = RECORD_SIZE;
  for (const permission of record.permissions) size += permission.length + 32;
  // Parsed networks stay in memory beside their text.
  size += (record.allowed_networks?.length ?? 0) * NETWORK_SIZE;
  return size;
}
