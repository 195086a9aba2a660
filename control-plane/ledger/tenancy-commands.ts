/** Commands on organizations, users and memberships. */
import { PLATFORM_ORGANIZATION_ID, quoteId } from "../../core/identifier.ts";
import type { Command } from "./command.ts";
import { membershipRow, membershipView, organizationView, userView } from "./tenancy.ts";
import { refuse, type Transaction } from "./transaction.ts";

type Of<Type extends Command["type"]> = Extract<Command, { type: Type }>;

/** Creates an organization in the cell its id hashes to. */
export function createOrganization(transaction: Transaction, command: Of<"create_organization">): Record<string, unknown> {
  const { sql, nowMs } = transaction;
  if (organizationView(sql, command.id)) refuse("already_exists", `Organization ${command.id} exists already.`, "id");
  transaction.append("organization.created", command.id, { id: command.id, name: command.name, external_id: command.external_id });
  sql.exec("INSERT INTO organizations VALUES (?, ?, ?, ?, ?)", command.id, command.name, command.external_id, nowMs, nowMs);
  return { ...organizationView(sql, command.id) };
}

/** Creates a user in the home cell; e-mail addresses are unique without regard to case. */
export function createUser(transaction: Transaction, command: Of<"create_user">): Record<string, unknown> {
  const { sql, nowMs } = transaction;
  const email = command.email.toLowerCase();
  if (sql.exec("SELECT 1 FROM users WHERE email = ?", email).toArray().length > 0)
    refuse("already_exists", "A user with this e-mail address exists already.", "email");
  transaction.append("user.created", command.id, {
    id: command.id,
    email,
    first_name: command.first_name,
    last_name: command.last_name,
    external_id: command.external_id,
  });
  sql.exec(
    "INSERT INTO users VALUES (?, ?, ?, ?, ?, ?, ?)",
    command.id,
    email,
    command.first_name,
    command.last_name,
    command.external_id,
    nowMs,
    nowMs,
  );
  return { ...userView(sql, command.id) };
}

/** Makes a user a member of an organization with a role of the catalogue. */
export function createMembership(transaction: Transaction, command: Of<"create_membership">): Record<string, unknown> {
  const { sql, nowMs } = transaction;
  if (command.organization_id === PLATFORM_ORGANIZATION_ID || !organizationView(sql, command.organization_id))
    refuse("entity_not_found", `Organization not found: ${quoteId(command.organization_id)}.`, "organization_id");
  requireRole(transaction, command.role);
  const twice = sql
    .exec("SELECT 1 FROM memberships WHERE organization_id = ? AND user_id = ?", command.organization_id, command.user_id)
    .toArray();
  if (twice.length > 0) refuse("already_exists", "The user is a member of this organization already.", "user_id");
  const { id, organization_id, user_id, user_email, role } = command;
  transaction.append("organization_membership.created", id, { id, organization_id, user_id, role });
  sql.exec("INSERT INTO memberships VALUES (?, ?, ?, ?, ?, ?, ?)", id, organization_id, user_id, user_email, role, nowMs, nowMs);
  return { ...membershipView(sql, id) };
}

/** Gives a member another role; the user's keys can do what the new role allows from this entry on. */
export function changeMembershipRole(transaction: Transaction, command: Of<"change_membership_role">): Record<string, unknown> {
  const { sql, nowMs } = transaction;
  const membership =
    membershipRow(sql, command.id) ?? refuse("entity_not_found", `Organization membership not found: ${quoteId(command.id)}.`);
  requireRole(transaction, command.role);
  const { organization_id, user_id, role: previous_role } = membership;
  const seq = transaction.append("organization_membership.updated", command.id, {
    id: command.id,
    organization_id,
    user_id,
    role: command.role,
    previous_role,
  });
  sql.exec("UPDATE memberships SET role = ?, updated_at_ms = ? WHERE id = ?", command.role, nowMs, command.id);
  transaction.raise(`user:${user_id}@${organization_id}`, "superseded", seq);
  return { ...membershipView(sql, command.id) };
}

/** Ends a membership and with it, in the same entry, every key the user owns in that organization. */
export function endMembership(transaction: Transaction, command: Of<"end_membership">): Record<string, unknown> {
  const { sql, nowMs } = transaction;
  const membership =
    membershipRow(sql, command.id) ?? refuse("entity_not_found", `Organization membership not found: ${quoteId(command.id)}.`);
  const { organization_id, user_id } = membership;
  const live = sql
    .exec<{ id: string }>(
      "SELECT id FROM api_keys WHERE owner_type = 'user' AND user_id = ? AND organization_id = ? AND revoked_seq IS NULL",
      user_id,
      organization_id,
    )
    .toArray();
  const seq = transaction.append("organization_membership.deleted", command.id, {
    id: command.id,
    organization_id,
    user_id,
    revoked_api_keys: live.length,
  });
  transaction.raise(`user:${user_id}@${organization_id}`, "revoked", seq);
  sql.exec("DELETE FROM memberships WHERE id = ?", command.id);
  sql.exec(
    "UPDATE api_keys SET revoked_seq = ?, updated_at_ms = ? WHERE owner_type = 'user' AND user_id = ? AND organization_id = ? AND revoked_seq IS NULL",
    seq,
    nowMs,
    user_id,
    organization_id,
  );
  for (const key of live) transaction.publishKey(key.id, seq);
  return { id: command.id };
}

function requireRole(transaction: Transaction, slug: string): void {
  if (transaction.sql.exec("SELECT 1 FROM roles WHERE slug = ?", slug).toArray().length === 0)
    refuse("entity_not_found", `Role not found: ${quoteId(slug)}.`, "role_slug");
}
