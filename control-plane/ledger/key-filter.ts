/** Sets of keys that are named by what they have in common, and not one by one. */
import { PLATFORM_ORGANIZATION_ID } from "../../core/identifier.ts";
import type { KeyFilter } from "./command.ts";

/** A condition on `api_keys`: SQL of our own and the values that are bound to it. */
export interface Condition {
  readonly sql: string;
  readonly values: readonly SqlStorageValue[];
}

/** The keys that have not been revoked and meet everything the filter says. Never one of the platform organization. */
export function conditionOf(filter: KeyFilter): Condition {
  const conditions: Condition[] = [
    { sql: "revoked_seq IS NULL AND organization_id <> ?", values: [PLATFORM_ORGANIZATION_ID] },
    ...given(filter.organization_id, (id) => ({ sql: "organization_id = ?", values: [id] })),
    ...given(filter.owner_id, ownedBy),
    ...given(filter.created_by, (id) => ({ sql: "created_by_id = ?", values: [id] })),
    ...given(filter.permission, touching),
    ...given(filter.tag, (tag) => ({ sql: "id IN (SELECT key_id FROM api_key_tags WHERE tag = ?)", values: [tag] })),
    ...given(filter.created_before_ms, (ms) => ({ sql: "created_at_ms < ?", values: [ms] })),
    ...given(filter.last_used_before_ms, (ms) => ({ sql: `coalesce(${LAST_USED}, created_at_ms) < ?`, values: [ms] })),
  ];
  return { sql: conditions.map(({ sql }) => sql).join(" AND "), values: conditions.flatMap(({ values }) => values) };
}

/** When any secret of a key was used last, as an SQL expression over `api_keys`. */
export const LAST_USED = "(SELECT max(last_used_at_ms) FROM tokens WHERE key_id = api_keys.id)";

function given<Value>(value: Value | undefined, condition: (value: Value) => Condition): Condition[] {
  return value === undefined ? [] : [condition(value)];
}

/** An id says whose it is, so that one index answers. */
function ownedBy(id: string): Condition {
  if (!id.startsWith("org_")) return { sql: "user_id = ?", values: [id] };
  return { sql: "owner_type = 'organization' AND organization_id = ?", values: [id] };
}

/** Granted something the permission covers, or something that covers it. Permissions are stored as a JSON list of slugs. */
function touching(permission: string): Condition {
  if (permission === "*") return { sql: "permissions <> '[]'", values: [] };
  const covering = ["*", permission];
  for (let at = permission.indexOf(":"); at >= 0; at = permission.indexOf(":", at + 1)) covering.push(`${permission.slice(0, at)}:*`);
  const mentions = [...new Set(covering)].map((slug) => `"${slug}"`);
  if (permission.endsWith(":*")) mentions.push(`"${permission.slice(0, -1)}`);
  return { sql: `(${mentions.map(() => "instr(permissions, ?) > 0").join(" OR ")})`, values: mentions };
}
