/** Commands with everything filled in, for tests that talk to a ledger directly. */
import type { Command, CommandEnvelope, MintedToken, Outcome } from "../../control-plane/ledger/command.ts";
import type { LedgerContract } from "../../control-plane/ledger/contract.ts";
import { mintId } from "../../core/identifier.ts";

const random = (target: Uint8Array) => crypto.getRandomValues(target);

/** A fresh id. */
export function newId(prefix: Parameters<typeof mintId>[0], cell = 1): string {
  return mintId(prefix, Date.now(), random, cell);
}

/** What is known of a token that was minted elsewhere. */
export function minted(tokenId: string = newId("event").slice(6)): MintedToken {
  return { token_id: tokenId, sha256: "a".repeat(64), obfuscated_value: "pc_live_...abcd", environment: "live" };
}

/** An envelope sent once. */
export function envelope(command: Command, commandId: string = crypto.randomUUID(), fingerprint = "f"): CommandEnvelope {
  return { command, actor: { type: "system", id: "test" }, commandId, fingerprint, sealedReply: null, untilInForce: true };
}

/** Makes an organization in a cell; its id. */
export async function newOrganization(cell: LedgerContract): Promise<string> {
  const id = newId("org");
  replyOf(await cell.execute(envelope({ type: "create_organization", id, name: "Acme", external_id: null })));
  return id;
}

/** Makes a key of an organization. */
export async function newKey(cell: LedgerContract, organizationId: string, permissions: readonly string[] = []) {
  const id = newId("api_key");
  const token = minted();
  const owner = { type: "organization", id: organizationId } as const;
  replyOf(await cell.execute(envelope({ type: "create_api_key", id, owner, name: "CI", permissions, expires_at_ms: null, minted: token })));
  return { id, tokenId: token.token_id };
}

/** The reply of an outcome that must be a success. */
export function replyOf(outcome: Outcome): Record<string, unknown> {
  if (!outcome.ok) throw new Error(`refused: ${outcome.refusal.code}: ${outcome.refusal.message}`);
  return outcome.reply;
}
