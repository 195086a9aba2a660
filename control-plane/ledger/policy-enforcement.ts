/**
 * Where policies on keys are enforced: in the transaction of every command that makes a key, or lets one do more, live longer, or go on. What
 * a key must be like is said by core/policy-judgement.ts, who makes it by key-makers.ts; here is added how many there are.
 */
import { usualEnd, type ApiKeyPolicy } from "../../core/api-key-policy.ts";
import { approvalViolations, violationsOf, violationsOfChange, type JudgedKey, type PolicyViolation } from "../../core/policy-judgement.ts";
import type { ActiveRecord } from "../../core/record.ts";
import type { ApiKeyRow } from "./api-keys.ts";
import type { CommandEnvelope, Refusal } from "./command.ts";
import { takeAllowance } from "./denials.ts";
import { callerViolations, memberRole, ownerViolations, secretViolations } from "./key-makers.ts";
import { policyOf } from "./key-policies.ts";
import { RefusalError, Transaction } from "./transaction.ts";

/** A key about to be made. */
interface NewKey {
  readonly owner: ActiveRecord["owner"];
  readonly permissions: readonly string[];
  readonly expires_at_ms: number | "usual" | null;
  readonly allowed_networks: readonly string[] | null;
  /** Whether a second admin has approved of what it may do. */
  readonly isApproved: boolean;
}

/** Refuses a key that the policy does not allow to be made; answers when it is to end. */
export function requireMayBeMade(transaction: Transaction, key: NewKey): number | null {
  const { sql, nowMs } = transaction;
  const { owner, permissions, allowed_networks } = key;
  const organizationId = organizationOf(owner);
  const policy = policyOf(sql, organizationId);
  const kind = owner.type;
  const expires_at_ms = key.expires_at_ms === "usual" ? usualEnd(policy, kind, nowMs) : key.expires_at_ms;
  const made: JudgedKey = { kind, permissions, created_at_ms: nowMs, expires_at_ms, allowed_networks };
  requireNone(organizationId, null, [
    ...ownerViolations(policy, kind, owner.type === "user" ? owner.role : null),
    ...callerViolations(transaction, policy, owner),
    ...numberViolations(transaction, policy, owner),
    ...violationsOf(policy, made),
    ...(key.isApproved ? [] : approvalViolations(policy, permissions)),
  ]);
  return expires_at_ms;
}

/** Refuses to let a key do more, or live longer, than the policy allows. */
export function requireMayBecome(transaction: Transaction, key: ApiKeyRow, change: Partial<JudgedKey>): void {
  const before = judged(key);
  const violations = violationsOfChange(policyOf(transaction.sql, key.organization_id), before, { ...before, ...change });
  requireNone(key.organization_id, key.id, violations);
}

/** Refuses to let a key go on, with a new secret or after it was disabled, that could not be made as it is. */
export function requireMayGoOn({ sql }: Transaction, key: ApiKeyRow): void {
  const policy = policyOf(sql, key.organization_id);
  const asItIs = judged(key);
  const role = memberRole(sql, key.organization_id, key.user_id);
  requireNone(key.organization_id, key.id, [...ownerViolations(policy, asItIs.kind, role), ...violationsOf(policy, asItIs)]);
}

/**
 * Refuses a new secret of a key to whoever may not make one of its kind, and of one that needed approval to anyone but who made it: who is given
 * the secret has what somebody else was approved for. All others can disable or revoke it.
 */
export function requireMayHoldSecret(transaction: Transaction, key: ApiKeyRow): void {
  const { sql, actor } = transaction;
  const policy = policyOf(sql, key.organization_id);
  const { kind, permissions } = judged(key);
  const isMaker = key.created_by_type === actor.type && key.created_by_id === actor.id;
  requireNone(key.organization_id, key.id, [
    ...secretViolations(transaction, policy, kind),
    ...(isMaker ? [] : approvalViolations(policy, permissions)),
  ]);
}

/**
 * Records that the policy kept somebody from something. The refused command has left no trace, so this is a transaction of its own. Like
 * other refusals a caller can have only so many of them recorded.
 */
export function recordViolation(
  sql: SqlStorage,
  envelope: CommandEnvelope,
  violation: NonNullable<Refusal["violation"]>,
  nowMs: number,
): void {
  const { actor, command, reason } = envelope;
  const unrecorded = takeAllowance(sql, `${actor.id} against policies`, nowMs);
  if (unrecorded === undefined) return;
  const { organization_id, api_key_id, field, limit } = violation;
  const payload = { organization_id, api_key_id, field, limit, attempted: command.type, unrecorded_before: unrecorded };
  new Transaction(sql, nowMs, actor, reason).append("api_key.policy_violated", organization_id, payload);
}

function requireNone(organizationId: string, apiKeyId: string | null, [violation]: readonly PolicyViolation[]): void {
  if (!violation) return;
  const { field, limit, message, at } = violation;
  throw new RefusalError({
    code: "api_key_policy_violated",
    message: `The policy on keys does not allow this (${field}). ${message}`,
    field: at,
    violation: { organization_id: organizationId, api_key_id: apiKeyId, field, limit },
  });
}

function numberViolations({ sql, nowMs }: Transaction, policy: ApiKeyPolicy, owner: ActiveRecord["owner"]): PolicyViolation[] {
  const field = `${owner.type}_keys_max` as const;
  const max = policy[field];
  if (max === null || countKeys(sql, owner, nowMs, max) < max) return [];
  return [{ field, limit: max, message: `The owner has ${max} keys or more, which is the most there may be.`, at: "owner" }];
}

/** How many keys an owner has that have not ended, disabled ones too; no further than to a number. */
function countKeys(sql: SqlStorage, owner: ActiveRecord["owner"], nowMs: number, upTo: number): number {
  const userId = owner.type === "user" ? owner.id : null;
  const { keys } = sql
    .exec<{ keys: number }>(
      `SELECT count(*) AS keys FROM (
         SELECT 1 FROM api_keys WHERE organization_id = ?1 AND owner_type = ?2 AND user_id IS ?3 AND revoked_seq IS NULL AND expires_at_ms IS NULL
         UNION ALL
         SELECT 1 FROM api_keys WHERE organization_id = ?1 AND owner_type = ?2 AND user_id IS ?3 AND revoked_seq IS NULL AND expires_at_ms > ?4
         LIMIT ?5)`,
      organizationOf(owner),
      owner.type,
      userId,
      nowMs,
      upTo,
    )
    .one();
  return keys;
}

/** A stored key as policies look at it. */
export function judged(key: ApiKeyRow): JudgedKey {
  return {
    kind: key.user_id === null ? "organization" : "user",
    permissions: JSON.parse(key.permissions) as string[],
    created_at_ms: key.created_at_ms,
    expires_at_ms: key.expires_at_ms,
    allowed_networks: key.allowed_networks === null ? null : (JSON.parse(key.allowed_networks) as string[]),
  };
}

function organizationOf(owner: ActiveRecord["owner"]): string {
  return owner.type === "user" ? owner.organization_id : owner.id;
}
