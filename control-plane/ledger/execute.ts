/** A command from door to entry: recognise a repeat, do it in one transaction, remember the answer. */
import * as apiKeys from "./api-key-commands.ts";
import { createAuditLogSchema } from "./audit-log-actions.ts";
import { createAuditLogExport } from "./audit-log-exports.ts";
import * as catalogue from "./catalogue-commands.ts";
import type { Command, CommandEnvelope, Outcome, Refusal, RepeatedCommand } from "./command.ts";
import { setCustomerEventRetention } from "./customer-event-retention-command.ts";
import { recordCustomerEvent } from "./customer-events.ts";
import { latestSeq } from "./journal.ts";
import * as keyRequests from "./key-request-commands.ts";
import * as memberships from "./membership-commands.ts";
import { narrowApiKey } from "./narrowing.ts";
import * as organizations from "./organization-commands.ts";
import * as roles from "./role-commands.ts";
import { replaceRoutes, restoreRoutes } from "./route-commands.ts";
import { placeImportedToken } from "./imported-tokens.ts";
import { setApiKeyPolicy } from "./key-policy-commands.ts";
import { recordViolation } from "./policy-enforcement.ts";
import { bulkRevokeApiKeys } from "./bulk-revocation.ts";
import { revokePreviousSecret, rotateApiKey } from "./secret-commands.ts";
import { requireWithinSelfServe } from "./self-serve.ts";
import { refuse, RefusalError, Transaction } from "./transaction.ts";
import * as users from "./user-commands.ts";
import * as webhooks from "./webhook-commands.ts";

/** How long an Idempotency-Key is remembered. */
export const COMMAND_KEPT_MS = 24 * 60 * 60 * 1000;

/** Runs a command, or answers as it was answered before. A refusal leaves no trace, but where a policy is its reason, that event. Of the receipt it knows nothing. */
export function execute(storage: DurableObjectStorage, envelope: CommandEnvelope, nowMs: number): Outcome {
  try {
    return storage.transactionSync(() => replay(storage.sql, envelope, nowMs) ?? perform(storage.sql, envelope, nowMs));
  } catch (error) {
    if (!(error instanceof RefusalError)) throw error;
    return { ok: false, refusal: recorded(storage, envelope, error.refusal, nowMs) };
  }
}

/** Takes back what a rehearsal has done. */
const REHEARSED = Symbol("rehearsed");

/** What a command would be refused for now; null for nothing, and for one that was carried out before. Leaves no more trace than a refusal: the caller is told of it. */
export function rehearse(storage: DurableObjectStorage, envelope: CommandEnvelope, nowMs: number): Refusal | null {
  try {
    return storage.transactionSync<null>(() => {
      if (replay(storage.sql, envelope, nowMs)) return null;
      perform(storage.sql, envelope, nowMs);
      throw REHEARSED;
    });
  } catch (error) {
    if (error === REHEARSED) return null;
    if (error instanceof RefusalError) return recorded(storage, envelope, error.refusal, nowMs);
    throw error;
  }
}

/** What a policy forbade is an event; the transaction that was refused has been taken back. */
function recorded(storage: DurableObjectStorage, envelope: CommandEnvelope, refusal: Refusal, nowMs: number): Refusal {
  const { violation } = refusal;
  if (violation) storage.transactionSync(() => recordViolation(storage.sql, envelope, violation, nowMs));
  return refusal;
}

/** As a command was answered that was carried out before, or refused for being another than that; undefined where none was. */
export function answerAgain(sql: SqlStorage, repeated: RepeatedCommand, nowMs: number): Outcome | undefined {
  try {
    return replay(sql, repeated, nowMs);
  } catch (error) {
    if (error instanceof RefusalError) return { ok: false, refusal: error.refusal };
    throw error;
  }
}

/** Whether a command was carried out before: then it only has to be answered again. */
export function isRemembered(sql: SqlStorage, { commandId }: CommandEnvelope, nowMs: number): boolean {
  return sql.exec("SELECT 1 FROM commands WHERE command_id = ? AND at_ms > ?", commandId, nowMs - COMMAND_KEPT_MS).toArray().length > 0;
}

/** Commands forgotten at once: a cell that was away may have many. */
const FORGOTTEN_AT_ONCE = 1_000;

/** Forgets commands older than {@link COMMAND_KEPT_MS}, so many at a time; {@link nextForgettingAtMs} says when to go on. */
export function forgetOldCommands(sql: SqlStorage, nowMs: number): void {
  const old = "SELECT command_id FROM commands WHERE at_ms <= ? ORDER BY at_ms LIMIT ?";
  sql.exec(`DELETE FROM commands WHERE command_id IN (${old})`, nowMs - COMMAND_KEPT_MS, FORGOTTEN_AT_ONCE);
}

/** When the next remembered command may be forgotten, or null. */
export function nextForgettingAtMs(sql: SqlStorage): number | null {
  const { oldest } = sql.exec<{ oldest: number | null }>("SELECT min(at_ms) AS oldest FROM commands").one();
  return oldest === null ? null : oldest + COMMAND_KEPT_MS;
}

