/** The floors of a cell: raised in the transaction of the entry that takes something away, never lowered. */
import type { Floor, FloorView, Subject } from "../../core/floor.ts";
import { latestSeq } from "./journal.ts";

/** Whatever concerns the subject and is stamped below `seq` is void: dead (`revoked`) or to be fetched again (`superseded`). */
export function raiseFloor(sql: SqlStorage, subject: Subject, kind: "revoked" | "superseded", seq: number): void {
  const column = kind === "revoked" ? "revoked_below" : "superseded_below";
  sql.exec(
    `INSERT INTO floors (subject, ${column}) VALUES (?, ?) ON CONFLICT (subject) DO UPDATE SET ${column} = max(${column}, excluded.${column})`,
    subject,
    seq,
  );
}

/** A complete view of the floors of the given subjects as they are in this event. */
export function viewFloors(sql: SqlStorage, subjects: readonly Subject[]): FloorView {
  const rows = sql
    .exec<{ subject: string; revoked_below: number; superseded_below: number }>(
      `SELECT * FROM floors WHERE subject IN (${subjects.map(() => "?").join(", ")})`,
      ...subjects,
    )
    .toArray();
  const floors = rows.map((row): Floor => ({
    subject: row.subject as Subject,
    revokedBelow: row.revoked_below,
    supersededBelow: row.superseded_below,
  }));
  return { seq: latestSeq(sql), completeFrom: 0, floors };
}

/** The view of a cell that has nothing to say: it vouches for no record. */
export function viewOfNothing(sql: SqlStorage): FloorView {
  const seq = latestSeq(sql);
  return { seq, completeFrom: seq + 1, floors: [] };
}
