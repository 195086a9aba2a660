/** Webhook endpoints as the home cell keeps them. Their secrets are sealed before they get here, and opened elsewhere. */
import type { Slice, Walk } from "../../core/page.ts";
import type { EndpointSettings } from "../webhooks/contract.ts";
import { isoTime } from "./iso-time.ts";
import type { WebhookEndpointView } from "./view.ts";
import { walkTable } from "./walk-table.ts";

/** An endpoint as stored. `events` is JSON. A deleted one stays until its dispatcher knows. */
export interface WebhookEndpointRow extends Record<string, SqlStorageValue> {
  id: string;
  endpoint_url: string;
  status: "enabled" | "disabled" | "deleted";
  disabled_reason: "gone" | "sustained_failure" | null;
  events: string;
  sealed_secret: string;
  sealed_previous_secret: string | null;
  previous_secret_ends_at_ms: number | null;
  version: number;
  told_version: number;
  created_at_ms: number;
  updated_at_ms: number;
}

/** An endpoint and its sealed secret. */
export interface SealedWebhookEndpoint {
  readonly endpoint: WebhookEndpointView;
  readonly sealedSecret: string;
}

/** Endpoints that have not been deleted. */
const STANDING = "(SELECT * FROM webhook_endpoints WHERE status != 'deleted')";

/** An endpoint that has not been deleted, or undefined. */
export function webhookEndpointRow(sql: SqlStorage, id: string): WebhookEndpointRow | undefined {
  return sql.exec<WebhookEndpointRow>(`SELECT * FROM ${STANDING} WHERE id = ?`, id).toArray()[0];
}

/** An endpoint's public shape without its secret, or null. */
export function webhookEndpointView(sql: SqlStorage, id: string): WebhookEndpointView | null {
  const row = webhookEndpointRow(sql, id);
  return row ? toEndpoint(row) : null;
}

/** An endpoint as its own events show it: without the query of its URL, which may hold a secret of the receiver's. */
export function webhookEndpointInEvents(sql: SqlStorage, id: string): WebhookEndpointView | null {
  const view = webhookEndpointView(sql, id);
  return view && { ...view, endpoint_url: withoutQuery(view.endpoint_url) };
}

/** A URL up to its query. */
export function withoutQuery(url: string): string {
  return url.split("?", 1)[0] ?? "";
}

/** An endpoint and its sealed secret, or null. */
export function sealedWebhookEndpoint(sql: SqlStorage, id: string): SealedWebhookEndpoint | null {
  const row = webhookEndpointRow(sql, id);
  return row ? toSealed(row) : null;
}

/** Endpoints on a walk. */
export function webhookEndpointSlice(sql: SqlStorage, walk: Walk): Slice<SealedWebhookEndpoint> {
  return walkTable<WebhookEndpointRow, SealedWebhookEndpoint>(sql, STANDING, {}, walk, toSealed);
}

/** Endpoints whose dispatcher does not know their latest settings. */
export function untoldSettings(sql: SqlStorage): EndpointSettings[] {
  return sql.exec<WebhookEndpointRow>("SELECT * FROM webhook_endpoints WHERE told_version < version").toArray().map(toSettings);
}

/** Notes that the dispatcher has settings; a deleted endpoint can then be forgotten. */
export function confirmSettings(sql: SqlStorage, { id, version }: EndpointSettings): void {
  sql.exec("UPDATE webhook_endpoints SET told_version = max(told_version, ?) WHERE id = ?", version, id);
  sql.exec("DELETE FROM webhook_endpoints WHERE id = ? AND status = 'deleted' AND told_version = version", id);
}

function toSealed(row: WebhookEndpointRow): SealedWebhookEndpoint {
  return { endpoint: toEndpoint(row), sealedSecret: row.sealed_secret };
}

function toEndpoint(row: WebhookEndpointRow): WebhookEndpointView {
  return {
    object: "webhook_endpoint",
    id: row.id,
    endpoint_url: row.endpoint_url,
    status: row.status === "enabled" ? "enabled" : "disabled",
    disabled_reason: row.disabled_reason,
    events: JSON.parse(row.events) as string[],
    previous_secret_expires_at: row.previous_secret_ends_at_ms === null ? null : isoTime(row.previous_secret_ends_at_ms),
    created_at: isoTime(row.created_at_ms),
    updated_at: isoTime(row.updated_at_ms),
  };
}

function toSettings(row: WebhookEndpointRow): EndpointSettings {
  const { id, endpoint_url, status, version, sealed_secret, sealed_previous_secret, previous_secret_ends_at_ms } = row;
  const events = JSON.parse(row.events) as string[];
  return { id, endpoint_url, status, events, version, sealed_secret, sealed_previous_secret, previous_secret_ends_at_ms };
}
