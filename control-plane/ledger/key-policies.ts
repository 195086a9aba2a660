/** Policies on keys as a cell keeps them: its organizations' own settings, and a copy of the installation's defaults. */
import { effectivePolicy, type ApiKeyPolicy, type ApiKeyPolicySettings } from "../../core/api-key-policy.ts";
import { PLATFORM_ORGANIZATION_ID } from "../../core/identifier.ts";
import { INSTALLATION } from "./concerned-organizations.ts";
import { isoTime } from "./iso-time.ts";
import type { ApiKeyPolicyView } from "./view.ts";

/** What was set in one place, and when. */
export interface PolicyLayer {
  readonly settings: ApiKeyPolicySettings;
  readonly updated_at_ms: number;
}

/** What was set for an organization, or, as {@link INSTALLATION}, for all of them; undefined if nothing was. */
export function policyLayer(sql: SqlStorage, organizationId: string): PolicyLayer | undefined {
  const [row] = sql
    .exec<{ settings: string; updated_at_ms: number }>(
      "SELECT settings, updated_at_ms FROM api_key_policies WHERE organization_id = ?",
      organizationId,
    )
    .toArray();
  return row && { settings: JSON.parse(row.settings) as ApiKeyPolicySettings, updated_at_ms: row.updated_at_ms };
}

/** The policy that holds in an organization. Keys that govern Portcullis itself have no limits, so that nobody is locked out; their ends are told of. */
export function policyOf(sql: SqlStorage, organizationId: string): ApiKeyPolicy {
  const defaults = policyLayer(sql, INSTALLATION)?.settings ?? {};
  if (organizationId !== PLATFORM_ORGANIZATION_ID) return effectivePolicy(defaults, policyLayer(sql, organizationId)?.settings ?? {});
  const { expiry_notice_days } = effectivePolicy(defaults);
  return effectivePolicy({ expiry_notice_days });
}

/** An organization's policy in its public shape, or that of the installation. */
export function policyView(sql: SqlStorage, organizationId: string): ApiKeyPolicyView {
  const layer = policyLayer(sql, organizationId);
  return {
    object: "api_key_policy",
    organization_id: organizationId === INSTALLATION ? null : organizationId,
    settings: layer?.settings ?? {},
    effective: policyOf(sql, organizationId),
    updated_at: layer ? isoTime(layer.updated_at_ms) : null,
  };
}

/** Puts a layer in place of what is there, and has the keys it is about looked at anew. Only inside a transaction. */
export function putPolicyLayer(sql: SqlStorage, organizationId: string, { settings, updated_at_ms }: PolicyLayer): void {
  sql.exec("INSERT OR REPLACE INTO api_key_policies VALUES (?, ?, ?)", organizationId, JSON.stringify(settings), updated_at_ms);
  sql.exec("INSERT OR REPLACE INTO api_key_reschedulings VALUES (?, '')", organizationId);
}

/** Takes the home cell's defaults over. */
export function takePolicyDefaults(sql: SqlStorage, defaults: PolicyLayer | null): void {
  if (defaults && JSON.stringify(defaults) !== JSON.stringify(policyLayer(sql, INSTALLATION))) putPolicyLayer(sql, INSTALLATION, defaults);
}
