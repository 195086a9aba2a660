/**
 * The commands a Ledger takes. Each is one entry, one transaction, and idempotent: a command sent again under the same
 * `commandId` answers the same and changes nothing. Inputs are already parsed; what only the ledger can know (does it
 * exist, may the owner hold it) is checked inside the transaction.
 */
import type { Route } from "../../core/route.ts";
import type { ReceiptView } from "./view.ts";

/** Who caused an entry. */
export interface Actor {
  readonly type: "api_key" | "system" | "user";
  /**
   * `api_key_…`; a member's `user_…`; `<issuer>#<subject>` of an admin who signed in with the operator's identity provider; or the name
   * of the part of the system.
   */
  readonly id: string;
  /** Of such an admin: the platform permissions that their identity provider vouches for. */
  readonly permissions?: readonly string[];
  /** Of who acts through a widget: the only keys they reach. */
  readonly self_serve?: SelfServe;
}

/** Keys of one organization, or of one of its members: all that somebody who acts through a widget sees and touches. */
export type SelfServe =
  /** `user_id` is null where the widget's token names nobody. */
  | { readonly keys: "organization"; readonly organization_id: string; readonly user_id: string | null }
  | { readonly keys: "user"; readonly organization_id: string; readonly user_id: string };

/** Owner of a key as asked for; the role of a user is looked up by the ledger. */
export type KeyOwner =
  | { readonly type: "organization"; readonly id: string }
  | { readonly type: "user"; readonly id: string; readonly organization_id: string };

/** Where a permission may be granted. */
export interface EnabledFor {
  readonly user_api_keys: boolean;
  readonly organization_api_keys: boolean;
}

/** What all commands on a minted token share; the token itself never reaches the ledger. */
export interface MintedToken {
  readonly token_id: string;
  readonly sha256: string;
  readonly obfuscated_value: string;
  readonly environment: "live" | "test";
}

/** What can be asked of a cell. Ids are minted by the sender, times are milliseconds since the epoch, names are those of the HTTP API. */
export type Command =
  // An organization's cell
  | { readonly type: "create_organization"; readonly id: string; readonly name: string; readonly external_id: string | null }
  | {
      readonly type: "create_membership";
      readonly id: string;
      readonly organization_id: string;
      readonly user_id: string;
      readonly user_email: string;
      readonly role: string;
    }
  | { readonly type: "change_membership_role"; readonly id: string; readonly role: string }
  | { readonly type: "end_membership"; readonly id: string }
  | {
      readonly type: "create_api_key";
      readonly id: string;
      readonly owner: KeyOwner;
      readonly name: string;
      readonly permissions: readonly string[];
      readonly expires_at_ms: number | null;
      readonly minted: MintedToken;
    }
  | {
      readonly type: "update_api_key";
      readonly id: string;
      readonly name?: string;
      readonly permissions?: readonly string[];
    }
  /** `expires_at_ms` at or before now ends the key now; null clears a scheduled end. */
  | { readonly type: "expire_api_key"; readonly id: string; readonly expires_at_ms: number | "now" | null }
  | { readonly type: "revoke_api_key"; readonly id: string }
  /** Creates the platform organization and its first key; refused once done. */
  | { readonly type: "bootstrap"; readonly id: string; readonly name: string; readonly minted: MintedToken }
  // The home cell
  | {
      readonly type: "create_user";
      readonly id: string;
      readonly email: string;
      readonly first_name: string | null;
      readonly last_name: string | null;
      readonly external_id: string | null;
    }
  | {
      readonly type: "create_permission";
      readonly id: string;
      readonly slug: string;
      readonly name: string;
      readonly description: string | null;
      readonly enabled_for: EnabledFor;
    }
  | {
      readonly type: "update_permission";
      readonly slug: string;
      readonly name?: string;
      readonly description?: string | null;
      readonly enabled_for?: Partial<EnabledFor>;
    }
  | { readonly type: "delete_permission"; readonly slug: string }
  | { readonly type: "create_role"; readonly id: string; readonly slug: string; readonly name: string; readonly description: string | null }
  | { readonly type: "set_role_permissions"; readonly slug: string; readonly permissions: readonly string[] }
  | {
      readonly type: "replace_routes";
      readonly routes: readonly Route[];
      /** The version the caller read, to refuse a lost update; null: replace whatever is there. */
      readonly expected_version: number | null;
    };

/** A command with who sends it and how it is recognised when it comes again. */
export interface CommandEnvelope {
  readonly command: Command;
  readonly actor: Actor;
  /** Hash of caller, method, path and Idempotency-Key, or a random id where the caller gave none. */
  readonly commandId: string;
  /** Hash of the request; the same `commandId` with another fingerprint is refused. */
  readonly fingerprint: string;
  /** The secret part of the reply, encrypted under a key that only the caller's Idempotency-Key opens; null if there is none. */
  readonly sealedReply: string | null;
  /** Answer when the change is in force at every edge; else as soon as it is committed. */
  readonly untilInForce: boolean;
}

/** Why a ledger refused. `code` is stable; the HTTP layer maps it to a status. */
export interface Refusal {
  readonly code:
    | "entity_not_found"
    | "already_exists"
    | "already_bootstrapped"
    | "api_key_already_expired"
    | "permission_not_assignable"
    | "insufficient_permissions"
    | "last_holder_of_permission"
    | "membership_not_active"
    | "invalid_expiry"
    | "version_conflict"
    | "idempotency_key_reused"
    | "not_yet_effective";
  readonly message: string;
  /** The input field at fault, if one is. */
  readonly field?: string;
}

/** What a command came to. `reply` is the changed object in its public shape. */
export type Outcome =
  | {
      readonly ok: true;
      readonly seq: number;
      readonly reply: Record<string, unknown>;
      readonly sealedReply: string | null;
      readonly replayed: boolean;
      /** Null when the change takes nothing away from anyone: then it is in force at once. */
      readonly receipt: ReceiptView | null;
    }
  | { readonly ok: false; readonly refusal: Refusal };
