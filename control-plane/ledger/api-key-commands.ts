/** Commands in a key's life. */
import { PLATFORM_ORGANIZATION_ID, quoteId } from "../../core/identifier.ts";
import { canonical, notCovered, PLATFORM_PERMISSIONS } from "../../core/permission.ts";
import type { ActiveRecord } from "../../core/record.ts";
import { endsLater } from "../../core/policy-judgement.ts";
import { apiKeyView, unrevokedKey, type ApiKeyRow } from "./api-keys.ts";
import type { AskedKey, Command, KeyAttributes, KeyOwner, MintedToken } from "./command.ts";
import { holdablePermissions } from "./holdable.ts";
import { noteImposedEnd } from "./imposed-ends.ts";
import { missing, noteChange } from "./key-change.ts";
import { attributeChange, writeAttributes } from "./key-attributes.ts";
import { scheduleEnabled, scheduleFromNow } from "./key-schedule.ts";
import {
  requireBoundsWithinOwn,
  requireHoldersLeft,
  requireMayGovern,
  requireMayGrant,
  requireWithinOwnBounds,
  rolesToNote,
} from "./platform-keys.ts";
import { requireMayBecome, requireMayBeMade, requireMayGoOn } from "./policy-enforcement.ts";
import { addSecret } from "./secrets.ts";
import { organizationView } from "./tenancy.ts";
import { refuse, type Transaction } from "./transaction.ts";

type Of<Type extends Command["type"]> = Extract<Command, { type: Type }>;

/** Issues a key. Its permissions must be among those its owner may hold, and the caller may grant. */
export function createApiKey(transaction: Transaction, command: Of<"create_api_key">): Record<string, unknown> {
  const { id, minted, attributes = {}, imported = false } = command;
  const made = requireMakeable(transaction, { ...command, attributes }, { isApproved: false });
  if (imported && transaction.sql.exec("SELECT 1 FROM tokens WHERE token_id = ?", minted.token_id).toArray().length > 0)
    refuse("already_exists", "A key with this hash was imported already, and may have been revoked since.", "sha256");
  return insertKey(transaction, { ...made, id, minted, imported });
}

/** What a key that is asked for comes to; refused if its owner, the catalogue or the policy does not allow it now. */
export function requireMakeable(
  transaction: Transaction,
  asked: Omit<AskedKey, "environment">,
  { isApproved }: { readonly isApproved: boolean },
): Pick<NewKey, "owner" | "name" | "permissions" | "expires_at_ms" | "attributes"> {
  const { name, attributes } = asked;
  const owner = standingOwner(transaction, asked.owner);
  const permissions = grantable(transaction, owner, asked.permissions);
  if (typeof asked.expires_at_ms === "number" && asked.expires_at_ms <= transaction.nowMs)
    refuse("invalid_expiry", "expires_at must be in the future.", "expires_at");
  const { allowed_networks = null } = attributes;
  const expires_at_ms = requireMayBeMade(transaction, {
    owner,
    permissions,
    expires_at_ms: asked.expires_at_ms,
    allowed_networks,
    isApproved,
  });
  requireWithinOwnBounds(transaction, owner.id, { expires_at_ms, allowed_networks });
  return { owner, name, permissions, expires_at_ms, attributes };
}

/** Creates the platform organization with its first key, once and never again. */
export function bootstrap(transaction: Transaction, command: Of<"bootstrap">): Record<string, unknown> {
  const { sql, nowMs } = transaction;
  if (organizationView(sql, PLATFORM_ORGANIZATION_ID))
    refuse("already_bootstrapped", "This installation has its first key already. Use that one to make others.");
  sql.exec(
    "INSERT INTO organizations (id, name, created_at_ms, updated_at_ms) VALUES (?, 'Platform', ?, ?)",
    PLATFORM_ORGANIZATION_ID,
    nowMs,
    nowMs,
  );
  const owner = { type: "organization", id: PLATFORM_ORGANIZATION_ID } as const;
  return insertKey(
    transaction,
    {
      id: command.id,
      owner,
      name: command.name,
      permissions: canonical(PLATFORM_PERMISSIONS),
      expires_at_ms: null,
      minted: command.minted,
      attributes: {},
      imported: false,
    },
    "installation.bootstrapped",
  );
}

/**
 * Changes what is given: name, permissions, attributes. Where it changes what the key can do, narrower or wider, copies from before
 * are void from this entry on.
 */