function replay(sql: SqlStorage, envelope: Pick<CommandEnvelope, "commandId" | "fingerprint">, nowMs: number): Outcome | undefined {
  const [row] = sql
    .exec<{ fingerprint: string; seq: number; reply: string; sealed_reply: string | null }>(
      "SELECT fingerprint, seq, reply, sealed_reply FROM commands WHERE command_id = ? AND at_ms > ?",
      envelope.commandId,
      nowMs - COMMAND_KEPT_MS,
    )
    .toArray();
  if (!row) return undefined;
  if (row.fingerprint !== envelope.fingerprint)
    refuse("idempotency_key_reused", "This Idempotency-Key was used for another request. Use a new one for a new request.");
  return {
    ok: true,
    seq: row.seq,
    reply: JSON.parse(row.reply) as Record<string, unknown>,
    sealedReply: row.sealed_reply,
    replayed: true,
    receipt: null,
  };
}

function perform(sql: SqlStorage, envelope: CommandEnvelope, nowMs: number): Outcome {
  const transaction = new Transaction(sql, nowMs, envelope.actor, envelope.reason);
  requireWithinSelfServe(transaction, envelope.command);
  const reply = handle(transaction, envelope.command);
  const seq = latestSeq(sql);
  sql.exec(
    "INSERT OR REPLACE INTO commands VALUES (?, ?, ?, ?, ?, ?)",
    envelope.commandId,
    envelope.fingerprint,
    nowMs,
    seq,
    JSON.stringify(reply),
    envelope.sealedReply,
  );
  return { ok: true, seq, reply, sealedReply: envelope.sealedReply, replayed: false, receipt: null };
}

function handle(transaction: Transaction, command: Command): Record<string, unknown> {
  switch (command.type) {
    case "create_organization":
      return organizations.createOrganization(transaction, command);
    case "create_user":
      return users.createUser(transaction, command);
    case "create_membership":
      return memberships.createMembership(transaction, command);
    case "change_membership_role":
      return memberships.changeMembershipRole(transaction, command);
    case "end_membership":
      return memberships.endMembership(transaction, command);
    case "create_api_key":
      return apiKeys.createApiKey(transaction, command);
    case "update_api_key":
      return apiKeys.updateApiKey(transaction, command);
    case "expire_api_key":
      return apiKeys.expireApiKey(transaction, command);
    case "revoke_api_key":
      return apiKeys.revokeApiKey(transaction, command);
    case "bootstrap":
      return apiKeys.bootstrap(transaction, command);
    case "create_permission":
      return catalogue.createPermission(transaction, command);
    case "update_permission":
      return catalogue.updatePermission(transaction, command);
    case "delete_permission":
      return catalogue.deletePermission(transaction, command);
    case "create_role":
      return roles.createRole(transaction, command);
    case "set_role_permissions":
      return roles.setRolePermissions(transaction, command);
    case "replace_routes":
      return replaceRoutes(transaction, command);
    case "restore_routes":
      return restoreRoutes(transaction, command);
    // The life of a key
    case "disable_api_key":
      return apiKeys.disableApiKey(transaction, command);
    case "enable_api_key":
      return apiKeys.enableApiKey(transaction, command);
    case "rotate_api_key":
      return rotateApiKey(transaction, command);
    case "revoke_previous_secret":
      return revokePreviousSecret(transaction, command);
    case "bulk_revoke_api_keys":
      return bulkRevokeApiKeys(transaction, command);
    case "place_imported_token":
      return placeImportedToken(transaction, command);
    // Tenancy
    case "update_organization":
      return organizations.updateOrganization(transaction, command);
    case "suspend_organization":
      return organizations.suspendOrganization(transaction, command);
    case "resume_organization":
      return organizations.resumeOrganization(transaction, command);
    case "end_organization":
      return organizations.endOrganization(transaction, command);
    case "deactivate_membership":
      return memberships.deactivateMembership(transaction, command);
    case "reactivate_membership":
      return memberships.reactivateMembership(transaction, command);
    case "update_user":
      return users.updateUser(transaction, command);
    case "end_user":
      return users.endUser(transaction, command);
    case "update_role":
      return roles.updateRole(transaction, command);
    case "add_role_permission":
      return roles.addRolePermission(transaction, command);
    case "remove_role_permission":
      return roles.removeRolePermission(transaction, command);
    case "delete_role":
      return roles.deleteRole(transaction, command);
    // Webhook endpoints
    case "create_webhook_endpoint":
      return webhooks.createWebhookEndpoint(transaction, command);
    case "update_webhook_endpoint":
      return webhooks.updateWebhookEndpoint(transaction, command);
    case "rotate_webhook_secret":
      return webhooks.rotateWebhookSecret(transaction, command);
    case "delete_webhook_endpoint":
      return webhooks.deleteWebhookEndpoint(transaction, command);
    case "disable_webhook_endpoint":
      return webhooks.disableWebhookEndpoint(transaction, command);
    case "record_customer_event":
      return recordCustomerEvent(transaction, command);
    case "create_audit_log_schema":
      return createAuditLogSchema(transaction, command);
    case "create_audit_log_export":
      return createAuditLogExport(transaction, command);
    case "set_customer_event_retention":
      return setCustomerEventRetention(transaction, command);
    // Policies on keys
    case "set_api_key_policy":
      return setApiKeyPolicy(transaction, command);
    // Requests for keys
    case "create_api_key_request":
      return keyRequests.createApiKeyRequest(transaction, command);
    case "approve_api_key_request":
      return keyRequests.approveApiKeyRequest(transaction, command);
    case "deny_api_key_request":
      return keyRequests.denyApiKeyRequest(transaction, command);
    case "issue_api_key_request":
      return keyRequests.issueApiKeyRequest(transaction, command);
    // Usage
    case "narrow_api_key":
      return narrowApiKey(transaction, command);
  }
}
