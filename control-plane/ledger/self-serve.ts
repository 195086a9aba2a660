/**
 * Rules for who acts through a widget. They are judged in the transaction that makes the change, by the role the member has at that
 * moment, and whatever is not allowed here is refused: a token that was right when it was made is no excuse.
 */
import { quoteId } from "../../core/identifier.ts";
import { coversAny, notCovered } from "../../core/permission.ts";
import { endsLater } from "../../core/policy-judgement.ts";
import { opens, opensEverybodys, SERVED_SCOPES } from "../../core/widget.ts";
import { unrevokedKey, type ApiKeyRow } from "./api-keys.ts";
import { catalogueOf } from "./catalogue.ts";
import type { Command, KeyOwner, SelfServe } from "./command.ts";
import { imposedEnd } from "./imposed-ends.ts";
import { applicableRole } from "./organization-roles.ts";
import { organizationView } from "./tenancy.ts";
import type { PermissionView } from "./view.ts";
import { refuse, type Transaction } from "./transaction.ts";

/**
 * What an active member's role allows; everything for nobody in particular (a token that names no member). Null for who is no such
 * member, and in an organization that is suspended or has ended.
 */
export function memberPermissions(sql: SqlStorage, organizationId: string, userId: string | null): readonly string[] | null {
  if (userId === null) return organizationView(sql, organizationId)?.suspended_at === null ? ["*"] : null;
  const [member] = sql
    .exec<{ role: string }>(
      `SELECT m.role FROM memberships m JOIN organizations o ON o.id = m.organization_id
       WHERE m.organization_id = ? AND m.user_id = ? AND m.status = 'active' AND o.suspended_at_ms IS NULL`,
      organizationId,
      userId,
    )
    .toArray();
  return member ? (applicableRole(sql, organizationId, member.role)?.permissions ?? []) : null;
}

/** Permissions that may be granted through a widget, with a text in slug or name: what the owner may hold, and no more than the role allows. */
export function assignablePermissions(sql: SqlStorage, own: SelfServe, search: string): PermissionView[] {
  const bound = boundOf(sql, own);
  const kind = own.keys === "organization" ? "organization_api_keys" : "user_api_keys";
  const wanted = search.toLowerCase();
  return catalogueOf(sql).permissions.filter(
    ({ slug, name, enabled_for }) =>
      enabled_for[kind] && coversAny(bound, slug) && (slug.includes(wanted) || name.toLowerCase().includes(wanted)),
  );
}

/** Refuses a command beyond the keys, and beyond the role, of who acts through a widget. Other callers pass. */
export function requireWithinSelfServe({ sql, actor }: Transaction, command: Command): void {
  const own = actor.self_serve;
  if (!own) return;
  const bound = boundOf(sql, own);
  if (!mayManage(bound, own)) refuse("insufficient_permissions", "Your role does not allow to manage these keys any more.");
  if (command.type === "create_api_key") {
    if (!isMadeFor(own, command.owner)) refuse("insufficient_permissions", "Through this widget no keys are made for others.");
    requireWithin(bound, command.permissions);
  } else if (command.type === "expire_api_key" || command.type === "revoke_api_key") {
    const key = unrevokedKey(sql, command.id);
    if (!key || !reaches(own, ownerOf(key))) refuse("entity_not_found", `API key not found: ${quoteId(command.id)}.`);
    if (command.type === "expire_api_key" && isProlonged(key, command.expires_at_ms)) {
      requireWithin(bound, JSON.parse(key.permissions) as string[]);
      requireNotBeyond(imposedEnd(sql, key.id, own), command.expires_at_ms);
    }
  } else refuse("insufficient_permissions", "Through a widget keys are made, expired and revoked, and nothing else.");
}

/** What may be granted at most, besides what the owner may hold. A token that names nobody is bounded by nobody's role. */
function boundOf(sql: SqlStorage, { organization_id, user_id }: SelfServe): readonly string[] {
  return memberPermissions(sql, organization_id, user_id) ?? [];
}

function requireWithin(bound: readonly string[], permissions: readonly string[]): void {
  const beyond = notCovered(permissions, bound);
  if (beyond.length > 0) refuse("permission_not_assignable", `Your role does not allow: ${beyond.join(", ")}.`, "permissions");
}

function requireNotBeyond(imposedMs: number | null, end: number | "now" | null): void {
  if (end === "now" || !endsLater(end, imposedMs)) return;
  refuse("insufficient_permissions", "The key was given an end by somebody else, which you may not move on. Ask an admin.");
}

function mayManage(bound: readonly string[], { keys }: SelfServe): boolean {
  return keys === "members" ? opensEverybodys(bound) : opens(bound, SERVED_SCOPES[keys]);
}

function reaches(own: SelfServe, owner: KeyOwner): boolean {
  if (own.keys === "members") return owner.type === "user" && owner.organization_id === own.organization_id;
  return isMadeFor(own, owner);
}

/** Whoever manages the keys of all members still makes keys for nobody but themselves. */
function isMadeFor(own: SelfServe, owner: KeyOwner): boolean {
  if (own.keys === "organization") return owner.type === "organization" && owner.id === own.organization_id;
  return owner.type === "user" && owner.id === own.user_id && owner.organization_id === own.organization_id;
}

function ownerOf({ user_id, organization_id }: ApiKeyRow): KeyOwner {
  return user_id === null ? { type: "organization", id: organization_id } : { type: "user", id: user_id, organization_id };
}

function isProlonged(key: ApiKeyRow, end: number | "now" | null): boolean {
  return end !== "now" && endsLater(end, key.expires_at_ms);
}
