/**
 * How the end of a user reaches the other cells. The home cell keeps every user that has ended, in the order of its entries, and for
 * each other cell how far it is known to have followed. A cell takes users whole and only once, so messages may be lost, repeated
 * or overtake each other. It remembers them for good: a membership that was on its way while its user ended is refused.
 *
 * Every cell is told of every ended user. Which cells a user's memberships are in is known to those cells alone, each by an index,
 * and asking all of them is bounded by their number, not by what they hold.
 *
 * Invariant: when the command that ends a user has answered, every cell has raised the floors of the user's memberships. What could
 * not be delivered stays noted here, and the alarm tries again.
 */
import type { Actor } from "./command.ts";
import { endMembershipsOf } from "./ending-memberships.ts";
import { latestSeq } from "./journal.ts";
import { Transaction } from "./transaction.ts";

/** A user that has ended, as one cell tells another: by which entry of the home cell, by whom, and why. */
export interface EndedUser {
  readonly id: string;
  readonly home_seq: number;
  readonly actor: Actor;
  readonly reason: string | null;
}

/** Ended users that are told at once. */
const USERS_AT_ONCE = 100;

/** Notes in this cell that a user has ended, by that entry of the home cell. */
export function noteEndedUser(sql: SqlStorage, id: string, homeSeq: number): void {
  sql.exec("INSERT INTO ended_users VALUES (?, ?)", id, homeSeq);
}

/** Whether a user has ended, as far as this cell knows. */
export function isEndedUser(sql: SqlStorage, id: string): boolean {
  return sql.exec("SELECT 1 FROM ended_users WHERE id = ?", id).toArray().length > 0;
}

/** Ends what the users have in this cell; users it knows to have ended change nothing. Answers the entries that raised floors, one for each user. */
export function takeEndedUsers(sql: SqlStorage, users: readonly EndedUser[], nowMs: number): number[] {
  return users
    .filter((user) => !isEndedUser(sql, user.id))
    .flatMap(({ id, home_seq, actor, reason }) => {
      const transaction = new Transaction(sql, nowMs, actor, reason ?? undefined);
      noteEndedUser(sql, id, home_seq);
      const voided = endMembershipsOf(transaction, id);
      const seq = latestSeq(sql);
      for (const subject of voided) transaction.raise(subject, "revoked", seq);
      return voided.length > 0 ? [seq] : [];
    });
}

/** The next users that a cell is to be told of, oldest first. Only the home cell asks. */
export function undeliveredUsers(sql: SqlStorage, cell: number): EndedUser[] {
  return sql
    .exec<{ id: string; home_seq: number; actor_type: string; actor_id: string; payload: string }>(
      `SELECT u.id, u.home_seq, e.actor_type, e.actor_id, e.payload FROM ended_users u JOIN entries e ON e.seq = u.home_seq
       WHERE u.home_seq > ? ORDER BY u.home_seq LIMIT ?`,
      deliveredTo(sql, cell),
      USERS_AT_ONCE,
    )
    .toArray()
    .map(({ id, home_seq, actor_type, actor_id, payload }) => ({
      id,
      home_seq,
      actor: { type: actor_type, id: actor_id } as Actor,
      reason: (JSON.parse(payload) as { reason?: string }).reason ?? null,
    }));
}

/** The cells that have not confirmed every user ended so far. */
export function cellsUntold(sql: SqlStorage, cells: number, home: number): number[] {
  const latest = latestEndedUserSeq(sql);
  return Array.from({ length: cells }, (_, cell) => cell).filter((cell) => cell !== home && deliveredTo(sql, cell) < latest);
}

/** The home cell's entry by which a user last ended; 0 for none. */
export function latestEndedUserSeq(sql: SqlStorage): number {
  return sql.exec<{ seq: number }>("SELECT ifnull(max(home_seq), 0) AS seq FROM ended_users").one().seq;
}

/** Notes that a cell has ended all users up to an entry. */
export function confirmUserEndings(sql: SqlStorage, cell: number, homeSeq: number): void {
  sql.exec(
    "INSERT INTO user_ending_deliveries VALUES (?, ?) ON CONFLICT (cell) DO UPDATE SET home_seq = max(home_seq, excluded.home_seq)",
    cell,
    homeSeq,
  );
}

function deliveredTo(sql: SqlStorage, cell: number): number {
  return sql.exec<{ home_seq: number }>("SELECT home_seq FROM user_ending_deliveries WHERE cell = ?", cell).toArray()[0]?.home_seq ?? 0;
}
