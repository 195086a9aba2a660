/**
 * The Ledger Durable Object as the control plane's HTTP side sees it over RPC. Queries read SQLite in the event that
 * answers, so a superseded instance cannot answer them.
 */
import type { Resolution } from "../../core/ledger-reader.ts";
import type { Lineage } from "../../core/lineage.ts";
import type { Slice, Walk } from "../../core/page.ts";
import type { LeaseGrant, LeaseRequest } from "../../core/protocol/messages.ts";
import type { Route, RouteTable } from "../../core/route.ts";
import type { AuditFilter, AuditScope, AuditStretch } from "./audit-log.ts";
import type { AuditLogExport } from "./audit-log-exports.ts";
import type { ListedOwner } from "./api-keys.ts";
import type { Actor, AdminRoles, CommandEnvelope, KeyFilter, Outcome, Refusal, RepeatedCommand, SelfServe } from "./command.ts";
import type { Denial } from "./denials.ts";
import type { Ending } from "./ending-preview.ts";
import type { EventFilter, LocalPlace, SubjectEvent } from "./event-walk.ts";
import type { KeyUses } from "./key-uses.ts";
import type { ChainCheck, ChainPosition } from "./journal.ts";
import type { PolicyLayer } from "./key-policies.ts";
import type { KeyReviewView, ReviewTerms } from "./least-privilege.ts";
import type { MembershipFilter } from "./tenancy.ts";
import type { CellStanding } from "./cell-standing.ts";
import type { EndedUser } from "./user-endings.ts";
import type { AuditEntryView, AuditExportLine, AuditLogActionView, AuditLogSchemaView } from "./audit-view.ts";
import type {
  ApiKeyPolicyView,
  ApiKeyRequestView,
  ApiKeyView,
  EndingPreviewView,
  EntryView,
  EventView,
  MembershipView,
  NonCompliantKeyView,
  OrganizationView,
  PermissionView,
  ReceiptView,
  RevocationPreview,
  RoleView,
  RouteTableVersionView,
  UserView,
} from "./view.ts";
import type { SealedWebhookEndpoint } from "./webhook-endpoints.ts";
import type { Subscription } from "./webhook-outbox.ts";

/** Permissions and roles of the installation at a seq of the home cell, as every cell keeps a copy. */
export interface Catalogue {
  readonly homeSeq: number;
  readonly permissions: readonly PermissionView[];
  readonly roles: readonly RoleView[];
  /** The defaults of policies on keys; null before any were set. */
  readonly policyDefaults: PolicyLayer | null;
}

/** One cell. A query answers null for what the cell does not have. Every call rejects when the cell cannot be reached. */
export interface LedgerContract {
  /** Carries a command out, or answers as it was answered before; with `untilInForce` when it is in force at every edge. Refusals are answers. */
  execute(envelope: CommandEnvelope): Promise<Outcome>;
  /** Answers a command that was carried out before as it was answered then, of those that concern no other cell; null where none was. Carries nothing out. */
  answerAgain(repeated: RepeatedCommand): Promise<Outcome | null>;
  /** What a command would be refused for now; null for nothing. Changes nothing, but that a violation of a policy is recorded. */
  rehearse(envelope: CommandEnvelope): Promise<Refusal | null>;
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

  /**
   * The key with this token id and hash, if it would be accepted now from that address, or null. Hashes are compared in constant
   * time. A key that is bound to networks is not accepted without an address.
   */
  validate(tokenId: string, sha256: string, clientAddress: string | null): Promise<ApiKeyView | null>;
  /** A key that has not been revoked. */
  apiKey(id: string): Promise<ApiKeyView | null>;
  /** Keys that have not been revoked. `search`: with this in their name. */
  listApiKeys(owner: ListedOwner, walk: Walk, search?: string): Promise<Slice<ApiKeyView>>;
  /** An organization of this cell. */
  organization(id: string): Promise<OrganizationView | null>;
  /** Organizations of this cell. */
  listOrganizations(walk: Walk): Promise<Slice<OrganizationView>>;
  /** A membership of an organization of this cell. */
  membership(id: string): Promise<MembershipView | null>;
  /** Memberships in this cell's organizations, of a user, of an organization, or of both. */
  listMemberships(filter: MembershipFilter, walk: Walk): Promise<Slice<MembershipView>>;
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

