/**
 * Records and routes as they may be decided by: from memory or KV if the ledger's floors allow it, else from the ledger.
 *
 * Invariant: whatever is returned was vouched for by a ledger read that began after the request arrived.
 */
import { standingOf, type FloorView } from "../core/floor.ts";
import type { Observation } from "../core/ledger-reader.ts";
import { compileRoutes, type CompiledRoutes } from "../core/match.ts";
import { parseRecord, recordName, subjectsOf, type KeyRecord } from "../core/record.ts";
import { parseRouteTable, ROUTES_RECORD_NAME } from "../core/route.ts";
import type { ParsedToken } from "../core/token.ts";
import { withDeadline } from "./deadline.ts";
import { KeyMemory } from "./key-memory.ts";
import type { GatewayPorts } from "./ports.ts";
import type { Timing } from "./timing.ts";

/** The ledger could not be asked: fail closed. */
export class LedgerUnreachableError extends Error {
  override readonly name = "LedgerUnreachableError";
}

const LEDGER_DEADLINE_MS = 5_000;
/** KV is only a shortcut: past this the ledger is asked instead. */
const KV_DEADLINE_MS = 1_000;

/** A record found before anyone vouched for it. `kvStamp`: what KV showed, null for a miss, undefined if it was not asked. */
interface Copy {
  readonly record: KeyRecord | undefined;
  readonly kvStamp: number | null | undefined;
}

export class LedgerSource {
  readonly #ports: GatewayPorts;
  readonly #memory = new KeyMemory();
  #routes: CompiledRoutes | undefined;

  constructor(ports: GatewayPorts) {
    this.#ports = ports;
  }

  /** Asks the ledger and fetches the token's copy, in parallel. */
  async observe(token: ParsedToken | null, timing: Timing): Promise<{ readonly observation: Observation; readonly copy: Copy }> {
    const known = token !== null && !this.#memory.isUnknown(token.tokenId, this.#ports.now()) ? token : null;
    const [observation, copy] = await Promise.all([
      this.#ask(timing, () => this.#ports.ledger.observe({ token: known })),
      known ? this.#copyOf(known.tokenId, timing) : { record: undefined, kvStamp: undefined },
    ]);
    return { observation, copy };
  }

  /** The route table in force. */
  async routes(view: FloorView, timing: Timing): Promise<CompiledRoutes> {
    const held = this.#routes ?? this.#keepRoutes(parseRouteTable(await this.#readKv(ROUTES_RECORD_NAME, timing)));
    if (held && standingOf({ stamp: held.stamp, subjects: ["routes"] }, view) === "current") return held;
    const table = await this.#ask(timing, () => this.#ports.ledger.resolveRoutes());
    this.#keepRoutes(table);
    return compileRoutes(table);
  }

  /** The record to decide by, or undefined for a token nobody issued. */
  async record(token: ParsedToken, view: FloorView | null, copy: Copy, timing: Timing): Promise<KeyRecord | undefined> {
    if (view === null) return undefined;
    if (copy.record) {
      const subjects = copy.record.state === "active" ? subjectsOf(copy.record) : [];
      const standing = standingOf({ stamp: copy.record.stamp, subjects }, view);
      if (standing === "current") return copy.record;
      if (standing === "revoked") return { v: 1, state: "revoked", stamp: view.seq, token_id: token.tokenId };
    }
    return this.#resolve(token, copy.kvStamp, timing);
  }

  async #resolve(token: ParsedToken, seenStamp: number | null | undefined, timing: Timing): Promise<KeyRecord | undefined> {
    const question = { cell: token.cell, tokenId: token.tokenId, ...(seenStamp === undefined ? {} : { seenStamp }) };
    const resolution = await this.#ask(timing, () => this.#ports.ledger.resolve(question));
    if (!resolution.found) {
      this.#memory.keepUnknown(token.tokenId, this.#ports.now());
      return undefined;
    }
    this.#memory.keep(resolution.record);
    return resolution.record;
  }

  async #copyOf(tokenId: string, timing: Timing): Promise<Copy> {
    const remembered = this.#memory.record(tokenId);
    if (remembered) return { record: remembered, kvStamp: undefined };
    const record = parseRecord(await this.#readKv(recordName(tokenId), timing), tokenId);
    if (record) this.#memory.keep(record);
    return { record, kvStamp: record?.stamp ?? null };
  }

  #keepRoutes(table: ReturnType<typeof parseRouteTable>): CompiledRoutes | undefined {
    if (table && (!this.#routes || this.#routes.stamp < table.stamp)) this.#routes = compileRoutes(table);
    return this.#routes;
  }

  /** A KV value; a failing or silent KV is a miss. */
  async #readKv(name: string, timing: Timing): Promise<unknown> {
    try {
      return await timing.span("kv", () => withDeadline(this.#ports.readKv(name), KV_DEADLINE_MS));
    } catch {
      return null;
    }
  }

  async #ask<Answer>(timing: Timing, question: () => Promise<Answer>): Promise<Answer> {
    try {
      return await timing.span("ledger", () => withDeadline(question(), LEDGER_DEADLINE_MS));
    } catch (cause) {
      throw new LedgerUnreachableError("the ledger did not answer", { cause });
    }
  }
}
