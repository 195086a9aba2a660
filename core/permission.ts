/**
 * Permissions and their algebra. One meaning of the wildcard everywhere: `documents:*` covers every permission that
 * starts with `documents:`, and `*` covers all. A wildcard is only ever the last, whole segment.
 */
/** Characters of a permission slug at most. */
export const PERMISSION_LENGTH_MAX = 48;
/** What a permission slug looks like. */
export const PERMISSION_FORM = /^(?:\*|[a-z0-9._-]+(?::[a-z0-9._-]+)*(?::\*)?)$/;

/** Whether holding `held` allows what `needed` asks. */
export function covers(held: string, needed: string): boolean {
  if (held === needed || held === "*") return true;
  return held.endsWith(":*") && needed.startsWith(held.slice(0, -1));
}

/** Whether any of the held permissions covers the needed one. */
export function coversAny(held: readonly string[], needed: string): boolean {
  return held.some((permission) => covers(permission, needed));
}

/** Whether there is anything that both `held` and `named` cover: who holds `*` may do all of it, who holds `a:b` may do some of `a:*`. */
export function overlaps(held: readonly string[], named: string): boolean {
  return held.some((permission) => covers(permission, named) || covers(named, permission));
}

/** What both sides allow, in canonical form: `["documents:*"] ∩ ["documents:read"]` is `["documents:read"]`. */
export function intersect(left: readonly string[], right: readonly string[]): string[] {
  const both = left.flatMap((l) => right.flatMap((r) => (covers(l, r) ? [r] : covers(r, l) ? [l] : [])));
  return canonical(both);
}

/** Sorted, without repeats and without permissions that another one in the list covers. */
export function canonical(permissions: readonly string[]): string[] {
  const unique = [...new Set(permissions)].toSorted();
  return unique.filter((permission) => !unique.some((other) => other !== permission && covers(other, permission)));
}

/** The requested permissions that nothing in `held` covers. */
export function notCovered(requested: readonly string[], held: readonly string[]): string[] {
  return requested.filter((permission) => !coversAny(held, permission));
}

/** Slugs that govern Portcullis itself; only the platform organization's keys may hold them. */
export const PLATFORM_PERMISSION_PREFIX = "portcullis:";

/** What callers of the control plane can be allowed to do. */
export const PLATFORM_PERMISSIONS = [
  "portcullis:organizations:read",
  "portcullis:organizations:write",
  "portcullis:users:read",
  "portcullis:users:write",
  "portcullis:permissions:read",
  "portcullis:permissions:write",
  "portcullis:routes:read",
  "portcullis:routes:write",
  "portcullis:api_keys:read",
  "portcullis:api_keys:write",
  "portcullis:api_keys:validate",
  "portcullis:ledger:read",
  // The life of a key
  "portcullis:api_keys:revoke_everywhere",
  // Events and webhooks
  "portcullis:events:read",
  "portcullis:webhooks:read",
  "portcullis:webhooks:write",
  // The audit log
  "portcullis:audit_logs:read",
  "portcullis:audit_logs:write",
  // Self-serve
  "portcullis:widgets:write",
  // Policies on keys
  "portcullis:policies:read",
  "portcullis:policies:write",
  "portcullis:api_keys:approve",
  // Usage
  "portcullis:usage:read",
  // Metrics
  "portcullis:metrics:read",
] as const;

/** One of {@link PLATFORM_PERMISSIONS}. */
export type PlatformPermission = (typeof PLATFORM_PERMISSIONS)[number];