  // Tenancy
  /** Takes users that have ended, and answers when nothing of theirs is accepted at any edge as far as this cell is concerned. */
  endUsers(users: readonly EndedUser[]): Promise<void>;
  /** How many members of this cell's organizations have a role of the installation. */
  roleAssignments(slug: string): Promise<number>;
  /** The home cell's: whether the organization may have the external id, which then nobody else is given. Null: whoever has it cannot be asked. */
  claimExternalId(externalId: string, organizationId: string): Promise<boolean | null>;
  /** Whether an organization of this cell has the external id or may be about to. */
  holdsExternalId(organizationId: string, externalId: string): Promise<boolean>;
  /** The home cell's: the organization that an external id is meant for, or null. Whether it has it, its own cell knows. */
  externalIdHolder(externalId: string): Promise<string | null>;
  /** Those of the users who are there, in no order; only the home cell has users. */
  users(ids: readonly string[]): Promise<readonly UserView[]>;
  /** The user with an external id; only the home cell has users. */
  userByExternalId(externalId: string): Promise<UserView | null>;
  /** The role that a member of the organization has by this slug: the organization's own, or one of the installation. */
  applicableRole(organizationId: string, slug: string): Promise<RoleView | null>;
  /** All roles that members of the organization can have. */
  applicableRoles(organizationId: string): Promise<RoleView[]>;
  /** What would end in this cell with something. */
  previewEnding(ending: Ending): Promise<EndingPreviewView>;
  /** Settles the cell's events up to a time (ms since the epoch), or up to its own now; answers that time. None is added at or before it any more. */
  settleEvents(askedMs: number): Promise<number>;
  /** Events on a walk over their ids. */
  listEvents(filter: EventFilter, walk: Walk): Promise<Slice<EventView>>;
  /** Events of some types after a place in this cell, oldest first, at most `limit`. */
  eventsAfter(place: LocalPlace, types: readonly string[], limit: number): Promise<readonly SubjectEvent[]>;
  /** An event of this cell. */
  event(id: string): Promise<EventView | null>;
  /** Has the cell report its events to the endpoint's dispatcher from now on. */
  subscribeWebhook(endpointId: string): Promise<Subscription>;
  /** A webhook endpoint; the home cell's. */
  webhookEndpoint(id: string): Promise<SealedWebhookEndpoint | null>;
  /** Webhook endpoints; the home cell's. */
  listWebhookEndpoints(walk: Walk): Promise<Slice<SealedWebhookEndpoint>>;
  // Self-serve
  /** What an active member's role allows, in an organization of this cell; everything where no member is named; null for who is no such member. */
  memberPermissions(organizationId: string, userId: string | null): Promise<readonly string[] | null>;
  /** What a platform key that has neither ended nor been revoked may do now; nothing for any other. The platform organization's cell knows. */
  heldByPlatformKey(id: string): Promise<readonly string[]>;
  /** Permissions that may be granted through a widget, by slug, with a text in slug or name; at most `limit`. */
  assignablePermissions(own: SelfServe, search: string, limit: number): Promise<readonly PermissionView[]>;

  /** Entries after a seq, oldest first, at most `limit`. */
  entries(afterSeq: number, limit: number): Promise<EntryView[]>;
  /** Recomputes a part of the hash chain after a position that holds. */
  verify(from: ChainPosition): Promise<ChainCheck>;

