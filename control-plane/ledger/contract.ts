/**
 * The Ledger Durable Object as the control plane's HTTP side sees it over RPC. Queries read SQLite in the event that
 * answers, so a superseded instance cannot answer them.
 */
import type { Resolution } from "../../core/ledger-reader.ts";
import type { Slice, Walk } from "../../core/page.ts";
import type { LeaseGrant, LeaseRequest } from "../../core/protocol/messages.ts";
import type { RouteTable } from "../../core/route.ts";
import type { CommandEnvelope, Outcome, SelfServe } from "./command.ts";
import type { ChainCheck, ChainPosition } from "./journal.ts";
import type { ApiKeyView, EntryView, MembershipView, OrganizationView, PermissionView, ReceiptView, RoleView, UserView } from "./view.ts";

/** Permissions and roles of the installation at a seq of the home cell, as every cell keeps a copy. */
export interface Catalogue {
  readonly homeSeq: number;
  readonly permissions: readonly PermissionView[];
  readonly roles: readonly RoleView[];
}

/** One cell. A query answers null for what the cell does not have. Every call rejects when the cell cannot be reached. */
export interface LedgerContract {
  /** Carries a command out, or answers as it was answered before; with `untilInForce` when it is in force at every edge. Refusals are answers. */
  execute(envelope: CommandEnvelope): Promise<Outcome>;
  /** Takes the home cell's catalogue, if newer than the copy held, and answers when it is in force at every edge. */
  mirrorCatalogue(catalogue: Catalogue): Promise<void>;

  /** The receipt of an entry that raised floors and is not older than a day, or null. */
  receipt(seq: number): Promise<ReceiptView | null>;
  /** A lease for a replica; undefined for a message from an earlier life of it. */
  grantLease(request: LeaseRequest): Promise<LeaseGrant | undefined>;

  /** The truth about a token now. With the stamp of what KV gave (null: nothing), an old copy there is published again. */
  resolve(tokenId: string, seenStamp?: number | null): Promise<Resolution>;
  /** The route table now; the home cell's. `seenStamp` as in `resolve`; undefined: KV was not asked. */
  resolveRoutes(seenStamp: number | null | undefined): Promise<RouteTable>;

  /** The live (not revoked, not expired) key with this token id and hash, or null. Hashes are compared in constant time. */
  validate(tokenId: string, sha256: string): Promise<ApiKeyView | null>;
  /** A key that has not been revoked. */
  apiKey(id: string): Promise<ApiKeyView | null>;
  /** Keys of an owner that have not been revoked: a user's of one organization, or of all in this cell. `search`: with this in their name. */
  listApiKeys(
    owner:
      | { readonly type: "organization"; readonly id: string }
      | { readonly type: "user"; readonly id: string; readonly organization_id?: string },
    walk: Walk,
    search?: string,
  ): Promise<Slice<ApiKeyView>>;
  /** An organization of this cell. */
  organization(id: string): Promise<OrganizationView | null>;
  /** Organizations of this cell. */
  listOrganizations(walk: Walk): Promise<Slice<OrganizationView>>;
  /** A membership of an organization of this cell. */
  membership(id: string): Promise<MembershipView | null>;
  /** Memberships in this cell's organizations, of a user, of an organization, or of both. */
  listMemberships(filter: { readonly user_id?: string; readonly organization_id?: string }, walk: Walk): Promise<Slice<MembershipView>>;
  /** A user; only the home cell has them. */
  user(id: string): Promise<UserView | null>;
  /** Users, all or the one with an e-mail address; the home cell's. */
  listUsers(filter: { readonly email?: string }, walk: Walk): Promise<Slice<UserView>>;
  /** A permission of the catalogue, as this cell has it. */
  permission(slug: string): Promise<PermissionView | null>;
  /** Permissions of the catalogue, as this cell has it. */
  listPermissions(walk: Walk): Promise<Slice<PermissionView>>;
  /** A role of the catalogue, as this cell has it. */
  role(slug: string): Promise<RoleView | null>;
  /** All roles by slug, as this cell has them. */
  listRoles(): Promise<RoleView[]>;

  // Self-serve
  /** What an active member's role allows, in an organization of this cell; null for who is no such member. */
  memberPermissions(organizationId: string, userId: string): Promise<readonly string[] | null>;
  /** What a platform key that has neither ended nor been revoked may do now; nothing for any other. The platform organization's cell knows. */
  heldByPlatformKey(id: string): Promise<readonly string[]>;
  /** Permissions that may be granted through a widget, by slug, with a text in slug or name; at most `limit`. */
  assignablePermissions(own: SelfServe, search: string, limit: number): Promise<readonly PermissionView[]>;

  /** Entries after a seq, oldest first, at most `limit`. */
  entries(afterSeq: number, limit: number): Promise<EntryView[]>;
  /** Recomputes a part of the hash chain after a position that holds. */
  verify(from: ChainPosition): Promise<ChainCheck>;
}
