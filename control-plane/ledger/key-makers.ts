/**
 * Who makes which kind of key, by role. A member who acts through a widget is judged by the role they have in the organization. Whoever calls over
 * the API has no role there: an admin is judged by the roles that their identity provider vouches for, and a platform key by those of every admin in
 * whose hands it may be, so that nobody gets around the rule by way of a key of their own.
 */
import type { ApiKeyPolicy, KeyKind, PolicyField } from "../../core/api-key-policy.ts";
import type { PolicyViolation } from "../../core/policy-judgement.ts";
import { unrevokedKey } from "./api-keys.ts";
import type { AdminRoles, Command, CommandEnvelope, KeyOwner } from "./command.ts";
import { policyOf } from "./key-policies.ts";
import { askedOf, keyRequestRow } from "./key-requests.ts";
import { refuse, type Transaction } from "./transaction.ts";

/** The role of a key's owner in its organization, null for none or where the organization is the owner. */
export function ownerViolations(policy: ApiKeyPolicy, kind: KeyKind, role: string | null): PolicyViolation[] {
  if (kind === "organization") return [];
  return outside(policy, "user_key_owner_roles", role === null ? [] : [role], "Members with this role get no keys of their own");
}

/** A member makes keys of the organization through a widget. Null: of no role, or of no name. */
export function memberViolations(policy: ApiKeyPolicy, role: string | null): PolicyViolation[] {
  const message = "Members with this role make no keys of the organization";
  return outside(policy, "organization_key_creator_roles", role === null ? [] : [role], message);
}

/** Admins who are given a key's secret over the API, or may be: each must have one of the roles. */
export function adminViolations(policy: ApiKeyPolicy, kind: KeyKind, admins: readonly AdminRoles[]): PolicyViolation[] {
  const message = `Admins with these roles, and platform keys that such admins made or rotated, get no secrets of keys of ${kind === "user" ? "users" : "organizations"}`;
  return admins.flatMap((roles) => outside(policy, adminField(kind), roles, message)).slice(0, 1);
}

/** What the policy says of the caller's own role, whoever they are. */
export function callerViolations(transaction: Transaction, policy: ApiKeyPolicy, owner: KeyOwner): PolicyViolation[] {
  const { sql, actor } = transaction;
  const { self_serve } = actor;
  // Through a widget a member makes keys of their own only for themselves, and the owner's role is theirs.
  const byMember =
    self_serve && owner.type === "organization" ? memberViolations(policy, memberRole(sql, owner.id, self_serve.user_id)) : [];
  return self_serve && self_serve.user_id !== null ? byMember : [...byMember, ...secretViolations(transaction, policy, owner.type)];
}

/** What the policy says of giving a key's secret to who calls over the API. */
export function secretViolations({ actor }: Transaction, policy: ApiKeyPolicy, kind: KeyKind): PolicyViolation[] {
  if (policy[adminField(kind)] === null || actor.type === "system") return [];
  // A widget's token without a member's name does not carry the roles of the admin who asked for it.
  if (actor.type === "user") return adminViolations(policy, kind, actor.admins ?? [[]]);
  if (!actor.admins)
    refuse("temporarily_unavailable", "It could not be told who has this platform key. Nothing was changed. Send the request again.");
  return adminViolations(policy, kind, actor.admins);
}

/** The platform key that a command is sent with, if the policy asks who has it; null where it does not. */
export function keyToAskAbout(sql: SqlStorage, { actor, command }: Pick<CommandEnvelope, "actor" | "command">): string | null {
  const owner = actor.type === "api_key" ? secretOf(sql, command) : null;
  if (!owner) return null;
  const policy = policyOf(sql, owner.type === "user" ? owner.organization_id : owner.id);
  return policy[adminField(owner.type)] === null ? null : actor.id;
}

/** A member's role, also while the membership is inactive; null for who is none. */
export function memberRole(sql: SqlStorage, organizationId: string, userId: string | null): string | null {
  const query = "SELECT role FROM memberships WHERE organization_id = ? AND user_id IS ?";
  return sql.exec<{ role: string }>(query, organizationId, userId).toArray()[0]?.role ?? null;
}

/** Whose secret a command gives to its sender, or prepares to give; null for none. */
function secretOf(sql: SqlStorage, command: Command): KeyOwner | null {
  if (command.type === "create_api_key" || command.type === "create_api_key_request") return command.owner;
  if (command.type === "issue_api_key_request") {
    const request = keyRequestRow(sql, command.id);
    return request ? askedOf(request).owner : null;
  }
  const key = command.type === "rotate_api_key" ? unrevokedKey(sql, command.id) : undefined;
  return key ? ownerOf(key) : null;
}

function ownerOf({ user_id, organization_id }: { readonly user_id: string | null; readonly organization_id: string }): KeyOwner {
  return user_id === null ? { type: "organization", id: organization_id } : { type: "user", id: user_id, organization_id };
}

/** The field that lists the roles of admins. */
export function adminField(kind: KeyKind) {
  return `${kind}_key_admin_roles` as const;
}

type RoleField = Extract<PolicyField, `${string}_roles`>;

function outside(policy: ApiKeyPolicy, field: RoleField, held: readonly string[], message: string): PolicyViolation[] {
  const roles = policy[field];
  if (roles === null || held.some((role) => roles.includes(role))) return [];
  return [{ field, limit: [...roles], message: `${message}; those who do: ${roles.join(", ") || "nobody"}.`, at: "owner" }];
}
