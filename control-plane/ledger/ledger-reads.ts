/** The reading side of a cell. */
import { DurableObject } from "cloudflare:workers";
import type { Lineage } from "../../core/lineage.ts";
import { boundedSlice, type Slice, type Walk } from "../../core/page.ts";
import type { Route } from "../../core/route.ts";
import * as apiKeys from "./api-keys.ts";
import { auditExportPage, auditSlice, auditStretch, type AuditFilter, type AuditScope, type AuditStretch } from "./audit-log.ts";
import { auditLogActionSlice, auditLogSchema, auditLogSchemaSlice } from "./audit-log-actions.ts";
import { auditLogExport, type AuditLogExport } from "./audit-log-exports.ts";
import * as catalogue from "./catalogue.ts";
import { previewRevocation } from "./bulk-revocation.ts";
import { cellOfName } from "./cell-name.ts";
import type { Actor, AdminRoles, KeyFilter, SelfServe } from "./command.ts";
import { INSTALLATION } from "./concerned-organizations.ts";
import { customerEventRetentionDays } from "./customer-event-retention.ts";
import type { LedgerContract } from "./contract.ts";
import { previewEnding, type Ending } from "./ending-preview.ts";
import { eventsAfter, eventSlice, type EventFilter, type LocalPlace, type SubjectEvent } from "./event-walk.ts";
import { findEvent } from "./events.ts";
import { externalIdHolder } from "./external-ids.ts";
import { cellOfImportedToken } from "./imported-tokens.ts";
import { policyView } from "./key-policies.ts";
import { keyRequestSlice, keyRequestView } from "./key-requests.ts";
import { readEntries, verifyChain, type ChainCheck, type ChainPosition } from "./journal.ts";
import { keyReview, keyReviewSlice, livePlatformKeys, type KeyReviewView, type ReviewTerms } from "./least-privilege.ts";
import { applicableRole, applicableRoles, assignmentsOf } from "./organization-roles.ts";
import { adminsBehind, heldByActor, lineageOf } from "./platform-keys.ts";
import { routeTableVersion, routeTableVersions } from "./route-table.ts";
import * as selfServe from "./self-serve.ts";
import type { CellStanding } from "./cell-standing.ts";
import { standingOf } from "./standing.ts";
import * as tenancy from "./tenancy.ts";
import type { AuditEntryView, AuditExportLine, AuditLogActionView, AuditLogSchemaView } from "./audit-view.ts";
import type {
  ApiKeyPolicyView,
  ApiKeyRequestView,
  ApiKeyView,
  EndingPreviewView,
  EntryView,
  EventView,
  MembershipView,
  OrganizationView,
  PermissionView,
  RevocationPreview,
  RoleView,
  RouteTableVersionView,
  UserView,
} from "./view.ts";
import { sealedWebhookEndpoint, webhookEndpointSlice, type SealedWebhookEndpoint } from "./webhook-endpoints.ts";
import type { LedgerEnv } from "./ledger.ts";

/** Takes some 50 ms, during which the cell answers nobody else. */
const ENTRIES_VERIFIED_AT_ONCE = 1_000;

/**
 * What a cell answers from its own tables alone, and changes nothing by. What the methods answer is said at
 * {@link LedgerContract}.
 */
export abstract class LedgerReads extends DurableObject<LedgerEnv> {
  protected readonly sql: SqlStorage;
  protected readonly cell: number;

  constructor(ctx: DurableObjectState, env: LedgerEnv, cells: number) {
    super(ctx, env);
    this.sql = ctx.storage.sql;
    this.cell = cellOfName(ctx.id.name, cells);
  }

  async apiKey(id: string): Promise<ApiKeyView | null> {
    return apiKeys.apiKeyView(this.sql, id);
  }

  async listApiKeys(owner: apiKeys.ListedOwner, walk: Walk, search?: string): Promise<Slice<ApiKeyView>> {
    return boundedSlice(apiKeys.apiKeySlice(this.sql, owner, walk, search));
  }

