/**
 * The Ledger Durable Object: one cell. A thin shell: every change goes through {@link execute} in one transaction, and
 * everything else is derived from it. The alarm drives what must happen afterwards (KV records, catalogue copies, pending
 * receipts) until it has happened; it is set in the same event as the commit, so no crash can lose it.
 */
import { DurableObject } from "cloudflare:workers";
import type { Resolution } from "../../core/ledger-reader.ts";
import type { Lineage } from "../../core/lineage.ts";
import type { Slice, Walk } from "../../core/page.ts";
import type { LeaseGrant, LeaseRequest } from "../../core/protocol/messages.ts";
import { recordName } from "../../core/record.ts";
import { ROUTES_RECORD_NAME, type Route, type RouteTable } from "../../core/route.ts";
import { Cells } from "../cells.ts";
import { controlPlaneConfiguration, type ControlPlaneConfiguration } from "../configuration.ts";
import type { LedgerReplica } from "../ledger-replica.ts";
import type { WebhookDispatcher } from "../webhooks/dispatcher.ts";
import * as apiKeys from "./api-keys.ts";
import { auditExportPage, auditSlice, auditStretch, type AuditFilter, type AuditScope, type AuditStretch } from "./audit-log.ts";
import { dropOldContent, nextDroppingAtMs } from "./audit-retention.ts";
import * as catalogue from "./catalogue.ts";
import { previewRevocation } from "./bulk-revocation.ts";
import { cellOfName } from "./cell-name.ts";
import { takeCatalogue } from "./catalogue-mirror.ts";
import type { Actor, Command, CommandEnvelope, KeyFilter, Outcome, Refusal, SelfServe } from "./command.ts";
import { INSTALLATION } from "./concerned-organizations.ts";
import type { Catalogue, LedgerContract } from "./contract.ts";
import { recordDenial, type Denial } from "./denials.ts";
import { hasEndedOrganization, sweepEndedOrganization } from "./ended-organizations.ts";
import { previewEnding, type Ending } from "./ending-preview.ts";
import { COMMAND_KEPT_MS, execute, forgetOldCommands, isRemembered, nextForgettingAtMs, rehearse } from "./execute.ts";
import { eventsAfter, eventSlice, type EventFilter, type LocalPlace, type SubjectEvent } from "./event-walk.ts";
import { findEvent, settleEvents } from "./events.ts";
import { externalIdHolder, ExternalIdsUnderway } from "./external-ids.ts";
import { cellOfImportedToken } from "./imported-tokens.ts";
import { forgetOldReceipts, InForceWatch } from "./in-force.ts";
import { policyView } from "./key-policies.ts";
import { KeySweeps } from "./key-sweeps.ts";
import { keyRequestSlice, keyRequestView } from "./key-requests.ts";
import { noteUses, noteValidation, type KeyUses } from "./key-uses.ts";
import { latestSeq, readEntries, verifyChain, type ChainCheck, type ChainPosition } from "./journal.ts";
import { keyReview, keyReviewSlice, livePlatformKeys, type KeyReviewView, type ReviewTerms } from "./least-privilege.ts";
import { applicableRole, applicableRoles, assignmentsOf } from "./organization-roles.ts";
import { externalIdIn, OtherCells } from "./other-cells.ts";
import { heldByActor, lineageOf } from "./platform-keys.ts";
import { nonCompliantKeys } from "./policy-report.ts";
import { healPublication, nextPublicationAtMs, publishDue } from "./publications.ts";
import { resolveToken } from "./resolve.ts";
import { routeTable, routeTableVersion, routeTableVersions } from "./route-table.ts";
import { migrate } from "./schema.ts";
import * as selfServe from "./self-serve.ts";
import * as tenancy from "./tenancy.ts";
import { Transaction } from "./transaction.ts";
import { takeEndedUsers, type EndedUser } from "./user-endings.ts";
import type {
  ApiKeyPolicyView,
  ApiKeyRequestView,
  ApiKeyView,
  EndingPreviewView,
  EntryView,
  EventView,
  AuditEntryView,
  AuditExportLine,
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
import { sealedWebhookEndpoint, webhookEndpointSlice, type SealedWebhookEndpoint } from "./webhook-endpoints.ts";
import { WebhookOutbox, type Subscription } from "./webhook-outbox.ts";

/** Bindings the ledger needs, besides the control plane's settings. */
export interface LedgerEnv {
  readonly LEDGER: DurableObjectNamespace<Ledger>;
  readonly LEDGER_REPLICA: DurableObjectNamespace<LedgerReplica>;
  readonly WEBHOOK_DISPATCHER: DurableObjectNamespace<WebhookDispatcher>;
  readonly KEYS: KVNamespace;
  /** Number of cells, fixed at installation. */
  readonly CELLS: string;
  readonly TAG_KEYS: string;
}

/** How long before a cell that did not take what all must have is tried again, in ms. */
const MIRROR_RETRY_MS = 1_000;
/** How long before a pending receipt is looked at again if nothing else wakes the cell, in ms. */
const RECEIPT_RETRY_MS = 5_000;

/** Takes some 50 ms, during which the cell answers nobody else. */
const ENTRIES_VERIFIED_AT_ONCE = 1_000;

/** Commands that are in force only when the endpoint's dispatcher has them. */
const WEBHOOK_COMMANDS: ReadonlySet<Command["type"]> = new Set([
  "create_webhook_endpoint",
  "update_webhook_endpoint",
  "rotate_webhook_secret",
  "delete_webhook_endpoint",
] as const);

/** Refusals that tell a caller that what it wanted ended has ended: by another call, perhaps, that is still waiting to be in force. */
const SAY_GONE: ReadonlySet<Refusal["code"]> = new Set(["entity_not_found", "api_key_already_expired"] as const);

/** Who acts where nobody has asked for it just now. */
const HOME: Actor = { type: "system", id: "home_cell" };
const SYSTEM: Actor = { type: "system", id: "ledger" };

const NOT_YET_EFFECTIVE: Outcome = {
  ok: false,
  refusal: {
    code: "not_yet_effective",
    message: "The change is committed but not yet in force everywhere. Send the same request with the same Idempotency-Key again.",
  },
};

/** One cell. What its methods answer is said at {@link LedgerContract}. */
export class Ledger extends DurableObject<LedgerEnv> implements LedgerContract {
  readonly #storage: DurableObjectStorage;
  readonly #sql: SqlStorage;
  readonly #configuration: ControlPlaneConfiguration;
  readonly #cell: number;
  readonly #inForce: InForceWatch;
  readonly #otherCells: OtherCells;
  readonly #externalIds: ExternalIdsUnderway;
  readonly #webhooks: WebhookOutbox;
  readonly #sweeps: KeySweeps;

  constructor(ctx: DurableObjectState, env: LedgerEnv) {
    super(ctx, env);
    this.#storage = ctx.storage;
    this.#sql = ctx.storage.sql;
    this.#configuration = controlPlaneConfiguration(env);
    this.#cell = cellOfName(ctx.id.name, this.#configuration.cells);
    migrate(ctx.storage);
    const { tunables } = this.#configuration;
    this.#inForce = new InForceWatch(this.#cell, { sql: this.#sql, replicas: env.LEDGER_REPLICA, tunables, now: Date.now });
    const cells = new Cells(env.LEDGER, this.#configuration.cells);
    this.#otherCells = new OtherCells(this.#cell, { sql: this.#sql, cells, self: this, inForce: this.#inForce, tunables });
    this.#externalIds = new ExternalIdsUnderway(this.#sql);
    const dispatcher = (endpointId: string) => env.WEBHOOK_DISPATCHER.getByName(endpointId);
    this.#webhooks = new WebhookOutbox({ sql: this.#sql, cell: this.#cell, dispatcher, now: Date.now });
    this.#sweeps = new KeySweeps(this.#storage, this.#cell);
    void ctx.blockConcurrencyWhile(() => this.#arm());
  }

  async execute(envelope: CommandEnvelope): Promise<Outcome> {
    const claim = externalIdIn(envelope.command);
    if (claim === null) return this.#carryOut(envelope);
    return this.#externalIds.during(claim.externalId, claim.organizationId, () => this.#carryOut(envelope));
  }

  async #carryOut(envelope: CommandEnvelope): Promise<Outcome> {
    const objection = isRemembered(this.#sql, envelope, Date.now()) ? null : await this.#otherCells.objectionTo(envelope);
    const outcome: Outcome = objection ? { ok: false, refusal: objection } : execute(this.#storage, envelope, Date.now());
    if (outcome.ok) {
      this.#inForce.committed(outcome.seq);
      await this.#arm();
      if (!envelope.untilInForce) return { ...outcome, receipt: this.#inForce.receipt(outcome.seq) ?? null };
    }
    // What a policy forbade is an event.
    if (!outcome.ok && outcome.refusal.violation) await this.#arm();
    // Also when refused: "it is gone already" would be taken for "it is in force".
    if (!(await this.#otherCells.bring(envelope.command))) return NOT_YET_EFFECTIVE;
    if (WEBHOOK_COMMANDS.has(envelope.command.type) && !(await this.#webhooks.tellSettings())) return NOT_YET_EFFECTIVE;
    if (outcome.ok) return { ...outcome, receipt: (await this.#inForce.untilInForce(outcome.seq)) ?? null };
    if (envelope.untilInForce && SAY_GONE.has(outcome.refusal.code)) await this.#inForce.untilAllInForceHere();
    return outcome;
  }

  async mirrorCatalogue(received: Catalogue): Promise<void> {
    const transaction = new Transaction(this.#sql, Date.now(), HOME);
    this.#storage.transactionSync(() => takeCatalogue(transaction, received));
    this.#inForce.committed(latestSeq(this.#sql));
    await this.#arm();
    await this.#inForce.untilAllInForceHere();
  }

  async endUsers(users: readonly EndedUser[]): Promise<void> {
    const seqs = this.#storage.transactionSync(() => takeEndedUsers(this.#sql, users, Date.now()));
    for (const seq of seqs) this.#inForce.committed(seq);
    await this.#arm();
    await this.#inForce.untilAllInForceHere();
  }

  async roleAssignments(slug: string): Promise<number> {
    return assignmentsOf(this.#sql, { slug });
  }

  async claimExternalId(externalId: string, organizationId: string): Promise<boolean | null> {
    return this.#otherCells.claimExternalId(externalId, organizationId);
  }

  async holdsExternalId(organizationId: string, externalId: string): Promise<boolean> {
    return this.#externalIds.holds(organizationId, externalId);
  }

  /** Does what is due and sets the next alarm, also after a failure. */
  override async alarm(): Promise<void> {
    // Not waited for: neither does a dispatcher that hangs.
    this.ctx.waitUntil(Promise.all([this.#webhooks.notify(), this.#webhooks.tellSettings()]).finally(() => this.#arm()));
    const outOfUse = this.#sweeps.run();
    if (outOfUse !== null) this.#inForce.committed(outOfUse);
    // Neither waits for the other: a cell that hangs must not keep the outbox standing, nor KV what the cells lack.
    this.ctx.waitUntil(this.#otherCells.bringAll());
    try {
      await publishDue(this.#storage, { kv: this.env.KEYS, tagKeys: this.#configuration.tagKeys, now: Date.now });
      forgetOldCommands(this.#sql, Date.now());
      forgetOldReceipts(this.#sql, Date.now() - COMMAND_KEPT_MS);
      this.#storage.transactionSync(() => sweepEndedOrganization(new Transaction(this.#sql, Date.now(), SYSTEM)));
      this.#storage.transactionSync(() => dropOldContent(this.#sql, this.#configuration.auditRetentionDays, Date.now()));
    } finally {
      await this.#arm();
    }
  }

  async receipt(seq: number): Promise<ReceiptView | null> {
    return this.#inForce.receipt(seq) ?? null;
  }

  async grantLease(request: LeaseRequest): Promise<LeaseGrant | undefined> {
    return this.#inForce.grant(request);
  }

  async resolve(tokenId: string, seenStamp?: number | null): Promise<Resolution> {
    const record = resolveToken(this.#sql, tokenId, Date.now());
    if (!record) return { found: false };
    await this.#heal(recordName(tokenId), seenStamp);
    return { found: true, record };
  }

  async resolveRoutes(seenStamp: number | null | undefined): Promise<RouteTable> {
    await this.#heal(ROUTES_RECORD_NAME, seenStamp);
    return routeTable(this.#sql);
  }

  async validate(tokenId: string, sha256: string, clientAddress: string | null): Promise<ApiKeyView | null> {
    const nowMs = Date.now();
    const key = apiKeys.validateToken(this.#sql, tokenId, { sha256, clientAddress: () => clientAddress }, nowMs);
    if (key) noteValidation(this.#sql, tokenId, nowMs);
    return key;
  }

  async apiKey(id: string): Promise<ApiKeyView | null> {
    return apiKeys.apiKeyView(this.#sql, id);
  }

  async listApiKeys(owner: apiKeys.ListedOwner, walk: Walk, search?: string): Promise<Slice<ApiKeyView>> {
    return apiKeys.apiKeySlice(this.#sql, owner, walk, search);
  }

  async organization(id: string): Promise<OrganizationView | null> {
    return tenancy.organizationView(this.#sql, id);
  }

  async listOrganizations(walk: Walk): Promise<Slice<OrganizationView>> {
    return tenancy.organizationSlice(this.#sql, walk);
  }

  async membership(id: string): Promise<MembershipView | null> {
    return tenancy.membershipView(this.#sql, id);
  }

  async listMemberships(filter: tenancy.MembershipFilter, walk: Walk): Promise<Slice<MembershipView>> {
    return tenancy.membershipSlice(this.#sql, filter, walk);
  }

  async user(id: string): Promise<UserView | null> {
    return tenancy.userView(this.#sql, id);
  }

  async users(ids: readonly string[]): Promise<readonly UserView[]> {
    return tenancy.userViews(this.#sql, ids);
  }

  async listUsers(filter: { readonly email?: string }, walk: Walk): Promise<Slice<UserView>> {
    return tenancy.userSlice(this.#sql, filter, walk);
  }

  async permission(slug: string): Promise<PermissionView | null> {
    return catalogue.permissionView(this.#sql, slug);
  }

  async listPermissions(walk: Walk): Promise<Slice<PermissionView>> {
    return catalogue.permissionSlice(this.#sql, walk);
  }

  async role(slug: string): Promise<RoleView | null> {
    return catalogue.roleView(this.#sql, slug);
  }

  async listRoles(): Promise<RoleView[]> {
    return catalogue.roleViews(this.#sql);
  }

  async externalIdHolder(externalId: string): Promise<string | null> {
    return externalIdHolder(this.#sql, externalId);
  }

  async userByExternalId(externalId: string): Promise<UserView | null> {
    return tenancy.userByExternalId(this.#sql, externalId);
  }

  async applicableRole(organizationId: string, slug: string): Promise<RoleView | null> {
    return applicableRole(this.#sql, organizationId, slug);
  }

  async applicableRoles(organizationId: string): Promise<RoleView[]> {
    return applicableRoles(this.#sql, organizationId);
  }

  async previewEnding(ending: Ending): Promise<EndingPreviewView> {
    return previewEnding(this.#sql, ending, Date.now());
  }

  async memberPermissions(organizationId: string, userId: string | null): Promise<readonly string[] | null> {
    return selfServe.memberPermissions(this.#sql, organizationId, userId);
  }

  async heldByPlatformKey(id: string): Promise<readonly string[]> {
    return heldByActor({ sql: this.#sql, nowMs: Date.now(), actor: { type: "api_key", id } });
  }

  async assignablePermissions(own: SelfServe, search: string, limit: number): Promise<readonly PermissionView[]> {
    return selfServe.assignablePermissions(this.#sql, own, search).slice(0, limit);
  }

  async entries(afterSeq: number, limit: number): Promise<EntryView[]> {
    return readEntries(this.#sql, afterSeq, limit);
  }

  async verify(from: ChainPosition): Promise<ChainCheck> {
    return verifyChain(this.#sql, from, ENTRIES_VERIFIED_AT_ONCE);
  }

  async previewRevocation(filter: KeyFilter): Promise<RevocationPreview> {
    return previewRevocation(this.#sql, filter, Date.now());
  }

  async rehearse(envelope: CommandEnvelope): Promise<Refusal | null> {
    return rehearse(this.#storage, envelope, Date.now());
  }

  async locateImported(tokenId: string): Promise<number | null> {
    return cellOfImportedToken(this.#sql, tokenId) ?? null;
  }

  async settleEvents(askedMs: number): Promise<number> {
    return settleEvents(this.#sql, askedMs, Date.now());
  }

  async listEvents(filter: EventFilter, walk: Walk): Promise<Slice<EventView>> {
    return eventSlice(this.#sql, this.#cell, filter, walk);
  }

  async eventsAfter(place: LocalPlace, types: readonly string[], limit: number): Promise<readonly SubjectEvent[]> {
    return eventsAfter(this.#sql, this.#cell, types, place, limit);
  }

  async event(id: string): Promise<EventView | null> {
    return findEvent(this.#sql, this.#cell, id) ?? null;
  }

  async subscribeWebhook(endpointId: string): Promise<Subscription> {
    return this.#webhooks.subscribe(endpointId);
  }

  async webhookEndpoint(id: string): Promise<SealedWebhookEndpoint | null> {
    return sealedWebhookEndpoint(this.#sql, id);
  }

  async listWebhookEndpoints(walk: Walk): Promise<Slice<SealedWebhookEndpoint>> {
    return webhookEndpointSlice(this.#sql, walk);
  }

  async auditEntries(scope: AuditScope, filter: AuditFilter, walk: Walk): Promise<Slice<AuditEntryView>> {
    return auditSlice(this.#sql, this.#cell, scope, filter, walk);
  }

  async auditStretch(
    scope: AuditScope,
    range: Parameters<LedgerContract["auditStretch"]>[1],
    afterSeq: number,
  ): Promise<AuditStretch | null> {
    return auditStretch(this.#sql, scope, range, afterSeq) ?? null;
  }

  async auditExportPage(scope: AuditScope, afterSeq: number, through: number): Promise<AuditExportLine[]> {
    return auditExportPage(this.#sql, scope, afterSeq, through);
  }

  async recordDenial(denial: Denial, organizations: readonly string[]): Promise<void> {
    this.#storage.transactionSync(() => recordDenial(this.#sql, denial, organizations, Date.now()));
    await this.#arm();
  }

  async apiKeyPolicy(organizationId?: string): Promise<ApiKeyPolicyView | null> {
    if (organizationId === undefined) return policyView(this.#sql, INSTALLATION);
    return tenancy.organizationView(this.#sql, organizationId) && policyView(this.#sql, organizationId);
  }

  async nonCompliantApiKeys(organizationId: string, walk: Walk): Promise<Slice<NonCompliantKeyView>> {
    return nonCompliantKeys(this.#sql, organizationId, walk, Date.now());
  }

  async apiKeyRequest(id: string): Promise<ApiKeyRequestView | null> {
    return keyRequestView(this.#sql, id);
  }

  async listApiKeyRequests(organizationId: string, status: string | undefined, walk: Walk): Promise<Slice<ApiKeyRequestView>> {
    return keyRequestSlice(this.#sql, organizationId, status, walk);
  }

  async lineage(actor: Pick<Actor, "type" | "id">): Promise<Lineage> {
    return lineageOf(this.#sql, actor);
  }

  async noteUses(uses: KeyUses): Promise<void> {
    this.#storage.transactionSync(() => noteUses(this.#sql, uses, Date.now()));
  }

  async listKeyReviews(organizationId: string | undefined, terms: ReviewTerms, walk: Walk): Promise<Slice<KeyReviewView>> {
    return keyReviewSlice(this.#sql, organizationId, terms, walk, Date.now());
  }

  async keyReview(id: string, terms: ReviewTerms): Promise<KeyReviewView | null> {
    return keyReview(this.#sql, id, terms, Date.now());
  }

  async livePlatformKeys(): Promise<readonly string[]> {
    return livePlatformKeys(this.#sql, Date.now());
  }

  async routeTableVersions(): Promise<readonly RouteTableVersionView[]> {
    return routeTableVersions(this.#sql);
  }

  async routeTableVersion(version: number): Promise<(RouteTableVersionView & { readonly routes: readonly Route[] }) | null> {
    return routeTableVersion(this.#sql, version) ?? null;
  }

  /** Publishes again what a gateway found missing or out of date in KV. */
  async #heal(name: string, seenStamp: number | null | undefined): Promise<void> {
    if (seenStamp !== undefined && healPublication(this.#sql, name, seenStamp, latestSeq(this.#sql), Date.now())) await this.#arm();
  }

  /** Sets the alarm for the earliest thing that is waiting. */
  async #arm(): Promise<void> {
    const nowMs = Date.now();
    const waiting = [
      nextPublicationAtMs(this.#sql),
      nextForgettingAtMs(this.#sql),
      nextDroppingAtMs(this.#sql, this.#configuration.auditRetentionDays),
      this.#otherCells.isBehind ? nowMs + MIRROR_RETRY_MS : null,
      this.#inForce.hasPending ? nowMs + RECEIPT_RETRY_MS : null,
      hasEndedOrganization(this.#sql) ? nowMs : null,
      this.#webhooks.nextDueAtMs(),
      this.#sweeps.nextAtMs(),
    ].filter((at) => at !== null);
    if (waiting.length > 0) await this.#storage.setAlarm(Math.max(nowMs, Math.min(...waiting)));
  }
}