export function updateApiKey(transaction: Transaction, command: Of<"update_api_key">): Record<string, unknown> {
  const { sql } = transaction;
  const { id, attributes = {} } = command;
  const key = unrevokedKey(sql, id) ?? missing(id);
  requireMayGovern(transaction, key);
  requireWithinOwnBounds(transaction, key.organization_id, attributes);
  const previous = JSON.parse(key.permissions) as string[];
  const permissions =
    command.permissions === undefined ? previous : grantable(transaction, ownerOfRow(transaction, key), command.permissions);
  if (notCovered(permissions, previous).length > 0) requireBoundsWithinOwn(transaction, key, attributes.allowed_networks);
  const name = command.name ?? key.name;
  const { allowed_networks } = attributes;
  requireMayBecome(transaction, key, { permissions, ...(allowed_networks !== undefined && { allowed_networks }) });
  const change = attributeChange(sql, id, attributes);
  const seq = transaction.append("api_key.updated", id, {
    id,
    name,
    permissions,
    ...change.present,
    previous_attributes: { name: key.name, permissions: previous, ...change.previous },
  });
  sql.exec("UPDATE api_keys SET name = ?, permissions = ? WHERE id = ?", name, JSON.stringify(permissions), id);
  writeAttributes(sql, id, attributes);
  noteChange(transaction, id);
  requireHoldersLeft(transaction, key);
  if (command.permissions !== undefined || attributes.allowed_networks !== undefined) supersede(transaction, id, seq);
  return { ...apiKeyView(sql, id) };
}

/** Keeps a key from working until it is enabled again. */
export function disableApiKey(transaction: Transaction, { id }: Of<"disable_api_key">): Record<string, unknown> {
  return setDisabledAt(transaction, id, "api_key.disabled", transaction.nowMs);
}

/** Lets a key that was disabled work again. */
export function enableApiKey(transaction: Transaction, { id }: Of<"enable_api_key">): Record<string, unknown> {
  return setDisabledAt(transaction, id, "api_key.enabled", null);
}

/** A key that is disabled already stays so since then. The entry is written all the same: when the call returns, it is in force. */
function setDisabledAt(
  transaction: Transaction,
  id: string,
  entryType: "api_key.disabled" | "api_key.enabled",
  atMs: number | null,
): Record<string, unknown> {
  const { sql } = transaction;
  const key = unrevokedKey(sql, id) ?? missing(id);
  requireMayGovern(transaction, key);
  if (atMs === null) requireBoundsWithinOwn(transaction, key);
  const isEnabled = atMs === null && key.disabled_at_ms !== null;
  if (isEnabled) requireMayGoOn(transaction, key);
  const seq = transaction.append(entryType, id, {
    id,
    organization_id: key.organization_id,
    user_id: key.user_id,
    name: key.name,
    previous_attributes: { disabled_at_ms: key.disabled_at_ms },
  });
  sql.exec("UPDATE api_keys SET disabled_at_ms = ? WHERE id = ?", atMs === null ? null : (key.disabled_at_ms ?? atMs), id);
  if (isEnabled) scheduleEnabled(sql, id, transaction.nowMs);
  noteChange(transaction, id);
  requireHoldersLeft(transaction, key);
  supersede(transaction, id, seq);
  return { ...apiKeyView(sql, id) };
}

/** Sets, moves or clears the end of a key. A key that has ended stays ended. */
export function expireApiKey(transaction: Transaction, command: Of<"expire_api_key">): Record<string, unknown> {
  const { sql, nowMs } = transaction;
  const key = unrevokedKey(sql, command.id) ?? missing(command.id);
  requireMayGovern(transaction, key);
  if (key.expires_at_ms !== null && key.expires_at_ms <= nowMs) refuse("api_key_already_expired", "The API key has expired already.");
  const expires = command.expires_at_ms === "now" ? nowMs : command.expires_at_ms === null ? null : Math.max(command.expires_at_ms, nowMs);
  if (endsLater(expires, key.expires_at_ms)) requireWithinOwnBounds(transaction, key.organization_id, { expires_at_ms: expires });
  requireMayBecome(transaction, key, { expires_at_ms: expires });
  const seq = transaction.append("api_key.updated", command.id, {
    id: command.id,
    expires_at_ms: expires,
    previous_attributes: { expires_at_ms: key.expires_at_ms },
  });
  sql.exec("UPDATE api_keys SET expires_at_ms = ? WHERE id = ?", expires, command.id);
  noteImposedEnd(transaction, key, expires);
  scheduleFromNow(sql, command.id, nowMs);
  noteChange(transaction, command.id);
  requireHoldersLeft(transaction, key);
  supersede(transaction, command.id, seq);
  return { ...apiKeyView(sql, command.id) };
}

