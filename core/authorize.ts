/** The last word on a request: may the holder of this token use this route now? Pure; the record is known to be current. */
import { equalInConstantTime } from "./constant-time.ts";
import { coversAny, notCovered } from "./permission.ts";
import type { ActiveRecord, KeyRecord } from "./record.ts";
import type { Route } from "./route.ts";

/** Permissions a route asks for and a key lacks: every one of them, or (`any`) one of them would do. */
export interface MissingPermissions {
  readonly permissions: readonly string[];
  readonly any: boolean;
}

/** The decision on a presented key. */
type Authorization =
  | { readonly allowed: true; readonly record: ActiveRecord }
  | { readonly allowed: false; readonly reason: "revoked_key" | "invalid_secret" | "expired_key" }
  | { readonly allowed: false; readonly reason: "insufficient_scope"; readonly missing: MissingPermissions };

/**
 * Checks secret, life and permissions, in this order: who does not hold the secret learns nothing of the key.
 * `presentedSha256` is the lower-case hexadecimal SHA-256 of the whole token.
 */
export function authorize(record: KeyRecord, presentedSha256: string, route: Route, nowMs: number): Authorization {
  if (record.state === "revoked") return { allowed: false, reason: "revoked_key" };
  if (!equalInConstantTime(presentedSha256, record.sha256)) return { allowed: false, reason: "invalid_secret" };
  if (record.expires_at_ms !== null && record.expires_at_ms <= nowMs) return { allowed: false, reason: "expired_key" };
  const missing = missingPermissions(route, record.permissions);
  return missing ? { allowed: false, reason: "insufficient_scope", missing } : { allowed: true, record };
}

/** What of a route's demands `held` does not cover; undefined when it may pass. A public route demands nothing. */
function missingPermissions(route: Route, held: readonly string[]): MissingPermissions | undefined {
  const { all = [], any } = route.permissions ?? {};
  const lacking = notCovered(all, held);
  if (lacking.length > 0) return { permissions: lacking, any: false };
  return any === undefined || any.some((permission) => coversAny(held, permission)) ? undefined : { permissions: any, any: true };
}
