/** The last word on a request: may the holder of this token use this route now? Pure; the record is known to be current. */
import { equalInConstantTime } from "./constant-time.ts";
import { isWithin, parseAddress } from "./network.ts";
import { coversAny, notCovered, overlaps } from "./permission.ts";
import type { ActiveRecord, KeyRecord } from "./record.ts";
import type { Route } from "./route.ts";

/** What a request shows of its caller. */
export interface Presentation {
  /** Lower-case hexadecimal SHA-256 of the whole token. */
  readonly sha256: string;
  /** The client's address in the platform's word; null when it gave none. Asked for only where a key is bound to networks. */
  readonly clientAddress: () => string | null;
}

/** Permissions a route asks for and a key lacks: every one of them, or (`any`) one of them would do. */
export interface MissingPermissions {
  readonly permissions: readonly string[];
  readonly any: boolean;
}

/** Why a key is not accepted, whatever it is wanted for. */
type HolderFault =
  | "revoked_key"
  | "invalid_secret"
  | NonNullable<ActiveRecord["blocked"]>
  | "rotated_secret"
  | "expired_key"
  | "network_not_allowed"
  | "client_address_unknown";

type Acceptance = { readonly accepted: true; readonly record: ActiveRecord } | { readonly accepted: false; readonly reason: HolderFault };

/** The decision on a presented key. */
type Authorization =
  | { readonly allowed: true; readonly record: ActiveRecord }
  | { readonly allowed: false; readonly reason: HolderFault }
  | { readonly allowed: false; readonly reason: "insufficient_scope"; readonly missing: MissingPermissions }
  | { readonly allowed: false; readonly reason: "excluded_permission"; readonly excluded: readonly string[] };

/** Whether the key is accepted, and may do what the route asks for. */
export function authorize(record: KeyRecord, presented: Presentation, route: Route, nowMs: number): Authorization {
  const acceptance = accept(record, presented, nowMs);
  if (!acceptance.accepted) return { allowed: false, reason: acceptance.reason };
  const { record: active } = acceptance;
  const missing = missingPermissions(route, active.permissions);
  if (missing) return { allowed: false, reason: "insufficient_scope", missing };
  const excluded = route.permissions?.not?.filter((permission) => overlaps(active.permissions, permission)) ?? [];
  return excluded.length > 0 ? { allowed: false, reason: "excluded_permission", excluded } : { allowed: true, record: active };
}

/** Checks secret, life and network, in this order: who does not hold the secret learns nothing of the key. */
export function accept(record: KeyRecord, { sha256, clientAddress }: Presentation, nowMs: number): Acceptance {
  if (record.state === "revoked") return refused("revoked_key");
  if (!equalInConstantTime(sha256, record.sha256)) return refused("invalid_secret");
  if (record.blocked !== null) return refused(record.blocked);
  if (hasEnded(record.secret_expires_at_ms, nowMs)) return refused("rotated_secret");
  if (hasEnded(record.expires_at_ms, nowMs)) return refused("expired_key");
  if (record.allowed_networks === null) return { accepted: true, record };
  const address = parseAddress(clientAddress() ?? "");
  if (!address) return refused("client_address_unknown");
  return isWithin(address, record.allowed_networks) ? { accepted: true, record } : refused("network_not_allowed");
}

function refused(reason: HolderFault): Acceptance {
  return { accepted: false, reason };
}

function hasEnded(endMs: number | null, nowMs: number): boolean {
  return endMs !== null && endMs <= nowMs;
}

/** What of a route's demands `held` does not cover; undefined when it may pass. A public route demands nothing. */
function missingPermissions(route: Route, held: readonly string[]): MissingPermissions | undefined {
  const { all = [], any } = route.permissions ?? {};
  const lacking = notCovered(all, held);
  if (lacking.length > 0) return { permissions: lacking, any: false };
  return any === undefined || any.some((permission) => coversAny(held, permission)) ? undefined : { permissions: any, any: true };
}
