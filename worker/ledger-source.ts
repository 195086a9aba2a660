/**
 * Records and routes as they may be decided by: from memory or KV if the ledger's floors allow it, else from the ledger.
 *
 * Invariants. Whatever is returned was vouched for by a ledger read that began after the request arrived; isolate memory
 * keeps only what was, and a copy from KV only once it has been judged. It holds values, never promises: a promise belongs to the request that made it and may hang when that request ends.
 */
import { standingOf, type FloorView } from "../core/floor.ts";
import type { CompiledRoutes } from "../core/match.ts";
import { parseRecord, recordName, subjectsOf, type KeyRecord } from "../core/record.ts";
import { parseRouteTable, ROUTES_RECORD_NAME, type RouteTable } from "../core/route.ts";
import type { ParsedToken, TagKeys } from "../core/token.ts";
import { withDeadline } from "../platform/deadline.ts";
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
  /** Asked for on a cold start only. */
  readonly publishedRoutes: RouteTable | undefined;
}

const NO_COPY: Copy = { record: undefined, seenStamp: undefined };

export class LedgerSource {
  readonly #ports: GatewayPorts;
  readonly #tagKeys: TagKeys;
  readonly #keys = new KeyMemory();
  readonly #routes = new RouteMemory();

  /** `tagKeys` also verify what KV holds. */
  constructor(ports: GatewayPorts, tagKeys: TagKeys) {
    this.#ports = ports;
    this.#tagKeys = tagKeys;
  }

  /** Asks the ledger once and looks for copies, all in parallel. */
  async observe(token: ParsedToken | null, timing: Timing): Promise<Sighting> {
    const asked = token !== null && !this.#keys.isUnknown(token.tokenId, this.#ports.now()) ? token : null;
    const question = { token: asked && { cell: asked.cell, tokenId: asked.tokenId } };
    const [views, copy, publishedRoutes] = await Promise.all([
      this.#ask(timing, () => this.#ports.ledger.observe(question)),
      asked ? this.#copyOf(asked.tokenId, timing) : NO_COPY,
      this.#routes.table ? undefined : this.#publishedRoutes(timing),
    ]);
    return { token: views.token, routes: views.routes, copy, publishedRoutes };
  }

  /** The route table in force. */
  async routes({ routes: view, publishedRoutes }: Sighting, timing: Timing): Promise<CompiledRoutes> {
    const isCurrent = ({ stamp }: { readonly stamp: number }) => standingOf({ stamp, subjects: ["routes"] }, view) === "current";
    const held = this.#routes.table;
    if (held && isCurrent(held)) return held;
    if (publishedRoutes && isCurrent(publishedRoutes)) return this.#routes.keep(publishedRoutes);
    return this.#routes.keep(await this.#ask(timing, () => this.#ports.ledger.resolveRoutes()));
  }

  /** The record to decide by, or undefined for a token that nobody issued. */
  async record(token: ParsedToken, { token: view, copy }: Sighting, timing: Timing): Promise<KeyRecord | undefined> {
    if (view === null) return undefined;
    if (copy.record) {
      const subjects = copy.record.state === "active" ? subjectsOf(copy.record) : [];
      const standing = standingOf({ stamp: copy.record.stamp, subjects }, view);
      if (standing === "current") return this.#keys.keep(copy.record);
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
    return { record, seenStamp: record?.stamp ?? null };
  }

  /** Only on a cold start: later the ledger says when the table in memory is out of date, and gives the new one. */
  async #publishedRoutes(timing: Timing): Promise<RouteTable | undefined> {
    const answer = await this.#readKv(ROUTES_RECORD_NAME, timing);
    return answer.answered ? parseRouteTable(answer.value) : undefined;
  }

  #readKv(name: string, timing: Timing): Promise<KvAnswer> {
    return timing.span("kv", () => readKv(this.#ports, name, this.#tagKeys));
  }

  async #ask<Answer>(timing: Timing, question: () => Promise<Answer>): Promise<Answer> {
    try {
      return await timing.span("ledger", () => withDeadline(question(), LEDGER_DEADLINE_MS));
    } catch (cause) {
      throw new LedgerUnreachableError("the ledger did not answer", { cause });
    }
  }
}
