/**
 * Rules for the keys of the platform organization, which govern Portcullis itself. They all live in one cell, so what the
 * caller holds is read in the transaction that makes the change: no caller acts on permissions that were taken meanwhile.
 */
import { PLATFORM_ORGANIZATION_ID } from "../../core/identifier.ts";
import { areWithin } from "../../core/network.ts";
import { endsLater } from "../../core/policy-judgement.ts";
import type { Lineage } from "../../core/lineage.ts";
import { intersect, notCovered, PLATFORM_PERMISSIONS } from "../../core/permission.ts";
import type { ApiKeyRow } from "./api-keys.ts";
import type { Actor, AdminRoles } from "./command.ts";
import { refuse, type Transaction } from "./transaction.ts";

/** Nobody gives a platform key what they do not hold themselves. */
export function requireMayGrant(transaction: Transaction, permissions: readonly string[]): void {
  const beyond = notCovered(permissions, heldByActor(transaction));
  if (beyond.length > 0)
    refuse("permission_not_assignable", `You may not grant what you do not hold: ${beyond.join(", ")}.`, "permissions");
}

/** Nobody changes or ends a platform key that can do more than they can. */
export function requireMayGovern(transaction: Transaction, key: ApiKeyRow): void {
  if (key.organization_id !== PLATFORM_ORGANIZATION_ID) return;
  const beyond = notCovered(permissionsOf(key), heldByActor(transaction));
  if (beyond.length > 0)
    refuse("insufficient_permissions", `This key can do what yours cannot: ${beyond.join(", ")}. Use a key that holds these permissions.`);
}

/** What binds a key besides its permissions. Absent: not asked about. */
interface Bounds {
  readonly expires_at_ms?: number | null;
  readonly allowed_networks?: readonly string[] | null;
}

/**
 * Nobody who calls with a platform key lets one live longer, or work from more networks, than their own: not their own key, and not
 * another one that they make, prolong, widen, enable or get the secret of. Otherwise such a key would be the way out of what binds theirs.
 */
export function requireWithinOwnBounds(transaction: Transaction, organizationId: string, wanted: Bounds): void {
  if (organizationId !== PLATFORM_ORGANIZATION_ID || transaction.actor.type !== "api_key") return;
  const own = keyOfActor(transaction);
  if (!own) refuse("insufficient_permissions", "Your key has ended.");
  if (wanted.expires_at_ms !== undefined && endsLater(wanted.expires_at_ms, own.expires_at_ms))
    refuse(
      "insufficient_permissions",
      "A key cannot let a platform key live longer than itself. Use a key without an end, or an earlier end.",
    );
  const ownNetworks = networksOf(own);
  if (wanted.allowed_networks === undefined || ownNetworks === null) return;
  if (wanted.allowed_networks === null || !areWithin(wanted.allowed_networks, ownNetworks))
    refuse(
      "insufficient_permissions",
      `A key cannot let a platform key work from networks that are not its own: ${ownNetworks.join(", ")}. Use a key that is bound to none.`,
    );
}

/** Whoever gets a key's secret, gives it a permission or lets it work again must be bound by no more than it is. */
export function requireBoundsWithinOwn(transaction: Transaction, key: ApiKeyRow, allowedNetworks = networksOf(key)): void {
  if (transaction.actor.id === key.id) return;
  const { organization_id, expires_at_ms } = key;
  requireWithinOwnBounds(transaction, organization_id, { expires_at_ms, allowed_networks: allowedNetworks });
}

/**
 * Called after the change, before it is committed: every permission that the key held must be held by some enabled platform key
 * without an end. Nobody could grant it again otherwise.
 */
export function requireHoldersLeft(transaction: Transaction, before: ApiKeyRow): void {
  if (before.organization_id !== PLATFORM_ORGANIZATION_ID) return;
  const lasting = transaction.sql
    .exec<ApiKeyRow>(
      "SELECT * FROM api_keys WHERE organization_id = ? AND owner_type = 'organization' AND revoked_seq IS NULL AND disabled_at_ms IS NULL AND expires_at_ms IS NULL",
      PLATFORM_ORGANIZATION_ID,
    )
    .toArray();
  const lost = notCovered(permissionsOf(before), lasting.flatMap(permissionsOf));
  if (before.expires_at_ms === null && lost.length > 0)
    refuse("last_holder_of_permission", `No other lasting key of the platform organization holds: ${lost.join(", ")}. Make one first.`);
}