  async organization(id: string): Promise<OrganizationView | null> {
    return tenancy.organizationView(this.sql, id);
  }

  async listOrganizations(walk: Walk): Promise<Slice<OrganizationView>> {
    return boundedSlice(tenancy.organizationSlice(this.sql, walk));
  }

  async membership(id: string): Promise<MembershipView | null> {
    return tenancy.membershipView(this.sql, id);
  }

  async listMemberships(filter: tenancy.MembershipFilter, walk: Walk): Promise<Slice<MembershipView>> {
    return boundedSlice(tenancy.membershipSlice(this.sql, filter, walk));
  }

  async user(id: string): Promise<UserView | null> {
    return tenancy.userView(this.sql, id);
  }

  async users(ids: readonly string[]): Promise<readonly UserView[]> {
    return tenancy.userViews(this.sql, ids);
  }

  async listUsers(filter: { readonly email?: string }, walk: Walk): Promise<Slice<UserView>> {
    return boundedSlice(tenancy.userSlice(this.sql, filter, walk));
  }

  async permission(slug: string): Promise<PermissionView | null> {
    return catalogue.permissionView(this.sql, slug);
  }

  async listPermissions(walk: Walk): Promise<Slice<PermissionView>> {
    return catalogue.permissionSlice(this.sql, walk);
  }

  async role(slug: string): Promise<RoleView | null> {
    return catalogue.roleView(this.sql, slug);
  }

  async listRoles(): Promise<RoleView[]> {
    return catalogue.roleViews(this.sql);
  }

  async externalIdHolder(externalId: string): Promise<string | null> {
    return externalIdHolder(this.sql, externalId);
  }

  async userByExternalId(externalId: string): Promise<UserView | null> {
    return tenancy.userByExternalId(this.sql, externalId);
  }

  async applicableRole(organizationId: string, slug: string): Promise<RoleView | null> {
    return applicableRole(this.sql, organizationId, slug);
  }

  async applicableRoles(organizationId: string): Promise<RoleView[]> {
    return applicableRoles(this.sql, organizationId);
  }

  async previewEnding(ending: Ending): Promise<EndingPreviewView> {
    return previewEnding(this.sql, ending, Date.now());
  }

  async memberPermissions(organizationId: string, userId: string | null): Promise<readonly string[] | null> {
    return selfServe.memberPermissions(this.sql, organizationId, userId);
  }

  async heldByPlatformKey(id: string): Promise<readonly string[]> {
    return heldByActor({ sql: this.sql, nowMs: Date.now(), actor: { type: "api_key", id } });
  }

  async assignablePermissions(own: SelfServe, search: string, limit: number): Promise<readonly PermissionView[]> {
    return selfServe.assignablePermissions(this.sql, own, search).slice(0, limit);
  }

  async entries(afterSeq: number, limit: number): Promise<EntryView[]> {
    return readEntries(this.sql, afterSeq, limit);
  }

  async verify(from: ChainPosition): Promise<ChainCheck> {
    return verifyChain(this.sql, from, ENTRIES_VERIFIED_AT_ONCE);
  }

  async previewRevocation(filter: KeyFilter): Promise<RevocationPreview> {
    return previewRevocation(this.sql, filter, Date.now());
  }

  async locateImported(tokenId: string): Promise<number | null> {
    return cellOfImportedToken(this.sql, tokenId) ?? null;
  }

  async listEvents(filter: EventFilter, walk: Walk): Promise<Slice<EventView>> {
    return boundedSlice(eventSlice(this.sql, this.cell, filter, walk));
  }

  async eventsAfter(place: LocalPlace, types: readonly string[], limit: number): Promise<readonly SubjectEvent[]> {
    return eventsAfter(this.sql, this.cell, types, place, limit);
  }

  async event(id: string): Promise<EventView | null> {
    return findEvent(this.sql, this.cell, id) ?? null;
  }

