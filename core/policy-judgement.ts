/** Whether a key as it is, or as it would be, satisfies a policy. The one place that answers this; who makes a key and how many there are is asked of the ledger. */
import { DAY_MS, type ApiKeyPolicy, type KeyKind, type PolicyField } from "./api-key-policy.ts";
import { areWithin } from "./network.ts";
import { covers, notCovered } from "./permission.ts";

/** As much of a key as policies look at. Permissions as granted; no networks (null) is any. */
export interface JudgedKey {
  readonly kind: KeyKind;
  readonly permissions: readonly string[];
  readonly created_at_ms: number;
  readonly expires_at_ms: number | null;
  readonly allowed_networks: readonly string[] | null;
}

/** What a key, or what is to be done with it, does not satisfy. */
export interface PolicyViolation {
  readonly field: PolicyField;
  /** What the policy has in that field; of several rules, the one. */
  readonly limit: ApiKeyPolicy[PolicyField] | ApiKeyPolicy["required_networks"][number];
  readonly message: string;
  /** The member of the key at fault. */
  readonly at: "owner" | "expires_at" | "permissions" | "allowed_networks";
}

/** What the policy finds wrong with a key. */
export function violationsOf(policy: ApiKeyPolicy, key: JudgedKey): PolicyViolation[] {
  return [...lifetimeViolations(policy, key), ...networkViolations(policy, key)];
}

/**
 * What the policy finds wrong with a change: only what the change touches is looked at. A key that was made under an older policy can be
 * narrowed, shortened and bound as it is; it cannot be prolonged, widened or bound to other networks without satisfying the policy there.
 */
export function violationsOfChange(policy: ApiKeyPolicy, before: JudgedKey, after: JudgedKey): PolicyViolation[] {
  const gained = notCovered(after.permissions, before.permissions);
  const isProlonged = endsLater(after.expires_at_ms, before.expires_at_ms);
  const isBoundOtherwise = JSON.stringify(after.allowed_networks) !== JSON.stringify(before.allowed_networks);
  // Who approved of a key approved of its end and its networks, too.
  const isLoosened = isProlonged || (isBoundOtherwise && !isNarrowed(after.allowed_networks, before.allowed_networks));
  return [
    ...(isProlonged ? lifetimeViolations(policy, after) : []),
    ...(gained.length > 0 || isBoundOtherwise ? networkViolations(policy, after) : []),
    ...approvalViolations(policy, isLoosened ? after.permissions : gained),
  ];
}

/** What cannot be granted without a second admin's approval. A wildcard that covers such a permission is one, too. */
export function approvalViolations(policy: ApiKeyPolicy, granted: readonly string[]): PolicyViolation[] {
  const field = "approval_required_permissions";
  const needing = granted.filter((permission) => policy[field].some((rule) => touches(permission, rule)));
  if (needing.length === 0) return [];
  const message = `A second admin must approve of: ${needing.join(", ")}. Ask for a key with POST /organizations/:organization_id/api_key_requests.`;
  return [{ field, limit: policy[field], message, at: "permissions" }];
}

/** Whether one end of a key's life comes after another; null is never. */
export function endsLater(end: number | null, other: number | null): boolean {
  return other !== null && (end === null || end > other);
}

function isNarrowed(networks: readonly string[] | null, before: readonly string[] | null): boolean {
  return networks !== null && (before === null || areWithin(networks, before));
}

function lifetimeViolations(policy: ApiKeyPolicy, { kind, created_at_ms, expires_at_ms }: JudgedKey): PolicyViolation[] {
  const field = `${kind}_key_lifetime_days_max` as const;
  const max = policy[field];
  if (max !== null && (expires_at_ms === null || expires_at_ms > created_at_ms + max * DAY_MS))
    return [{ field, limit: max, message: `A key may live for ${max} days at most, counted from when it was made.`, at: "expires_at" }];
  if (expires_at_ms !== null || policy.never_expiring_keys) return [];
  return [{ field: "never_expiring_keys", limit: false, message: "A key must have an end.", at: "expires_at" }];
}

function networkViolations(policy: ApiKeyPolicy, { permissions, allowed_networks }: JudgedKey): PolicyViolation[] {
  return policy.required_networks
    .filter(({ permission }) => permissions.some((held) => touches(held, permission)))
    .filter(({ networks }) => allowed_networks === null || !areWithin(allowed_networks, networks))
    .map((rule) => ({
      field: "required_networks",
      limit: rule,
      message: `A key with ${rule.permission} must be bound to networks within ${rule.networks.join(", ")}.`,
      at: "allowed_networks",
    }));
}

/** Whether holding a permission comes to holding something of what a rule is about. */
function touches(held: string, rule: string): boolean {
  return covers(held, rule) || covers(rule, held);
}
