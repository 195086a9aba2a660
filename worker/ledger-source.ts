/**
 * Records and routes as they may be decided by: from memory or KV if the ledger's floors allow it, else from the ledger.
 *
 * Invariants. Whatever is returned was vouched for by a ledger read that began after the request arrived. Isolate memory
 * holds values, never promises: a promise belongs to the request that made it and may hang when that request ends.
 */
import { standingOf, type FloorView } from "../core/floor.ts";
import type { CompiledRoutes } from "../core/match.ts";
import { parseRecord, recordName, subjectsOf, type KeyRecord } from "../core/record.ts";
import { parseRouteTable, ROUTES_RECORD_NAME } from "../core/route.ts";
import type { ParsedToken } from "../core/token.ts";
import { withDeadline } from "./deadline.ts";
import { KeyMemory } from "./key-memory.ts";
import { readKv, type KvAnswer } from "./kv.ts";
import type { GatewayPorts } from "./ports.ts";
import { RouteMemory } from "./route-memory.ts";
import type { Timing } from "./timing.ts";

/** The ledger could not be asked or did not answer in time: fail closed. */
export class LedgerUnreachableError extends Error {
  override readonly name = "LedgerUnreachableError";
}

/** Milliseconds that one question to the ledger may take. */
const LEDGER_DEADLINE_MS = 5_000;

/** A record found before anyone vouched for it. `seenStamp`: what KV showed, null for a miss, undefined if it was not asked or did not answer. */
interface Copy {
  readonly record: KeyRecord | undefined;
  readonly seenStamp: number | null | undefined;
}

/** What one request saw when it looked: the ledger's views, and the copies found meanwhile. */
export interface Sighting {
  /** Null when no token was asked for. */
  readonly token: FloorView | null;
  readonly routes: FloorView;
  readonly copy: Copy;
}

const NO_COPY: Copy = { record: undefined, seenStamp: undefined };

export class LedgerSource {
  readonly #ports: GatewayPorts;
  readonly #keys = new KeyMemory();
  readonly #routes = new RouteMemory();

  constructor(ports: GatewayPorts) {
    this.#ports = ports;
  }

  /** Asks the ledger once and looks for copies, all in parallel. */
  async observe(token: ParsedToken | null, timing: Timing): Promise<Sighting> {
    const asked = token !== null && !this.#keys.isUnknown(token.tokenId, this.#ports.now()) ? token : null;
    const question = { token: asked && { cell: asked.cell, tokenId: asked.tokenId } };
    const [views, copy] = await Promise.all([
      this.#ask(timing, () => this.#ports.ledger.observe(question)),
      asked ? this.#copyOf(asked.tokenId, timing) : NO_COPY,
      this.#routes.table ? undefined : this.#fetchPublishedRoutes(timing),
    ]);
    return { token: views.token, routes: views.routes, copy };
  }

  /** The route table in force. */
  async routes({ routes: view }: Sighting, timing: Timing): Promise<CompiledRoutes> {
    const held = this.#routes.table;
    if (held && standingOf({ stamp: held.stamp, subjects: ["routes"] }, view) === "current") return held;
    return this.#routes.keep(await this.#ask(timing, () => this.#ports.ledger.resolveRoutes()));
  }

  /** The record to decide by, or undefined for a token that nobody issued. */
  async record(token: ParsedToken, { token: view, copy }: Sighting, timing: Timing): Promise<KeyRecord | undefined> {
    if (view === null) return undefined;
    if (copy.record) {
      const subjects = copy.record.state === "active" ? subjectsOf(copy.record) : [];
      const standing = standingOf({ stamp: copy.record.stamp, subjects }, view);
      if (standing === "current") return copy.record;
      if (standing === "revoked") return this.#keys.keep({ v: 1, state: "revoked", stamp: view.seq, token_id: token.tokenId });
    }
    return this.#resolve(token, copy.seenStamp, timing);
  }

  async #resolve(token: ParsedToken, seenStamp: number | null | undefined, timing: Timing): Promise<KeyRecord | undefined> {
    const question = { cell: token.cell, tokenId: token.tokenId, ...(seenStamp === undefined ? {} : { seenStamp }) };
    const resolution = await this.#ask(timing, () => this.#ports.ledger.resolve(question));
    if (resolution.found) return this.#keys.keep(resolution.record);
    this.#keys.keepUnknown(token.tokenId, this.#ports.now());
    return undefined;
  }

  async #copyOf(tokenId: string, timing: Timing): Promise<Copy> {
    const remembered = this.#keys.record(tokenId);
    if (remembered) return { record: remembered, seenStamp: undefined };
    const answer = await this.#readKv(recordName(tokenId), timing);
    if (!answer.answered) return NO_COPY;
    const record = parseRecord(answer.value, tokenId);
    return record ? { record: this.#keys.keep(record), seenStamp: record.stamp } : { record: undefined, seenStamp: null };
  }

  /** Only on a cold start: later the ledger says when the table in memory is out of date, and gives the new one. */
  async #fetchPublishedRoutes(timing: Timing): Promise<void> {
    const answer = await this.#readKv(ROUTES_RECORD_NAME, timing);
    const table = answer.answered ? parseRouteTable(answer.value) : undefined;
    if (table) this.#routes.keep(table);
  }

  #readKv(name: string, timing: Timing): Promise<KvAnswer> {
    return timing.span("kv", () => readKv(this.#ports.kv, name));
  }

  async #ask<Answer>(timing: Timing, question: () => Promise<Answer>): Promise<Answer> {
    try {
      return await timing.span("ledger", () => withDeadline(question(), LEDGER_DEADLINE_MS));
    } catch (cause) {
      throw new LedgerUnreachableError("the ledger did not answer", { cause });
    }
  }
}
