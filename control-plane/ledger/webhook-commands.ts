/** Commands on webhook endpoints. They run in the home cell, which then tells the endpoint's dispatcher. No entry holds a secret. */
import { quoteId } from "../../core/identifier.ts";
import type { Command } from "./command.ts";
import { refuse, type Transaction } from "./transaction.ts";
import { webhookEndpointRow, webhookEndpointView, withoutQuery, type WebhookEndpointRow } from "./webhook-endpoints.ts";

type Of<Type extends Command["type"]> = Extract<Command, { type: Type }>;

/** Each of them is told of every change that it may be interested in. */
const ENDPOINTS_MAX = 100;

/** Adds an endpoint, enabled. It hears of what is committed after the call has returned. */
export function createWebhookEndpoint(transaction: Transaction, command: Of<"create_webhook_endpoint">): Record<string, unknown> {
  const { sql, nowMs } = transaction;
  const { id, endpoint_url, events, sealed_secret } = command;
  requireNewUrl(transaction, endpoint_url);
  const { count } = sql.exec<{ count: number }>("SELECT count(*) AS count FROM webhook_endpoints WHERE status != 'deleted'").one();
  if (count >= ENDPOINTS_MAX)
    refuse("webhook_endpoint_limit", `There are ${ENDPOINTS_MAX} webhook endpoints. Delete one that is not needed.`);
  const seq = transaction.append("webhook_endpoint.created", id, { id, endpoint_url: withoutQuery(endpoint_url), events });
  sql.exec(
    `INSERT INTO webhook_endpoints (id, endpoint_url, status, events, sealed_secret, version, created_at_ms, updated_at_ms)
     VALUES (?, ?, 'enabled', ?, ?, ?, ?, ?)`,
    id,
    endpoint_url,
    JSON.stringify(events),
    sealed_secret,
    seq,
    nowMs,
    nowMs,
  );
  return { ...webhookEndpointView(sql, id) };
}

/** Changes where an endpoint is, what it hears of, or whether it is sent anything. */
export function updateWebhookEndpoint(transaction: Transaction, command: Of<"update_webhook_endpoint">): Record<string, unknown> {
  const { sql } = transaction;
  const row = webhookEndpointRow(sql, command.id) ?? missing(command.id);
  const { endpoint_url = row.endpoint_url, status = row.status, events = JSON.parse(row.events) as string[] } = command;
  if (endpoint_url !== row.endpoint_url) requireNewUrl(transaction, endpoint_url);
  const seq = transaction.append("webhook_endpoint.updated", command.id, {
    id: command.id,
    endpoint_url: withoutQuery(endpoint_url),
    status,
    events,
    previous_attributes: { endpoint_url: withoutQuery(row.endpoint_url), status: row.status, events: JSON.parse(row.events) as string[] },
  });
  const disabled_reason = status === "enabled" ? null : row.disabled_reason;
  change(transaction, command.id, seq, { endpoint_url, status, events: JSON.stringify(events), disabled_reason });
  return { ...webhookEndpointView(sql, command.id) };
}

/** Gives an endpoint a new secret; the one before signs, too, for a time. */
export function rotateWebhookSecret(transaction: Transaction, command: Of<"rotate_webhook_secret">): Record<string, unknown> {
  const { sql, nowMs } = transaction;
  const row = webhookEndpointRow(sql, command.id) ?? missing(command.id);
  const overlaps = command.overlap_ms > 0;
  const previous_secret_ends_at_ms = overlaps ? nowMs + command.overlap_ms : null;
  const seq = transaction.append("webhook_endpoint.secret_rotated", command.id, { id: command.id, previous_secret_ends_at_ms });
  change(transaction, command.id, seq, {
    sealed_secret: command.sealed_secret,
    sealed_previous_secret: overlaps ? row.sealed_secret : null,
    previous_secret_ends_at_ms,
  });
  return { ...webhookEndpointView(sql, command.id) };
}

/** Disables an endpoint that no longer takes what it is sent, if its settings are still those under which it did not. */
export function disableWebhookEndpoint(transaction: Transaction, command: Of<"disable_webhook_endpoint">): Record<string, unknown> {
  const { id, version, reason } = command;
  const row = webhookEndpointRow(transaction.sql, id) ?? missing(id);
  if (row.version !== version) refuse("version_conflict", "The webhook endpoint has been changed meanwhile.");
  const seq = transaction.append("webhook_endpoint.disabled", id, { id, endpoint_url: withoutQuery(row.endpoint_url), reason });
  change(transaction, id, seq, { status: "disabled", disabled_reason: reason });
  return { ...webhookEndpointView(transaction.sql, id) };
}

/** Ends an endpoint; what it has not been sent it never will be. */
export function deleteWebhookEndpoint(transaction: Transaction, command: Of<"delete_webhook_endpoint">): Record<string, unknown> {
  const row = webhookEndpointRow(transaction.sql, command.id) ?? missing(command.id);
  const seq = transaction.append("webhook_endpoint.deleted", command.id, { id: command.id, endpoint_url: withoutQuery(row.endpoint_url) });
  change(transaction, command.id, seq, { status: "deleted" });
  return { id: command.id };
}

function change({ sql, nowMs }: Transaction, id: string, version: number, columns: Partial<WebhookEndpointRow>): void {
  const all = { ...columns, version, updated_at_ms: nowMs };
  const assignments = Object.keys(all).map((column) => `${column} = ?`);
  sql.exec(`UPDATE webhook_endpoints SET ${assignments.join(", ")} WHERE id = ?`, ...Object.values(all), id);
}

function requireNewUrl({ sql }: Transaction, url: string): void {
  if (sql.exec("SELECT 1 FROM webhook_endpoints WHERE endpoint_url = ? AND status != 'deleted'", url).toArray().length > 0)
    refuse("already_exists", "There is a webhook endpoint with this URL already.", "endpoint_url");
}

function missing(id: string): never {
  return refuse("entity_not_found", `Webhook endpoint not found: ${quoteId(id)}.`);
}
