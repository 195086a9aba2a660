/** Public shapes of what a ledger keeps: the WorkOS objects, every key always present. Times are ISO 8601 UTC with milliseconds. */
import type { ReplicaOutcome } from "../../core/protocol/messages.ts";
import type { EnabledFor } from "./command.ts";

interface Dated {
  readonly created_at: string;
  readonly updated_at: string;
}

/** An API key without its value. */
export interface ApiKeyView extends Dated {
  readonly object: "api_key";
  readonly id: string;
  readonly owner:
    | { readonly type: "organization"; readonly id: string }
    | { readonly type: "user"; readonly id: string; readonly organization_id: string };
  readonly name: string;
  readonly obfuscated_value: string;
  readonly last_used_at: string | null;
  readonly expires_at: string | null;
  /** As granted; what it can do now also depends on what its owner may hold. */
  readonly permissions: readonly string[];
  readonly environment: "live" | "test";
}

/** An organization. `domains` and `metadata` are empty: the WorkOS shape has them. */
export interface OrganizationView extends Dated {
  readonly object: "organization";
  readonly id: string;
  readonly name: string;
  readonly domains: readonly never[];
  readonly metadata: Record<string, never>;
  readonly external_id: string | null;
}

/** A user. What Portcullis does not keep has the value that says so in the WorkOS shape. */
export interface UserView extends Dated {
  readonly object: "user";
  readonly id: string;
  readonly email: string;
  readonly email_verified: boolean;
  readonly first_name: string | null;
  readonly last_name: string | null;
  readonly name: string | null;
  readonly profile_picture_url: null;
  readonly last_sign_in_at: null;
  readonly locale: null;
  readonly external_id: string | null;
  readonly metadata: Record<string, never>;
}

/** A user in an organization. Ended memberships are gone, so `status` is always `active`; `roles` holds the one `role`. */
export interface MembershipView extends Dated {
  readonly object: "organization_membership";
  readonly id: string;
  readonly user_id: string;
  readonly organization_id: string;
  readonly organization_name: string;
  readonly status: "active";
  readonly directory_managed: false;
  readonly custom_attributes: Record<string, never>;
  readonly role: { readonly slug: string };
  readonly roles: readonly { readonly slug: string }[];
}

/** A permission of the catalogue. */
export interface PermissionView extends Dated {
  readonly object: "permission";
  readonly id: string;
  readonly slug: string;
  readonly name: string;
  readonly description: string | null;
  readonly system: boolean;
  readonly resource_type_slug: "organization";
  readonly enabled_for: EnabledFor;
}

/** A role and what it allows. */
export interface RoleView extends Dated {
  readonly object: "role";
  readonly id: string;
  readonly slug: string;
  readonly name: string;
  readonly description: string | null;
  readonly type: "EnvironmentRole";
  readonly resource_type_slug: "organization";
  readonly permissions: readonly string[];
}

/** The proof that an entry is in force at every edge. Times by the cell's clock. */
export interface ReceiptView {
  readonly object: "receipt";
  readonly id: string;
  readonly cell: number;
  readonly seq: number;
  readonly committed_at: string;
  /** Null while some edge may still decide without the entry. */
  readonly effective_at: string | null;
  /** Replicas that could have answered without it, and how that ended. */
  readonly replicas: Readonly<Record<string, ReplicaOutcome>>;
}

/** One ledger entry as it is read back; `hash` chains it to the one before. */
export interface EntryView {
  readonly seq: number;
  readonly at: string;
  readonly actor: { readonly type: string; readonly id: string };
  readonly type: string;
  readonly subject: string;
  readonly payload: Record<string, unknown>;
  readonly hash: string;
}
