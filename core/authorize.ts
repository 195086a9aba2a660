/** The last word on a request: may the holder of this record use this route now? Pure; the record is known to be current. */
import { equalInConstantTime } from "./constant-time.ts";
import { coversAny, notCovered } from "./permission.ts";
import type { ActiveRecord, KeyRecord } from "./record.ts";
import type { Route } from "./route.ts";

/** The decision on a presented key. */
export type Authorization =
  | { readonly allowed: true; readonly record: ActiveRecord }
  | { readonly allowed: false; readonly reason: "revoked_key" | "invalid_secret" | "expired_key" }
  | { readonly allowed: false; readonly reason: "insufficient_scope"; readonly missing: readonly string[]; readonly any: boolean };

/** Checks secret, life and permissions, in this order: who does not hold the secret learns nothing of the key. */
export function authorize(record: KeyRecord, presentedSha256: string, route: Route, nowMs: number): Authorization {
  if (record.state === "revoked") return { allowed: false, reason: "revoked_key" };
  if (!equalInConstantTime(presentedSha256, record.sha256)) return { allowed: false, reason: "invalid_secret" };
  if (record.expires_at_ms !== null && record.expires_at_ms <= nowMs) return { allowed: false, reason: "expired_key" };
  const missing = notCovered(route.permissions?.all ?? [], record.permissions);
  if (missing.length > 0) return { allowed: false, reason: "insufficient_scope", missing, any: false };
  const any = route.permissions?.any;
  if (any && !any.some((permission) => coversAny(record.permissions, permission)))
    return { allowed: false, reason: "insufficient_scope", missing: any, any: true };
  return { allowed: true, record };
}