/** What the caller holds now; the system itself holds everything, a user what the identity provider vouches for. */
export function heldByActor(caller: Pick<Transaction, "actor" | "sql" | "nowMs">): readonly string[] {
  const { actor } = caller;
  if (actor.type === "system") return PLATFORM_PERMISSIONS;
  if (actor.type === "user") return intersect(actor.permissions ?? [], PLATFORM_PERMISSIONS);
  const key = keyOfActor(caller);
  return key ? permissionsOf(key) : [];
}

/** The platform key that calls, unless it has ended. */
function keyOfActor({ actor, sql, nowMs }: Pick<Transaction, "actor" | "sql" | "nowMs">): ApiKeyRow | undefined {
  return sql
    .exec<ApiKeyRow>(
      "SELECT * FROM api_keys WHERE id = ? AND organization_id = ? AND revoked_seq IS NULL AND disabled_at_ms IS NULL AND (expires_at_ms IS NULL OR expires_at_ms > ?)",
      actor.id,
      PLATFORM_ORGANIZATION_ID,
      nowMs,
    )
    .toArray()[0];
}

/**
 * A caller, who made it or was given a secret of it, and so on; only the platform organization's cell knows. A key that was revoked made
 * what it made, and a secret that has been replaced could have been used to replace it.
 */
export function lineageOf(sql: SqlStorage, caller: Pick<Actor, "type" | "id">): Lineage {
  const { id } = caller;
  const walked = [...handsBehind(sql, caller)];
  const makers = new Set(walked.flatMap(({ hands }) => hands.map((hand) => hand.id)));
  makers.delete(id);
  return { caller: id, makers: [...makers], first: walked.findLast(({ isFirst }) => isFirst)?.key ?? null };
}

/** The roles of every admin in whose hands a platform key may be; none: it comes from the installation's first key alone. */
export function adminsBehind(sql: SqlStorage, keyId: string): AdminRoles[] {
  return [...handsBehind(sql, { type: "api_key", id: keyId })].flatMap(({ hands }) =>
    hands.filter(({ type }) => type === "user").map(({ roles }) => (roles === null ? [] : (JSON.parse(roles) as string[]))),
  );
}

/** A caller's key with who has held a secret of it, then the same of each key among those, and so on. */
function* handsBehind(
  sql: SqlStorage,
  { type, id }: Pick<Actor, "type" | "id">,
): Generator<{ key: string; isFirst: boolean; hands: Hand[] }> {
  // What is added is gone through, too.
  const keys = new Set(type === "api_key" ? [id] : []);
  for (const key of keys) {
    const held = handsOf(sql, key);
    const isFirst = held.some((hand) => hand.type === "system");
    // That somebody has rotated the first key says of the keys it made no more than that it made them.
    const hands = isFirst && key !== id ? [] : held.filter((hand) => hand.type !== "system");
    for (const hand of hands) if (hand.type === "api_key") keys.add(hand.id);
    yield { key, isFirst, hands };
  }
}

/** Who has held a secret of a key. `roles`: of an admin who signed in, as JSON, null where they were not noted. */
interface Hand extends Record<string, SqlStorageValue> {
  type: Actor["type"];
  id: string;
  roles: string | null;
}

/** A key's maker, and whoever rotated it. */
function handsOf(sql: SqlStorage, keyId: string): Hand[] {
  return sql
    .exec<Hand>(
      `SELECT created_by_type AS type, created_by_id AS id, created_by_roles AS roles FROM api_keys WHERE id = ?1
       UNION ALL SELECT actor_type, actor_id, actor_roles FROM secret_receivers WHERE key_id = ?1`,
      keyId,
    )
    .toArray();
}

/** Remembers, for good, who was given a new secret of a platform key, with the roles they then had: they can act as that key. */
export function noteReceiver({ sql, actor }: Transaction, key: ApiKeyRow): void {
  if (key.organization_id !== PLATFORM_ORGANIZATION_ID) return;
  sql.exec(
    `INSERT INTO secret_receivers (key_id, actor_type, actor_id, actor_roles) VALUES (?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET actor_roles = excluded.actor_roles`,
    key.id,
    actor.type,
    actor.id,
    rolesToNote(actor),
  );
}

/** The roles of an admin who signed in, as they are stored; null for everybody else. */
export function rolesToNote({ type, admins }: Actor): string | null {
  return type === "user" && admins?.[0] ? JSON.stringify(admins[0]) : null;
}

function permissionsOf(key: ApiKeyRow): string[] {
  return intersect(JSON.parse(key.permissions) as string[], PLATFORM_PERMISSIONS);
}

function networksOf({ allowed_networks }: ApiKeyRow): readonly string[] | null {
  return allowed_networks === null ? null : (JSON.parse(allowed_networks) as string[]);
}
