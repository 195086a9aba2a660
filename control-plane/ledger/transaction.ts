/** What a command's handler works with: the cell's tables, its one entry, and the consequences that go with it. */
import type { Subject } from "../../core/floor.ts";
import type { Actor, Refusal } from "./command.ts";
import { concernedOrganizations, linkToOrganizations } from "./concerned-organizations.ts";
import { raiseFloor } from "./floors.ts";
import { openReceipt } from "./in-force.ts";
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

  constructor(sql: SqlStorage, nowMs: number, actor: Actor) {
    this.sql = sql;
    this.nowMs = nowMs;
    this.actor = actor;
  }

  /** Writes the command's entry. Whom it concerns follows from subject and payload, unless there is more to be said. */
  append(type: string, subject: string, payload: Record<string, unknown>, concerned?: readonly string[]): number {
    const organizations = concerned ?? concernedOrganizations(this.sql, subject, payload);
    const entry = { actor: this.actor, type, subject, organizations, payload };
    const link = append(this.sql, "entries", this.nowMs, entry);
    linkToOrganizations(this.sql, entry, link);
    return link.seq;
  }

  /**
   * Voids every copy of what concerns the subject from before this entry. `awaitsCells`: it is in force only when all other
   * cells have taken it, too.
   */
  raise(subject: Subject, kind: "revoked" | "superseded", seq: number, awaitsCells = false): void {
    raiseFloor(this.sql, subject, kind, seq);
    openReceipt(this.sql, seq, this.nowMs, awaitsCells);
  }

  /** Has the records of all tokens of a key published again. */
  publishKey(keyId: string, seq: number): void {
    const tokens = this.sql.exec<{ token_id: string }>("SELECT token_id FROM tokens WHERE key_id = ?", keyId).toArray();
    for (const { token_id } of tokens) requestPublication(this.sql, { tokenId: token_id }, seq, this.nowMs);
  }
}
