/**
 * Stamps and floors. A record carries the ledger `seq` at which it was true (its stamp). An entry that takes something
 * away raises a floor on a subject: whatever concerns the subject and is stamped below the floor is void. So a stale
 * copy, however it was kept, can never grant what has been taken away.
 */

/** What a floor is set on: `key:<api_key id>`, `org:<id>`, `user:<id>@<org id>`, `role:<slug>`, `catalogue`, `routes`. */
export type Subject = `key:${string}` | `org:${string}` | `user:${string}@${string}` | `role:${string}` | "catalogue" | "routes";

/** Both floors of a subject as ledger sequence numbers; 0 where none was ever set. */
export interface Floor {
  readonly subject: Subject;
  /** Records stamped below are dead. */
  readonly revokedBelow: number;
  /** Records stamped below must be fetched afresh before deciding. */
  readonly supersededBelow: number;
}

/** What one cell's ledger said when asked. */
export interface FloorView {
  /** The cell's latest entry when it answered. */
  readonly seq: number;
  /** The view vouches only for records stamped at or above this seq: floors set before it may be missing. */
  readonly completeFrom: number;
  readonly floors: readonly Floor[];
}

/** What a view says of a record: `current` may be used, `superseded` must be resolved, `revoked` is dead. */
export type Standing = "current" | "superseded" | "revoked";

/** Judges a record by its stamp and subjects. A record the view cannot vouch for is superseded, never current. */
export function standingOf(record: { readonly stamp: number; readonly subjects: readonly Subject[] }, view: FloorView): Standing {
  let standing: Standing = record.stamp < view.completeFrom ? "superseded" : "current";
  for (const floor of view.floors) {
    if (!record.subjects.includes(floor.subject)) continue;
    if (record.stamp < floor.revokedBelow) return "revoked";
    if (record.stamp < floor.supersededBelow) standing = "superseded";
  }
  return standing;
}
