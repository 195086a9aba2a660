/** Commands on memberships. */
import { PLATFORM_ORGANIZATION_ID, quoteId } from "../../core/identifier.ts";
import type { Command } from "./command.ts";
import { endOneMembership } from "./ending-memberships.ts";
import { noteRelease } from "./key-schedule.ts";
import { applicableRole } from "./organization-roles.ts";
import { membershipRow, membershipView, organizationView, type MembershipRow } from "./tenancy.ts";
import { refuse, type Transaction } from "./transaction.ts";
import { isEndedUser } from "./user-endings.ts";

type Of<Type extends Command["type"]> = Extract<Command, { type: Type }>;

/** Makes a user a member of an organization with a role of the catalogue or of the organization. */
export function createMembership(transaction: Transaction, command: Of<"create_membership">): Record<string, unknown> {
  const { sql, nowMs } = transaction;
  const { id, organization_id, user_id, user_email, role } = command;
  if (organization_id === PLATFORM_ORGANIZATION_ID || !organizationView(sql, organization_id))
    refuse("entity_not_found", `Organization not found: ${quoteId(organization_id)}.`, "organization_id");
  if (isEndedUser(sql, user_id)) refuse("entity_not_found", `User not found: ${quoteId(user_id)}.`, "user_id");
  requireRole(transaction, organization_id, role);
  const twice = sql.exec("SELECT 1 FROM memberships WHERE organization_id = ? AND user_id = ?", organization_id, user_id).toArray();
  if (twice.length > 0) refuse("already_exists", "The user is a member of this organization already.", "user_id");
  transaction.append("organization_membership.created", id, { id, organization_id, user_id, role });
  sql.exec(
    `INSERT INTO memberships (id, organization_id, user_id, user_email, role, created_at_ms, updated_at_ms) VALUES (?, ?, ?, ?, ?, ?, ?)`,
    id,
    organization_id,
    user_id,
    user_email,
    role,
    nowMs,
    nowMs,
  );
  return { ...membershipView(sql, id) };
}

/** Gives a member another role; the user's keys can do what the new role allows from this entry on. */
export function changeMembershipRole(transaction: Transaction, command: Of<"change_membership_role">): Record<string, unknown> {
  const { sql, nowMs } = transaction;
  const { id, role } = command;
  const { organization_id, user_id, role: previous_role } = standingMembership(transaction, id);
  requireRole(transaction, organization_id, role);
  const seq = transaction.append("organization_membership.updated", id, { id, organization_id, user_id, role, previous_role });
  sql.exec("UPDATE memberships SET role = ?, updated_at_ms = ? WHERE id = ?", role, nowMs, id);
  transaction.raise(`user:${user_id}@${organization_id}`, "superseded", seq);
  return { ...membershipView(sql, id) };
}

/** Keeps the user's keys in the organization from working; they stay as they are. */
export function deactivateMembership(transaction: Transaction, { id }: Of<"deactivate_membership">): Record<string, unknown> {
  return setStatus(transaction, standingMembership(transaction, id), "inactive");
}

/** Lets the user's keys in the organization work again, with what the role allows now. */
export function reactivateMembership(transaction: Transaction, { id }: Of<"reactivate_membership">): Record<string, unknown> {
  const membership = standingMembership(transaction, id);
  requireRole(transaction, membership.organization_id, membership.role);
  return setStatus(transaction, membership, "active");
}

/** Ends a membership and with it, in the same entry, every key the user owns in that organization. */
export function endMembership(transaction: Transaction, { id }: Of<"end_membership">): Record<string, unknown> {
  const membership = standingMembership(transaction, id);
  const { subject, seq } = endOneMembership(transaction, membership);
  transaction.raise(subject, "revoked", seq);
  return { id };
}

/** The entry is written even if nothing changes: when the call returns, it is in force. */
function setStatus(transaction: Transaction, membership: MembershipRow, status: "active" | "inactive"): Record<string, unknown> {
  const { sql, nowMs } = transaction;
  const { id, organization_id, user_id, status: previous_status } = membership;
  const seq = transaction.append("organization_membership.updated", id, { id, organization_id, user_id, status, previous_status });
  sql.exec("UPDATE memberships SET status = ?, updated_at_ms = ? WHERE id = ?", status, nowMs, id);
  if (status === "active" && previous_status !== "active") noteRelease(transaction, id);
  transaction.raise(`user:${user_id}@${organization_id}`, "superseded", seq);
  return { ...membershipView(sql, id) };
}

function standingMembership({ sql }: Transaction, id: string): MembershipRow {
  return membershipRow(sql, id) ?? refuse("entity_not_found", `Organization membership not found: ${quoteId(id)}.`);
}

function requireRole({ sql }: Transaction, organizationId: string, slug: string): void {
  if (!applicableRole(sql, organizationId, slug)) refuse("entity_not_found", `Role not found: ${quoteId(slug)}.`, "role_slug");
}
