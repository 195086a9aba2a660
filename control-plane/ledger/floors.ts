/** The floors of a cell: raised in the transaction of the entry that takes something away, never lowered. */
import type { Floor, FloorView, Subject } from "../../core/floor.ts";
import { FLOORS_KEPT_MAX } from "../../core/protocol/floor-window.ts";
import { latestSeq } from "./journal.ts";

interface FloorRow extends Record<string, SqlStorageValue> {
  subject: string;
  revoked_below: number;
  superseded_below: number;
  raised_seq: number;
}

/** Whatever concerns the subject and is stamped below `seq` is void: dead (`revoked`) or to be fetched again (`superseded`). */
export function raiseFloor(sql: SqlStorage, subject: Subject, kind: "revoked" | "superseded", seq: number): void {
  const column = kind === "revoked" ? "revoked_below" : "superseded_below";
  sql.exec(
    `INSERT INTO floors (subject, ${column}, raised_seq) VALUES (?, ?, ?)
     ON CONFLICT (subject) DO UPDATE SET ${column} = max(${column}, excluded.${column}), raised_seq = max(raised_seq, excluded.raised_seq)`,
    subject,
    seq,
    seq,
  );
}

/** The floors raised after an entry, or as many of the latest as are told at once; complete for records from its `completeFrom` on. */
export function floorsSince(sql: SqlStorage, since: number | null): FloorView {
  const rows = sql
    .exec<FloorRow>(
      "SELECT subject, revoked_below, superseded_below, raised_seq FROM floors WHERE raised_seq > ? ORDER BY raised_seq DESC LIMIT ?",
      since ?? 0,
      FLOORS_KEPT_MAX + 1,
    )
    .toArray();
  const told = rows.slice(0, FLOORS_KEPT_MAX).toReversed();
  const firstUntold = rows[FLOORS_KEPT_MAX]?.raised_seq;
  return { seq: latestSeq(sql), completeFrom: Math.max(since ?? 0, firstUntold ?? 0), floors: told.map(toFloor) };
}

function toFloor(row: FloorRow): Floor {
  return { subject: row.subject as Subject, revokedBelow: row.revoked_below, supersededBelow: row.superseded_below };
}