  /** What a bulk revocation would end in this cell. */
  previewRevocation(filter: KeyFilter): Promise<RevocationPreview>;
  /** The cell an imported key lives in, as noted by the cell that its token id hashes to; null for one that was never imported. */
  locateImported(tokenId: string): Promise<number | null>;
  // The audit log
  /** Entries of the audit log on a walk. */
  auditEntries(scope: AuditScope, filter: AuditFilter, walk: Walk): Promise<Slice<AuditEntryView>>;
  /** What of a chain lies in a range of time (ms, both included) and after a seq; null where the cell has no such chain. */
  auditStretch(
    scope: AuditScope,
    range: { readonly from_ms?: number | undefined; readonly to_ms?: number | undefined },
    afterSeq: number,
  ): Promise<AuditStretch | null>;
  /** The next lines of an export after a seq, up to a seq; none at the end. */
  auditExportPage(scope: AuditScope, afterSeq: number, through: number): Promise<AuditExportLine[]>;
  /** A version of the schema of an action of customers' own events; the home cell's. Null for an action that has none. */
  auditLogSchema(action: string, version: number): Promise<AuditLogSchemaView | "unknown_version" | null>;
  /** An action's schemas; the home cell's. */
  listAuditLogSchemas(action: string, walk: Walk): Promise<Slice<AuditLogSchemaView>>;
  /** Actions that have a schema; the home cell's. */
  listAuditLogActions(walk: Walk): Promise<Slice<AuditLogActionView>>;
  /** An export of an organization of this cell that was asked for. */
  auditLogExport(id: string): Promise<AuditLogExport | null>;
  /** For how many days an organization's own events are kept; null: as long as everything. */
  customerEventRetention(organizationId: string): Promise<number | null>;
  /** Records that a known caller was refused something, or counts it where there is too much of that. */
  recordDenial(denial: Denial, organizations: readonly string[]): Promise<void>;
  // Policies on keys
  /** The policy of an organization of this cell, null if there is none; without an organization the installation's defaults, as this cell has them. */
  apiKeyPolicy(organizationId?: string): Promise<ApiKeyPolicyView | null>;
  /** Keys of an organization that its policy would not allow to be made as they are. */
  nonCompliantApiKeys(organizationId: string, walk: Walk): Promise<Slice<NonCompliantKeyView>>;
  /** A request for a key in an organization of this cell. */
  apiKeyRequest(id: string): Promise<ApiKeyRequestView | null>;
  /** An organization's requests for keys, all or those of one status. */
  listApiKeyRequests(organizationId: string, status: string | undefined, walk: Walk): Promise<Slice<ApiKeyRequestView>>;
  /** The platform organization's cell: a caller of the control plane and who made it, and so on. */
  lineage(actor: Pick<Actor, "type" | "id">): Promise<Lineage>;
  /** The platform organization's cell: of each platform key the roles of every admin in whose hands it may be. */
  adminsBehind(keyIds: readonly string[]): Promise<Readonly<Record<string, readonly AdminRoles[]>>>;
  // Uses of keys
  /** Notes when secrets and permissions were last used, each only forward. */
  noteUses(uses: KeyUses): Promise<void>;
  /** Reviews of keys, of one organization or of all in this cell. */
  listKeyReviews(organizationId: string | undefined, terms: ReviewTerms, walk: Walk): Promise<Slice<KeyReviewView>>;
  /** The review of a key that has not been revoked. */
  keyReview(id: string, terms: ReviewTerms): Promise<KeyReviewView | null>;
  /** Platform keys that have neither been revoked nor expired; the platform organization's cell has them. */
  livePlatformKeys(): Promise<readonly string[]>;
  // The route table; the home cell's
  /** Its versions that are kept, newest first. */
  routeTableVersions(): Promise<readonly RouteTableVersionView[]>;
  /** One of them, with its routes. */
  routeTableVersion(version: number): Promise<(RouteTableVersionView & { readonly routes: readonly Route[] }) | null>;
  // For operators
  /** How the cell stands: how far it is, and what it has not finished. */
  standing(): Promise<CellStanding>;
}
