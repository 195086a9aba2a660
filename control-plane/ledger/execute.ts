/** A command from door to entry: recognise a repeat, do it in one transaction, remember the answer. */
import * as apiKeys from "./api-key-commands.ts";
import * as catalogue from "./catalogue-commands.ts";
import type { Command, CommandEnvelope, Outcome } from "./command.ts";
import { latestSeq } from "./journal.ts";
import { replaceRoutes } from "./route-commands.ts";
import { requireWithinSelfServe } from "./self-serve.ts";
import * as tenancy from "./tenancy-commands.ts";
import { refuse, RefusalError, Transaction } from "./transaction.ts";

/** How long an Idempotency-Key is remembered. */
export const COMMAND_KEPT_MS = 24 * 60 * 60 * 1000;

/** Runs a command, or answers as it was answered before. A refusal leaves no trace. Of the receipt it knows nothing. */
export function execute(storage: DurableObjectStorage, envelope: CommandEnvelope, nowMs: number): Outcome {
  try {
    return storage.transactionSync(() => replay(storage.sql, envelope, nowMs) ?? perform(storage.sql, envelope, nowMs));
  } catch (error) {
    if (error instanceof RefusalError) return { ok: false, refusal: error.refusal };
    throw error;
  }
}

/** Forgets commands older than {@link COMMAND_KEPT_MS}. */
export function forgetOldCommands(sql: SqlStorage, nowMs: number): void {
  sql.exec("DELETE FROM commands WHERE at_ms <= ?", nowMs - COMMAND_KEPT_MS);
}

/** When the next remembered command may be forgotten, or null. */
export function nextForgettingAtMs(sql: SqlStorage): number | null {
  const { oldest } = sql.exec<{ oldest: number | null }>("SELECT min(at_ms) AS oldest FROM commands").one();
  return oldest === null ? null : oldest + COMMAND_KEPT_MS;
}

function replay(sql: SqlStorage, envelope: CommandEnvelope, nowMs: number): Outcome | undefined {
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
  const transaction = new Transaction(sql, nowMs, envelope.actor);
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
      return tenancy.createOrganization(transaction, command);
    case "create_user":
      return tenancy.createUser(transaction, command);
    case "create_membership":
      return tenancy.createMembership(transaction, command);
    case "change_membership_role":
      return tenancy.changeMembershipRole(transaction, command);
    case "end_membership":
      return tenancy.endMembership(transaction, command);
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
      return catalogue.createRole(transaction, command);
    case "set_role_permissions":
      return catalogue.setRolePermissions(transaction, command);
    case "replace_routes":
      return replaceRoutes(transaction, command);
  }
}
