/**
 * The keys of an organization that its policy would not allow to be made as they are, by whom they were, for whom they are: those from before it was
 * stricter, or before somebody had another role.
 */
import type { ApiKeyPolicy } from "../../core/api-key-policy.ts";
import { PLATFORM_ORGANIZATION_ID } from "../../core/identifier.ts";
import type { Slice, Walk } from "../../core/page.ts";
import { notCovered } from "../../core/permission.ts";
import { approvalViolations, violationsOf, type PolicyViolation } from "../../core/policy-judgement.ts";
import type { ApiKeyRow } from "./api-keys.ts";
import type { AdminRoles } from "./command.ts";
import { adminField, adminViolations, memberRole, memberViolations, ownerViolations } from "./key-makers.ts";
import { policyOf } from "./key-policies.ts";
import { approvedPermissions } from "./key-requests.ts";
import { judged } from "./policy-enforcement.ts";
import type { NonCompliantKeyView } from "./view.ts";

/** Keys looked at for one page: few of many may be out of line, and nobody else is answered meanwhile. */
const LOOKED_AT_MAX = 1_000;

/** What the cell cannot tell by itself. */
interface Asked {
  readonly nowMs: number;
  /** Of platform keys that made keys here: the roles of the admins behind them. */
  readonly admins: Readonly<Record<string, readonly AdminRoles[]>>;
}

/** Those keys that have not ended, on a walk. It may stop early. */
export function nonCompliantKeys(sql: SqlStorage, organizationId: string, walk: Walk, asked: Asked): Slice<NonCompliantKeyView> {
  if (organizationId === PLATFORM_ORGANIZATION_ID) return { rows: [], behind: false };
  const [aheadOf, behindOf] = directionsOf(walk);
  const ahead = look(sql, organizationId, aheadOf, walk.rows, asked);
  if (!behindOf) return { ...ahead, behind: false };
  const behind = look(sql, organizationId, behindOf, 1, asked);
  return { ...ahead, behind: behind.rows.length > 0 || behind.stoppedAt !== undefined };
}

/** The platform keys that made keys which a page looks at, where the policy asks who has them; none where it does not. */
export function platformKeysAmongCreators(sql: SqlStorage, organizationId: string, walk: Walk): string[] {
  const policy = policyOf(sql, organizationId);
  if (policy.organization_key_admin_roles === null && policy.user_key_admin_roles === null) return [];
  const creators = new Set<string>();
  for (const direction of directionsOf(walk)) {
    if (!direction) continue;
    let lookedAt = 0;
    for (const key of keysFrom(sql, organizationId, direction)) {
      if (key.created_by_type === "api_key") creators.add(key.created_by_id);
      if (++lookedAt === LOOKED_AT_MAX) break;
    }
  }
  return [...creators];
}

interface Direction {
  readonly ascending: boolean;
  readonly from: string | undefined;
  readonly inclusive: boolean;
}

/** Ahead, and from a position on back. */
function directionsOf({ from, ascending }: Walk): [ahead: Direction, behind?: Direction] {
  const ahead = { ascending, from, inclusive: false };
  return from === undefined ? [ahead] : [ahead, { ascending: !ascending, from, inclusive: true }];
}

function look(
  sql: SqlStorage,
  organizationId: string,
  direction: Direction,
  limit: number,
  asked: Asked,
): Omit<Slice<NonCompliantKeyView>, "behind"> {
  const policy = policyOf(sql, organizationId);
  const found: NonCompliantKeyView[] = [];
  let lookedAt = 0;
  for (const key of keysFrom(sql, organizationId, direction)) {
    const hasEnded = key.expires_at_ms !== null && key.expires_at_ms <= asked.nowMs;
    const violations = hasEnded ? [] : violationsNow(sql, policy, key, asked);
    if (violations.length > 0) found.push(toNonCompliant(key, violations));
    if (found.length === limit) break;
    if (++lookedAt === LOOKED_AT_MAX) return { rows: found, stoppedAt: key.id };
  }
  return { rows: found };
}

function violationsNow(sql: SqlStorage, policy: ApiKeyPolicy, key: ApiKeyRow, asked: Asked): PolicyViolation[] {
  const asItIs = judged(key);
  return [
    ...violationsOf(policy, asItIs),
    ...ownerRoleNow(sql, policy, key),
    ...creatorNow(sql, policy, key, asked),
    ...unapproved(sql, policy, key, asItIs.permissions),
  ];
}

function ownerRoleNow(sql: SqlStorage, policy: ApiKeyPolicy, key: ApiKeyRow): PolicyViolation[] {
  if (key.user_id === null || policy.user_key_owner_roles === null) return [];
  return ownerViolations(policy, "user", memberRole(sql, key.organization_id, key.user_id));
}

/** A member's role is the one they have now, if they are still there. An admin's is the one they had when they made the key. */
function creatorNow(sql: SqlStorage, policy: ApiKeyPolicy, key: ApiKeyRow, { admins }: Asked): PolicyViolation[] {
  const { created_by_type: type, created_by_id: id, created_by_roles: roles, organization_id, user_id } = key;
  const kind = user_id === null ? "organization" : "user";
  if (isMember(type, id)) {
    const asks = kind === "organization" && policy.organization_key_creator_roles !== null;
    return asks ? memberViolations(policy, memberRole(sql, organization_id, id)) : [];
  }
  if (policy[adminField(kind)] === null || type === "system") return [];
  if (type === "user") return adminViolations(policy, kind, [roles === null ? [] : (JSON.parse(roles) as string[])]);
  // One that was not asked about has made the key since, and was judged just now.
  return adminViolations(policy, kind, admins[id] ?? []);
}

function unapproved(sql: SqlStorage, policy: ApiKeyPolicy, { id }: ApiKeyRow, permissions: readonly string[]): PolicyViolation[] {
  if (approvalViolations(policy, permissions).length === 0) return [];
  return approvalViolations(policy, notCovered(permissions, approvedPermissions(sql, id)));
}

/** Admins who signed in are named by issuer and subject. */
function isMember(type: string, id: string): boolean {
  return type === "user" && !id.includes("#");
}

/** Rows held in memory at once. */
const READ_AT_ONCE = 100;

/** An organization's keys from a position on: how many are read is decided by who looks. */
function* keysFrom(sql: SqlStorage, organizationId: string, direction: Direction): Generator<ApiKeyRow> {
  const [beyond, order] = direction.ascending ? [">", "ASC"] : ["<", "DESC"];
  for (let { from, inclusive } = direction; ;) {
    const position = from === undefined ? "" : `AND id ${beyond}${inclusive ? "=" : ""} ?`;
    const query = `SELECT * FROM api_keys WHERE organization_id = ? AND revoked_seq IS NULL ${position} ORDER BY id ${order} LIMIT ?`;
    const values = from === undefined ? [organizationId] : [organizationId, from];
    const keys = sql.exec<ApiKeyRow>(query, ...values, READ_AT_ONCE).toArray();
    yield* keys;
    const last = keys.at(-1);
    if (!last || keys.length < READ_AT_ONCE) return;
    [from, inclusive] = [last.id, false];
  }
}

function toNonCompliant(key: ApiKeyRow, violations: readonly PolicyViolation[]): NonCompliantKeyView {
  const { id, name, organization_id, user_id } = key;
  const owner =
    user_id === null ? ({ type: "organization", id: organization_id } as const) : ({ type: "user", id: user_id, organization_id } as const);
  return {
    object: "non_compliant_api_key",
    id,
    name,
    owner,
    violations: violations.map(({ field, limit, message }) => ({ field, limit, message })),
  };
}
