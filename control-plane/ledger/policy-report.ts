/** The keys of an organization that its policy would not allow to be made as they are: those from before it was stricter. */
import { DAY_MS, type ApiKeyPolicy } from "../../core/api-key-policy.ts";
import { PLATFORM_ORGANIZATION_ID } from "../../core/identifier.ts";
import type { Slice, Walk } from "../../core/page.ts";
import { violationsOf } from "../../core/policy-judgement.ts";
import type { ApiKeyRow } from "./api-keys.ts";
import { anyOf, touching, type Condition } from "./key-filter.ts";
import { policyOf } from "./key-policies.ts";
import { judged } from "./policy-enforcement.ts";
import type { NonCompliantKeyView } from "./view.ts";

/** Keys read at once: few of many may be what is looked for, and memory is bounded. */
const READ_AT_ONCE = 200;

/** Those keys that have not ended, on a walk. */
export function nonCompliantKeys(sql: SqlStorage, organizationId: string, walk: Walk, nowMs: number): Slice<NonCompliantKeyView> {
  if (organizationId === PLATFORM_ORGANIZATION_ID) return { rows: [], behind: false };
  const { from, ascending, rows } = walk;
  const ahead = { ascending, from, inclusive: false };
  const behind = { ascending: !ascending, from, inclusive: true };
  return {
    rows: find(sql, organizationId, ahead, rows, nowMs),
    behind: from !== undefined && find(sql, organizationId, behind, 1, nowMs).length > 0,
  };
}

interface Direction {
  readonly ascending: boolean;
  readonly from: string | undefined;
  readonly inclusive: boolean;
}

function find(sql: SqlStorage, organizationId: string, direction: Direction, limit: number, nowMs: number): NonCompliantKeyView[] {
  const policy = policyOf(sql, organizationId);
  const found: NonCompliantKeyView[] = [];
  for (let at = direction; ;) {
    const keys = readSuspects(sql, organizationId, policy, at);
    for (const key of keys) {
      const hasEnded = key.expires_at_ms !== null && key.expires_at_ms <= nowMs;
      const violations = hasEnded ? [] : violationsOf(policy, judged(key));
      if (violations.length > 0) found.push(toNonCompliant(key, violations));
      if (found.length === limit) return found;
    }
    const last = keys.at(-1);
    if (!last || keys.length < READ_AT_ONCE) return found;
    at = { ...direction, from: last.id, inclusive: false };
  }
}

/** The next keys that may be out of line: SQL leaves out, quickly, most of those that are not. */
function readSuspects(
  sql: SqlStorage,
  organizationId: string,
  policy: ApiKeyPolicy,
  { ascending, from, inclusive }: Direction,
): ApiKeyRow[] {
  const suspect = suspects(policy);
  const [beyond, order] = ascending ? [">", "ASC"] : ["<", "DESC"];
  const position = from === undefined ? "" : `AND id ${beyond}${inclusive ? "=" : ""} ?`;
  const query = `SELECT * FROM api_keys WHERE organization_id = ? AND revoked_seq IS NULL AND ${suspect.sql} ${position} ORDER BY id ${order} LIMIT ?`;
  const values = [organizationId, ...suspect.values, ...(from === undefined ? [] : [from])];
  return sql.exec<ApiKeyRow>(query, ...values, READ_AT_ONCE).toArray();
}

function suspects(policy: ApiKeyPolicy): Condition {
  const livesTooLong = (kind: "organization" | "user"): Condition[] => {
    const max = policy[`${kind}_key_lifetime_days_max` as const];
    if (max === null) return [];
    const isLong = "owner_type = ? AND (expires_at_ms IS NULL OR expires_at_ms - created_at_ms > ?)";
    return [{ sql: `(${isLong})`, values: [kind, max * DAY_MS] }];
  };
  return anyOf([
    ...(policy.never_expiring_keys ? [] : [{ sql: "expires_at_ms IS NULL", values: [] }]),
    ...livesTooLong("organization"),
    ...livesTooLong("user"),
    ...policy.required_networks.map(({ permission }) => touching(permission)),
  ]);
}

function toNonCompliant(key: ApiKeyRow, violations: ReturnType<typeof violationsOf>): NonCompliantKeyView {
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
