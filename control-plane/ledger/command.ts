/**
 * The commands a Ledger takes. Each is one entry, one transaction, and idempotent: a command sent again under the same
 * `commandId` answers the same and changes nothing. Inputs are already parsed; what only the ledger can know (does it
 * exist, may the owner hold it) is checked inside the transaction.
 */
import type { AuditEventSchema } from "../../core/audit/event-schema.ts";
import type { ApiKeyPolicySettings } from "../../core/api-key-policy.ts";
import type { PolicyViolation } from "../../core/policy-judgement.ts";
import type { Route } from "../../core/route.ts";
import type { CustomerEvent } from "./customer-events.ts";
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
  /** Of such an admin: when their sign-in ends, in ms since the epoch. Nothing here can take it back before, nor tell whether they have left. */
  readonly signed_in_until_ms?: number;
  /**
   * The roles of every admin who may be behind the call, each as the identity provider said when it was last known: of an admin their own; of a
   * platform key those of all who made it or were given a secret of it, over any number of keys. Absent: not known.
   */
  readonly admins?: readonly AdminRoles[];
  /** Of who acts through a widget: the only keys they reach. */
  readonly self_serve?: SelfServe;
}

/** Roles that an admin has at the operator's identity provider; none where nobody knows. */
export type AdminRoles = readonly string[];

/** Keys of one organization, of one of its members, or of all of them: all that somebody who acts through a widget sees and touches. */
export type SelfServe =
  /** `user_id` is null where the widget's token names nobody. */
  | { readonly keys: "organization"; readonly organization_id: string; readonly user_id: string | null }
  /** One's own; `members`: those of all members, of which one makes only one's own. */
  | { readonly keys: "user" | "members"; readonly organization_id: string; readonly user_id: string };

/** Owner of a key as asked for; the role of a user is looked up by the ledger. */
export type KeyOwner =
  | { readonly type: "organization"; readonly id: string }
  | { readonly type: "user"; readonly id: string; readonly organization_id: string };

/** Where a permission may be granted. */
export interface EnabledFor {
  readonly user_api_keys: boolean;
  readonly organization_api_keys: boolean;
}

/** A role of an organization, in its cell; without `organization_id` one of the installation, in the home cell. */
export interface RoleName {
  readonly organization_id?: string;
  readonly slug: string;
}

/** What customers note about organizations and users. */
export type Metadata = Readonly<Record<string, string>>;

/** Metadata to be merged into what is there; null takes a key away. */
export type MetadataChange = Readonly<Record<string, string | null>>;

/** What is absent stays. */
export interface OrganizationChange {
  readonly name?: string;
  readonly external_id?: string | null;
  readonly metadata?: MetadataChange;
}

/** What is said of a user that nothing is decided by. */
export interface UserProfile {
  readonly email_verified: boolean;
  readonly first_name: string | null;
  readonly last_name: string | null;
  /** Null: made of the other two. */
  readonly name: string | null;
  /** BCP 47. */
  readonly locale: string | null;
}

/** What is absent stays; but another e-mail address is not verified unless that is said. */
export interface UserChange extends Partial<UserProfile> {
  readonly email?: string;
  readonly external_id?: string | null;
  readonly metadata?: MetadataChange;
}

/** What all commands on a minted token share; the token itself never reaches the ledger. */
export interface MintedToken {
  readonly token_id: string;
  readonly sha256: string;
  readonly obfuscated_value: string;
  readonly environment: "live" | "test";
}

/** What can be changed of a key besides its name and its rights; what is absent stays, and is empty on a new key. */
export interface KeyAttributes {
  /** Replaces all of it. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** Replace all of them. */
  readonly tags?: readonly string[];
  /** In canonical form; null for any. */
  readonly allowed_networks?: readonly string[] | null;
}

/** A key that is asked for. */
export interface AskedKey {
  readonly owner: KeyOwner;
  readonly name: string;
  readonly permissions: readonly string[];
  /** `usual`: as the policy says when it is made. */
  readonly expires_at_ms: number | "usual" | null;
  readonly environment: MintedToken["environment"];
  readonly attributes: KeyAttributes;
}

/** Which entries of an audit log: those that meet every condition given. Of a customer's own event its action, actor and targets count as the customer told them. */
export interface ExportFilter {
  readonly actions?: readonly string[];
  readonly actor_ids?: readonly string[];
  readonly actor_names?: readonly string[];
  /** Types of targets. */
  readonly targets?: readonly string[];
}

