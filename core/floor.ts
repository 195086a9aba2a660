/**
 * Stamps and floors. A record carries the ledger `seq` at which it was true (its stamp). An entry that takes something
 * away raises a floor on a subject: whatever concerns the subject and is stamped below the floor is void. So a stale
 * copy, however it was kept, can never grant what has been taken away.
 */

/**
 * What a floor is set on: `key:<api_key id>`, `token:<token id>` (one of a key's secrets), `org:<id>`, `user:<id>@<org id>`,
 * `role:<slug>`, `catalogue`, `routes`.
 */
export type Subject =
  | `key:${string}`
  | `token:${string}`
  | `org:${string}`
  | `user:${string}@${string}`
  | `role:${string}`
  | "catalogue"
  | "routes";

/** Both floors of a subject as ledger sequence numbers; 0 where none was ever set. */
export interface Floor {
  readonly subject: Subject;
  /** Records stamped below are dead. */
  readonly revokedBelow: number;
  /** Records stamped below must be fetched afresh before deciding. */
  readonly supersededBelow: number;
}

/** What is known of one cell's floors up to an entry. */
export interface FloorView {
  /** The latest entry it covers. */
  readonly seq: number;
  /** It vouches only for records that were true at or after this entry: floors raised up to it may be missing. */
  readonly completeFrom: number;
  readonly floors: readonly Floor[];
}

/** What floors say of a record: `current` may be used, `superseded` must be fetched afresh, `revoked` is dead. */
export type Standing = "current" | "superseded" | "revoked";
