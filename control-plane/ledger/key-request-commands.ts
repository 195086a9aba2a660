/**
 * Commands on requests for keys: asked for by one admin, decided by another, collected by the first. The secret is made when the key is
 * collected, so nobody but who asked for it ever sees it. Everything is judged anew at that moment, by what holds then.
 */
import { PLATFORM_ORGANIZATION_ID, quoteId } from "../../core/identifier.ts";
import { insertKey, requireMakeable } from "./api-key-commands.ts";
import type { Command } from "./command.ts";
import { askedOf, keyRequestRow, keyRequestView, type KeyRequestRow } from "./key-requests.ts";
import { refuse, type Transaction } from "./transaction.ts";

type Of<Type extends Command["type"]> = Extract<Command, { type: Type }>;

/** How long a request waits to be decided, and once more, when it was approved, to be collected at most. */
const OPEN_MS = 7 * 86_400_000;

/** Asks for a key that could be made now, but for the approval. */
export function createApiKeyRequest(transaction: Transaction, command: Of<"create_api_key_request">): Record<string, unknown> {
  const { sql, nowMs, actor, reason = null } = transaction;
  const { id, owner, name, expires_at_ms, environment, attributes } = command;
  const [organizationId, userId] = owner.type === "user" ? [owner.organization_id, owner.id] : [owner.id, null];
  if (organizationId === PLATFORM_ORGANIZATION_ID)
    refuse("platform_organization", "Keys of the platform organization are made, not asked for.");
  const made = requireMakeable(transaction, command, { isApproved: true });
  const asked = { owner, name, permissions: made.permissions, expires_at_ms, environment, attributes };
  transaction.append("api_key_request.created", id, { id, organization_id: organizationId, user_id: userId, asked });
  sql.exec(
    `INSERT INTO api_key_requests (id, organization_id, user_id, status, asked, requested_by_type, requested_by_id, reason,
      expires_at_ms, created_at_ms, updated_at_ms) VALUES (?, ?, ?, 'pending', ?, ?, ?, ?, ?, ?, ?)`,
    id,
    organizationId,
    userId,
    JSON.stringify(asked),
    actor.type,
    actor.id,
    reason,
    nowMs + OPEN_MS,
    nowMs,
    nowMs,
  );
  return { ...keyRequestView(sql, id) };
}

/** Lets who asked collect the key. */
export function approveApiKeyRequest(transaction: Transaction, { id }: Of<"approve_api_key_request">): Record<string, unknown> {
  return decide(transaction, id, "approved");
}

/** Ends a request without a key. */
export function denyApiKeyRequest(transaction: Transaction, { id }: Of<"deny_api_key_request">): Record<string, unknown> {
  return decide(transaction, id, "denied");
}

/**
 * Whether both may be one person, who holds several credentials, was asked before; see key-request-objections.ts. An admin who signed in cannot be
 * asked for later, so their word is good for no longer than their sign-in.
 */
function decide(transaction: Transaction, id: string, status: "approved" | "denied"): Record<string, unknown> {
  const { sql, nowMs, actor } = transaction;
  const { signed_in_until_ms: signedInUntilMs = Infinity } = actor;
  const request = openRequest(transaction, id, "pending");
  if (isRequester(transaction, request)) refuse("self_approval", "You asked for this key yourself. Somebody else must decide.");
  transaction.append(`api_key_request.${status}`, id, told(request));
  sql.exec(
    `UPDATE api_key_requests SET status = ?, decided_by_type = ?, decided_by_id = ?, decided_at_ms = ?, expires_at_ms = ?, updated_at_ms = ? WHERE id = ?`,
    status,
    actor.type,
    actor.id,
    nowMs,
    Math.min(nowMs + OPEN_MS, signedInUntilMs),
    nowMs,
    id,
  );
  return { ...keyRequestView(sql, id) };
}

/** Makes the key that was asked for and approved, for who asked. */
export function issueApiKeyRequest(transaction: Transaction, command: Of<"issue_api_key_request">): Record<string, unknown> {
  const { sql, nowMs } = transaction;
  const { id, api_key_id, minted } = command;
  const request = openRequest(transaction, id, "approved");
  if (!isRequester(transaction, request)) refuse("insufficient_permissions", "Only who asked for the key can collect it.");
  const made = requireMakeable(transaction, askedOf(request), { isApproved: true });
  transaction.append("api_key_request.issued", id, { ...told(request), api_key_id });
  sql.exec("UPDATE api_key_requests SET status = 'issued', api_key_id = ?, updated_at_ms = ? WHERE id = ?", api_key_id, nowMs, id);
  return insertKey(transaction, { ...made, id: api_key_id, minted, imported: false, request_id: id });
}

/** Ends requests whose time is up, a few at a time. */
export function expireKeyRequests(transaction: Transaction, limit: number): void {
  const { sql, nowMs } = transaction;
  const due = sql
    .exec<KeyRequestRow>(
      "SELECT * FROM api_key_requests WHERE status IN ('pending', 'approved') AND expires_at_ms <= ? ORDER BY expires_at_ms LIMIT ?",
      nowMs,
      limit,
    )
    .toArray();
  for (const request of due) {
    // Of an organization that has ended there is nobody to tell.
    if (keyRequestRow(sql, request.id)) transaction.append("api_key_request.expired", request.id, told(request));
    sql.exec("UPDATE api_key_requests SET status = 'expired', updated_at_ms = ? WHERE id = ?", nowMs, request.id);
  }
}

/** When the next request's time is up, or null. */
export function nextRequestExpiryAtMs(sql: SqlStorage): number | null {
  const query = "SELECT min(expires_at_ms) AS due FROM api_key_requests WHERE status IN ('pending', 'approved')";
  return sql.exec<{ due: number | null }>(query).one().due;
}

function openRequest({ sql, nowMs }: Transaction, id: string, status: "pending" | "approved"): KeyRequestRow {
  const request = keyRequestRow(sql, id) ?? refuse("entity_not_found", `API key request not found: ${quoteId(id)}.`);
  const standing =
    request.expires_at_ms <= nowMs && request.status !== "issued" && request.status !== "denied" ? "expired" : request.status;
  if (standing !== status) refuse("api_key_request_not_open", `The request is ${standing}, not ${status}.`);
  return request;
}

function isRequester({ actor }: Transaction, { requested_by_type, requested_by_id }: KeyRequestRow): boolean {
  return actor.type === requested_by_type && actor.id === requested_by_id;
}

function told({ id, organization_id, user_id, requested_by_type, requested_by_id }: KeyRequestRow) {
  return { id, organization_id, user_id, requested_by: { type: requested_by_type, id: requested_by_id } };
}