/** Which keys: those that meet every condition given. Keys of the platform organization never match. */
export interface KeyFilter {
  readonly organization_id?: string;
  /** A user, or an organization for the keys that it owns itself. */
  readonly owner_id?: string;
  /** Id of the actor that made the key. */
  readonly created_by?: string;
  /** Keys that were granted any of what this permission covers, or a permission that covers it. */
  readonly permission?: string;
  readonly tag?: string;
  /** Milliseconds since the epoch. A key that was never used counts as used when it was made. */
  readonly last_used_before_ms?: number;
  readonly created_before_ms?: number;
}

/** Tells whether a set of keys in a cell is the one that was looked at before. */
export interface KeySetDigest {
  readonly count: number;
  /** SHA-256 in hexadecimal over the sorted ids. */
  readonly sha256: string;
}

/** What can be asked of a cell. Ids are minted by the sender, times are milliseconds since the epoch, names are those of the HTTP API. */
export type Command =
  // An organization's cell
  | {
      readonly type: "create_organization";
      readonly id: string;
      readonly name: string;
      readonly external_id: string | null;
      readonly metadata?: Metadata;
    }
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
      /** `usual`: as the policy says. */
      readonly expires_at_ms: number | "usual" | null;
      readonly minted: MintedToken;
      readonly attributes?: KeyAttributes;
      /** It was issued elsewhere. */
      readonly imported?: true;
    }
  | {
      readonly type: "update_api_key";
      readonly id: string;
      readonly name?: string;
      readonly permissions?: readonly string[];
      readonly attributes?: KeyAttributes;
    }
  /** `expires_at_ms` at or before now ends the key now; null clears a scheduled end. */
  | { readonly type: "expire_api_key"; readonly id: string; readonly expires_at_ms: number | "now" | null }
  | { readonly type: "revoke_api_key"; readonly id: string }
  /** Creates the platform organization and its first key; refused once done. */
  | { readonly type: "bootstrap"; readonly id: string; readonly name: string; readonly minted: MintedToken }
  // The home cell
  | ({
      readonly type: "create_user";
      readonly id: string;
      readonly email: string;
      readonly external_id: string | null;
      readonly metadata?: Metadata;
    } & Partial<UserProfile>)
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
  | (RoleName & { readonly type: "create_role"; readonly id: string; readonly name: string; readonly description: string | null })
  | (RoleName & { readonly type: "set_role_permissions"; readonly permissions: readonly string[] })
  | {
      readonly type: "replace_routes";
      readonly routes: readonly Route[];
      /** The version the caller read, to refuse a lost update; null: replace whatever is there. */
      readonly expected_version: number | null;
    }
  /** Puts a version that was in force before in force again. */
  | { readonly type: "restore_routes"; readonly version: number; readonly expected_version: number | null }
  // The life of a key, in its organization's cell
  | { readonly type: "disable_api_key"; readonly id: string }
  | { readonly type: "enable_api_key"; readonly id: string }
  /** Gives the key a new secret. The one before works for `overlap_ms` more; 0 ends every older one now. */
  | { readonly type: "rotate_api_key"; readonly id: string; readonly overlap_ms: number; readonly minted: MintedToken }
  /** Ends every secret but the newest now. */
  | { readonly type: "revoke_previous_secret"; readonly id: string }
  /** Ends the keys that match, if they are those of the preview. */
  | { readonly type: "bulk_revoke_api_keys"; readonly filter: KeyFilter; readonly expected: KeySetDigest }
  // The cell that a foreign key's digest hashes to
  /** Notes in which cell an imported key lives. */
  | { readonly type: "place_imported_token"; readonly token_id: string; readonly cell: number }
  // Tenancy. In an organization's cell:
  | ({ readonly type: "update_organization"; readonly id: string } & OrganizationChange)
  /** Keeps every key of the organization and of its members from working until it is resumed. */
  | { readonly type: "suspend_organization"; readonly id: string }
  | { readonly type: "resume_organization"; readonly id: string }
  /** Ends an organization with its memberships, its roles and every key in it. */
  | { readonly type: "end_organization"; readonly id: string }
  /** Keeps the user's keys in that organization from working until the membership is active again. */
  | { readonly type: "deactivate_membership"; readonly id: string }
  | { readonly type: "reactivate_membership"; readonly id: string }
  // In the home cell:
  | ({ readonly type: "update_user"; readonly id: string } & UserChange)
  /** Ends a user with all memberships and all keys the user owns, in every cell. */
  | { readonly type: "end_user"; readonly id: string }
  // Where the role is:
  | (RoleName & { readonly type: "update_role"; readonly name?: string; readonly description?: string | null })
  | (RoleName & { readonly type: "add_role_permission"; readonly permission: string })
  | (RoleName & { readonly type: "remove_role_permission"; readonly permission: string })
  /** Refused while anyone has the role. */
  | (RoleName & { readonly type: "delete_role" })
  // Webhook endpoints, in the home cell
  | {
      readonly type: "create_webhook_endpoint";
      readonly id: string;
      readonly endpoint_url: string;
      readonly events: readonly string[];
      readonly sealed_secret: string;
    }
  | {
      readonly type: "update_webhook_endpoint";
      readonly id: string;
      readonly endpoint_url?: string;
      readonly status?: "enabled" | "disabled";
      readonly events?: readonly string[];
    }
  /** The secret before signs, too, for `overlap_ms` more. */
  | { readonly type: "rotate_webhook_secret"; readonly id: string; readonly sealed_secret: string; readonly overlap_ms: number }
  | { readonly type: "delete_webhook_endpoint"; readonly id: string }
  /** From the endpoint's dispatcher; `version` is that of the settings under which it was given up. */
  | {
      readonly type: "disable_webhook_endpoint";
      readonly id: string;
      readonly version: number;
      readonly reason: "gone" | "sustained_failure";
    }
  // The audit log, in an organization's cell
  | { readonly type: "record_customer_event"; readonly organization_id: string; readonly event: CustomerEvent }
  /** In the home cell: the first or the next schema of an action; `action_id` names the action where it has none yet. */
  | {
      readonly type: "create_audit_log_schema";
      readonly id: string;
      readonly action_id: string;
      readonly action: string;
      readonly schema: AuditEventSchema;
    }
  | {
      readonly type: "create_audit_log_export";
      readonly id: string;
      readonly organization_id: string;
      readonly from_ms: number;
      readonly to_ms: number;
      readonly filter: ExportFilter;
    }
  /** For how many days an organization's own events are kept; null: as long as everything. */
  | { readonly type: "set_customer_event_retention"; readonly organization_id: string; readonly days: number | null }
  // Policies on keys
  /** Replaces an organization's settings, in its cell; without `organization_id` the installation's defaults, in the home cell. */
  | { readonly type: "set_api_key_policy"; readonly organization_id?: string; readonly settings: ApiKeyPolicySettings }
  // Requests for keys, in the organization's cell
  | ({ readonly type: "create_api_key_request"; readonly id: string } & AskedKey)
  | { readonly type: "approve_api_key_request"; readonly id: string }
  | { readonly type: "deny_api_key_request"; readonly id: string }
  /** Makes the key that was asked for. */
  | { readonly type: "issue_api_key_request"; readonly id: string; readonly api_key_id: string; readonly minted: MintedToken }
  // Usage, in a key's cell
  /** Leaves the key what it has used in the last days, if that is what was looked at (`narrowingDigest`). */
  | { readonly type: "narrow_api_key"; readonly id: string; readonly window_days: number; readonly expected: string };

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
  /** Why, in the caller's words; it stands in the entry. */
  readonly reason?: string;
}

/** As much of a command as it takes to answer it again. */
export interface RepeatedCommand extends Pick<CommandEnvelope, "commandId" | "fingerprint" | "untilInForce"> {
  readonly type: Command["type"];
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
    | "not_yet_effective"
    | "temporarily_unavailable"
    // The life of a key
    | "previous_secret_in_use"
    | "preview_outdated"
    // Tenancy
    | "external_id_already_used"
    | "too_much_metadata"
    | "organization_suspended"
    | "platform_organization"
    | "role_has_assignments"
    // Webhook endpoints
    | "webhook_endpoint_limit"
    // Permissions
    | "enabled_by_wildcard"
    | "catalogue_limit"
    // Policies on keys
    | "api_key_policy_violated"
    | "api_key_request_not_open"
    | "self_approval"
    | "approval_void"
    // Usage
    | "api_key_unused";
  readonly message: string;
  /** The input field at fault, if one is. */
  readonly field?: string;
  /** What of the organization's policy is not satisfied, and by which key, if there is one. */
  readonly violation?: Pick<PolicyViolation, "field" | "limit"> & { readonly organization_id: string; readonly api_key_id: string | null };
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
