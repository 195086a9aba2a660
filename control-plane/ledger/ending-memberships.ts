/** How memberships end, one by one or all of a user's: with every key that the user owns there. */
import type { Subject } from "../../core/floor.ts";
import { membershipRowsOfUser, type MembershipRow } from "./tenancy.ts";
import type { Transaction } from "./transaction.ts";

/** What the end of a membership voids, and the entry that says so. */
interface EndedMembership {
  readonly subject: Subject;
  readonly seq: number;
}

/** Ends a membership in one entry; the floor is the caller's to raise. */
export function endOneMembership(transaction: Transaction, membership: MembershipRow): EndedMembership {
  const { sql, nowMs } = transaction;
  const { id, organization_id, user_id } = membership;
  const keys = sql
    .exec<{ id: string }>(
      "SELECT id FROM api_keys WHERE owner_type = 'user' AND user_id = ? AND organization_id = ? AND revoked_seq IS NULL",
      user_id,
      organization_id,
    )
    .toArray();
  const seq = transaction.append("organization_membership.deleted", id, { id, organization_id, user_id, revoked_api_keys: keys.length });
  sql.exec("DELETE FROM memberships WHERE id = ?", id);
  sql.exec(
    "UPDATE api_keys SET revoked_seq = ?, updated_at_ms = ? WHERE owner_type = 'user' AND user_id = ? AND organization_id = ? AND revoked_seq IS NULL",
    seq,
    nowMs,
    user_id,
    organization_id,
  );
  for (const key of keys) transaction.publishKey(key.id, seq);
  return { subject: `user:${user_id}@${organization_id}`, seq };
}

/** Ends all memberships that a user has in this cell, one entry for each organization; the floors are the caller's to raise. */
export function endMembershipsOf(transaction: Transaction, userId: string): Subject[] {
  return membershipRowsOfUser(transaction.sql, userId).map((membership) => endOneMembership(transaction, membership).subject);
}