/** Ends a key for good. */
export function revokeApiKey(transaction: Transaction, command: Of<"revoke_api_key">): Record<string, unknown> {
  const { sql } = transaction;
  const key = unrevokedKey(sql, command.id) ?? missing(command.id);
  requireMayGovern(transaction, key);
  const seq = transaction.append("api_key.revoked", command.id, {
    id: command.id,
    organization_id: key.organization_id,
    user_id: key.user_id,
    name: key.name,
  });
  sql.exec("UPDATE api_keys SET revoked_seq = ? WHERE id = ?", seq, command.id);
  noteChange(transaction, command.id);
  requireHoldersLeft(transaction, key);
  transaction.raise(`key:${command.id}`, "revoked", seq);
  transaction.publishKey(command.id, seq);
  return { id: command.id };
}

interface NewKey {
  readonly id: string;
  readonly owner: ActiveRecord["owner"];
  readonly name: string;
  readonly permissions: readonly string[];
  readonly expires_at_ms: number | null;
  readonly minted: MintedToken;
  readonly attributes: KeyAttributes;
  readonly imported: boolean;
  /** The request it was made for, if it was. */
  readonly request_id?: string;
}

/** Writes a new key that may be made. */
export function insertKey(
  transaction: Transaction,
  key: NewKey,
  entryType: "api_key.created" | "installation.bootstrapped" = "api_key.created",
): Record<string, unknown> {
  const { sql, nowMs, actor } = transaction;
  const { id, owner, name, permissions, expires_at_ms, minted, attributes, imported, request_id } = key;
  const organizationId = owner.type === "user" ? owner.organization_id : owner.id;
  const userId = owner.type === "user" ? owner.id : null;
  const { token_id, obfuscated_value, environment } = minted;
  const seq = transaction.append(entryType, id, {
    id,
    organization_id: organizationId,
    user_id: userId,
    name,
    permissions,
    expires_at_ms,
    token_id,
    obfuscated_value,
    environment,
    ...attributes,
    ...(imported && { imported }),
    ...(request_id !== undefined && { request_id }),
  });
  sql.exec(
    `INSERT INTO api_keys (id, owner_type, organization_id, user_id, name, obfuscated_value, environment, permissions, expires_at_ms,
      created_at_ms, updated_at_ms, created_by_type, created_by_id, created_by_roles, updated_by_type, updated_by_id)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    id,
    owner.type,
    organizationId,
    userId,
    name,
    obfuscated_value,
    environment,
    JSON.stringify(permissions),
    expires_at_ms,
    nowMs,
    nowMs,
    actor.type,
    actor.id,
    rolesToNote(actor),
    actor.type,
    actor.id,
  );
  writeAttributes(sql, id, attributes);
  noteImposedEnd(transaction, { id, user_id: userId }, expires_at_ms);
  scheduleFromNow(sql, id, nowMs);
  addSecret(transaction, id, minted, seq);
  return { ...apiKeyView(sql, id) };
}

function supersede(transaction: Transaction, keyId: string, seq: number): void {
  transaction.raise(`key:${keyId}`, "superseded", seq);
  transaction.publishKey(keyId, seq);
}

/** Nobody is granted what the owner may not hold, nor what the caller may not give. */
function grantable(transaction: Transaction, owner: ActiveRecord["owner"], permissions: readonly string[]): string[] {
  const holdable = holdablePermissions(transaction.sql, owner);
  const beyondOwner = notCovered(permissions, holdable);
  if (beyondOwner.length > 0) refuse("permission_not_assignable", `The owner may not hold: ${beyondOwner.join(", ")}.`, "permissions");
  if (owner.id === PLATFORM_ORGANIZATION_ID) requireMayGrant(transaction, permissions);
  return canonical(permissions);
}

function standingOwner(transaction: Transaction, owner: KeyOwner): ActiveRecord["owner"] {
  const organizationId = owner.type === "user" ? owner.organization_id : owner.id;
  const organization =
    organizationView(transaction.sql, organizationId) ?? refuse("entity_not_found", `Organization not found: ${quoteId(organizationId)}.`);
  if (organization.suspended_at !== null) refuse("organization_suspended", "The organization is suspended. Resume it first.");
  return owner.type === "organization" ? owner : { ...owner, role: roleOf(transaction, owner.id, organizationId) };
}

function ownerOfRow(transaction: Transaction, key: ApiKeyRow): ActiveRecord["owner"] {
  if (key.user_id === null) return { type: "organization", id: key.organization_id };
  return {
    type: "user",
    id: key.user_id,
    organization_id: key.organization_id,
    role: roleOf(transaction, key.user_id, key.organization_id),
  };
}

function roleOf(transaction: Transaction, userId: string, organizationId: string): string {
  const [row] = transaction.sql
    .exec<{ role: string }>(
      "SELECT role FROM memberships WHERE organization_id = ? AND user_id = ? AND status = 'active'",
      organizationId,
      userId,
    )
    .toArray();
  return row?.role ?? refuse("membership_not_active", "The user has no active membership in this organization.", "organization_id");
}
