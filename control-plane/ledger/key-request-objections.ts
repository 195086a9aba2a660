/**
 * What the platform organization's cell has to say before a request for a key is decided or collected: whether who decides may be the same
 * person as who asked, and whether who approved may still approve. Who made a key, and who has rotated it, is never forgotten; a key that has lost the permission
 * since it approved is found out when the key is collected.
 */
import { mayBeOnePerson } from "../../core/lineage.ts";
import { coversAny, type PlatformPermission } from "../../core/permission.ts";
import type { Actor, Command, Refusal } from "./command.ts";
import type { LedgerContract } from "./contract.ts";
import { keyRequestRow, type KeyRequestRow } from "./key-requests.ts";

/** What it takes to decide. */
export const APPROVING_PERMISSION: PlatformPermission = "portcullis:api_keys:approve";

/** What speaks against it; null for nothing, and for commands on anything else. */
export async function objectionToKeyRequest(
  sql: SqlStorage,
  platform: Pick<LedgerContract, "lineage" | "heldByPlatformKey">,
  command: Command,
  actor: Actor,
): Promise<Refusal | null> {
  if (command.type !== "approve_api_key_request" && command.type !== "deny_api_key_request" && command.type !== "issue_api_key_request")
    return null;
  const request = keyRequestRow(sql, command.id);
  if (!request) return null;
  return command.type === "issue_api_key_request" ? approverGone(platform, request) : sameHands(platform, request, actor);
}

async function sameHands(
  platform: Pick<LedgerContract, "lineage">,
  { requested_by_type: type, requested_by_id: id }: KeyRequestRow,
  actor: Actor,
): Promise<Refusal | null> {
  const [requester, decider] = await Promise.all([platform.lineage({ type, id }), platform.lineage({ type: actor.type, id: actor.id })]);
  if (!mayBeOnePerson(requester, decider)) return null;
  const message =
    "You may be who asked for this key: one of the two credentials made or rotated the other, or the same one made or rotated both. Somebody else must decide.";
  return { code: "self_approval", message };
}

/** An admin of the identity provider was believed when they approved, and cannot be asked for again: their approval ends with their sign-in. */
async function approverGone(platform: Pick<LedgerContract, "heldByPlatformKey">, request: KeyRequestRow): Promise<Refusal | null> {
  const { status, decided_by_type, decided_by_id } = request;
  if (status !== "approved" || decided_by_type !== "api_key" || decided_by_id === null) return null;
  if (coversAny(await platform.heldByPlatformKey(decided_by_id), APPROVING_PERMISSION)) return null;
  return { code: "approval_void", message: "The key that approved this may not approve any more. Make another request." };
}