  async webhookEndpoint(id: string): Promise<SealedWebhookEndpoint | null> {
    return sealedWebhookEndpoint(this.sql, id);
  }

  async listWebhookEndpoints(walk: Walk): Promise<Slice<SealedWebhookEndpoint>> {
    return webhookEndpointSlice(this.sql, walk);
  }

  async auditEntries(scope: AuditScope, filter: AuditFilter, walk: Walk): Promise<Slice<AuditEntryView>> {
    return boundedSlice(auditSlice(this.sql, this.cell, scope, filter, walk));
  }

  async auditStretch(
    scope: AuditScope,
    range: Parameters<LedgerContract["auditStretch"]>[1],
    afterSeq: number,
  ): Promise<AuditStretch | null> {
    return auditStretch(this.sql, scope, range, afterSeq) ?? null;
  }

  async auditExportPage(scope: AuditScope, afterSeq: number, through: number): Promise<AuditExportLine[]> {
    return auditExportPage(this.sql, scope, afterSeq, through);
  }

  async auditLogSchema(action: string, version: number): Promise<AuditLogSchemaView | "unknown_version" | null> {
    return auditLogSchema(this.sql, action, version);
  }

  async listAuditLogSchemas(action: string, walk: Walk): Promise<Slice<AuditLogSchemaView>> {
    return boundedSlice(auditLogSchemaSlice(this.sql, action, walk));
  }

  async listAuditLogActions(walk: Walk): Promise<Slice<AuditLogActionView>> {
    return boundedSlice(auditLogActionSlice(this.sql, walk));
  }

  async auditLogExport(id: string): Promise<AuditLogExport | null> {
    return auditLogExport(this.sql, id);
  }

  async customerEventRetention(organizationId: string): Promise<number | null> {
    return customerEventRetentionDays(this.sql, organizationId);
  }

  async roleAssignments(slug: string): Promise<number> {
    return assignmentsOf(this.sql, { slug });
  }

  async apiKeyPolicy(organizationId?: string): Promise<ApiKeyPolicyView | null> {
    if (organizationId === undefined) return policyView(this.sql, INSTALLATION);
    return tenancy.organizationView(this.sql, organizationId) && policyView(this.sql, organizationId);
  }

  async apiKeyRequest(id: string): Promise<ApiKeyRequestView | null> {
    return keyRequestView(this.sql, id);
  }

  async listApiKeyRequests(organizationId: string, status: string | undefined, walk: Walk): Promise<Slice<ApiKeyRequestView>> {
    return boundedSlice(keyRequestSlice(this.sql, organizationId, status, walk));
  }

  async lineage(actor: Pick<Actor, "type" | "id">): Promise<Lineage> {
    return lineageOf(this.sql, actor);
  }

  async adminsBehind(keyIds: readonly string[]): Promise<Readonly<Record<string, readonly AdminRoles[]>>> {
    return Object.fromEntries(keyIds.map((id) => [id, adminsBehind(this.sql, id)]));
  }

  async listKeyReviews(organizationId: string | undefined, terms: ReviewTerms, walk: Walk): Promise<Slice<KeyReviewView>> {
    return boundedSlice(keyReviewSlice(this.sql, organizationId, terms, walk, Date.now()));
  }

  async keyReview(id: string, terms: ReviewTerms): Promise<KeyReviewView | null> {
    return keyReview(this.sql, id, terms, Date.now());
  }

  async livePlatformKeys(): Promise<readonly string[]> {
    return livePlatformKeys(this.sql, Date.now());
  }

  async routeTableVersions(): Promise<readonly RouteTableVersionView[]> {
    return routeTableVersions(this.sql);
  }

  async routeTableVersion(version: number): Promise<(RouteTableVersionView & { readonly routes: readonly Route[] }) | null> {
    return routeTableVersion(this.sql, version) ?? null;
  }

  async standing(): Promise<CellStanding> {
    return standingOf(this.sql, Date.now());
  }
}
