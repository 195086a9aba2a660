/**
 * The Ledger Durable Object as the control plane's HTTP side sees it over RPC. Queries read SQLite in the event that
 * answers, so a superseded instance cannot answer them.
 */
import type { Resolution } from "../../core/ledger-reader.ts";
import type { Slice, Walk } from "../../core/page.ts";
import type { LeaseGrant, LeaseRequest } from "../../core/protocol/messages.ts";
import type { RouteTable } from "../../core/route.ts";
import type { CommandEnvelope, Outcome } from "./command.ts";
import type { ChainCheck, ChainPosition } from "./journal.ts";
import type { ApiKeyView, EntryView, MembershipView, OrganizationView, PermissionView, ReceiptView, RoleView, UserView } from "./view.ts";

/** Permissions and roles of the installation at a seq of the home cell, as every cell keeps a copy. */
export interface Catalogue {
  readonly homeSeq: number;
  readonly permissions: readonly PermissionView[];
  readonly roles: readonly RoleView[];
}

export interface LedgerContract {
  execute(envelope: CommandEnvelope): Promise<Outcome>;
  /** Takes the home cell's catalogue, if newer than the copy held, and answers when it is in force at every edge. */
  mirrorCatalogue(catalogue: Catalogue): Promise<void>;

  /** The receipt of an entry that raised floors and is not older than a day, or null. */
  receipt(seq: number): Promise<ReceiptView | null>;
  /** A lease for a replica; undefined for a message from an earlier life of it. */
  grantLease(request: LeaseRequest): Promise<LeaseGrant | undefined>;

  resolve(tokenId: string, seenStamp?: number | null): Promise<Resolution>;
  resolveRoutes(seenStamp: number | null | undefined): Promise<RouteTable>;

  /** The live (not revoked, not expired) key with this token id and hash, or null. Hashes are compared in constant time. */
  validate(tokenId: string, sha256: string): Promise<ApiKeyView | null>;
  apiKey(id: string): Promise<ApiKeyView | null>;
  listApiKeys(
    owner:
      | { readonly type: "organization"; readonly id: string }
      | { readonly type: "user"; readonly id: string; readonly organization_id?: string },
    walk: Walk,
  ): Promise<Slice<ApiKeyView>>;
  organization(id: string): Promise<OrganizationView | null>;
  listOrganizations(walk: Walk): Promise<Slice<OrganizationView>>;
  membership(id: string): Promise<MembershipView | null>;
  listMemberships(filter: { readonly user_id?: string; readonly organization_id?: string }, walk: Walk): Promise<Slice<MembershipView>>;
  user(id: string): Promise<UserView | null>;
  listUsers(filter: { readonly email?: string }, walk: Walk): Promise<Slice<UserView>>;
  permission(slug: string): Promise<PermissionView | null>;
  listPermissions(walk: Walk): Promise<Slice<PermissionView>>;
  role(slug: string): Promise<RoleView | null>;
  listRoles(): Promise<RoleView[]>;

  /** Entries after a seq, oldest first, at most `limit`. */
  entries(afterSeq: number, limit: number): Promise<EntryView[]>;
  /** Recomputes a part of the hash chain after a position that holds. */
  verify(from: ChainPosition): Promise<ChainCheck>;
}
