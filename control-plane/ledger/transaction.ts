/** What a command's handler works with: the cell's tables, its one entry, and the consequences that go with it. */
import type { Subject } from "../../core/floor.ts";
import type { Actor, Refusal } from "./command.ts";
import { concernedOrganizations, linkToOrganizations } from "./concerned-organizations.ts";
import type { EntryType } from "./event-catalogue.ts";
import { noteEvent } from "./events.ts";
import { raiseFloor } from "./floors.ts";
import { openReceipt, type Awaited } from "./in-force.ts";
import { append } from "./journal.ts";
import { requestPublication } from "./publications.ts";

/** Rolls the transaction back and becomes the command's outcome. */
export class RefusalError extends Error {
  readonly refusal: Refusal;
  constructor(refusal: Refusal) {
    super(refusal.message);
    this.refusal = refusal;
  }
}

/** Ends the command with a refusal. */
export function refuse(code: Refusal["code"], message: string, field?: string): never {
  throw new RefusalError(field === undefined ? { code, message } : { code, message, field });
}

/** One command's transaction. */
export class Transaction {
  readonly sql: SqlStorage;
  readonly nowMs: number;
  readonly actor: Actor;
  /** Why it is done, in the caller's words. */
  readonly reason: string | undefined;

  constructor(sql: SqlStorage, nowMs: number, actor: Actor, reason?: string) {
    this.sql = sql;
    this.nowMs = nowMs;
    this.actor = actor;
    this.reason = reason;
  }

  /**
   * Writes the command's entry, with the reason where one was given, and notes its event. Before any state is changed: the event tells
   * what was there before. Whom it concerns follows from subject and payload, unless there is more to be said.
   */
  append(type: EntryType, subject: string, payload: Record<string, unknown>, concerned?: readonly string[]): number {
    const reasoned = this.reason === undefined ? payload : { ...payload, reason: this.reason };
    const organizations = concerned ?? concernedOrganizations(this.sql, subject, payload);
    const entry = { actor: this.actor, type, subject, organizations, payload: reasoned };
    const link = append(this.sql, "entries", this.nowMs, entry);
    linkToOrganizations(this.sql, entry, link);
    noteEvent(this.sql, link.seq, type, subject, payload);
    return link.seq;
  }

  /**
   * Voids every copy of what concerns the subject from before this entry, a command's last one. `awaited`: it is in force only when
   * all other cells have taken that, too.
   */
  raise(subject: Subject, kind: "revoked" | "superseded", seq: number, awaited: Awaited = "nothing"): void {
    raiseFloor(this.sql, subject, kind, seq);
    openReceipt(this.sql, seq, this.nowMs, awaited);
  }

  /** The entry is in force only when all other cells have taken it, whether it raises floors here or not. */
  awaitCells(awaited: Awaited, seq: number): void {
    openReceipt(this.sql, seq, this.nowMs, awaited);
  }

  /** Has the records of all tokens of a key published again; a token that was ended by itself has its tombstone already. */
  publishKey(keyId: string, seq: number): void {
    const tokens = this.sql
      .exec<{ token_id: string }>("SELECT token_id FROM tokens WHERE key_id = ? AND revoked_seq IS NULL", keyId)
      .toArray();
    for (const { token_id } of tokens) this.publishToken(token_id, seq);
  }

  /** Has the record of one token published again. */
  publishToken(tokenId: string, seq: number): void {
    requestPublication(this.sql, { tokenId }, seq, this.nowMs);
  }
}
