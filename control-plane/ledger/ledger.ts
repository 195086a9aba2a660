/**
 * The Ledger Durable Object: one cell. A thin shell: every change goes through {@link execute} in one transaction, and
 * everything else is derived from it. The alarm drives what must happen afterwards (KV records, catalogue copies, pending
 * receipts) until it has happened; it is set in the same event as the commit, so no crash can lose it.
 */
import { DurableObject } from "cloudflare:workers";
import { HOME_CELL } from "../../core/identifier.ts";
import type { Resolution } from "../../core/ledger-reader.ts";
import type { Slice, Walk } from "../../core/page.ts";
import type { LeaseGrant, LeaseRequest } from "../../core/protocol/messages.ts";
import { worstCaseOf } from "../../core/protocol/tunables.ts";
import { recordName } from "../../core/record.ts";
import { ROUTES_RECORD_NAME, type RouteTable } from "../../core/route.ts";
import { withDeadline } from "../../platform/deadline.ts";
import { controlPlaneConfiguration, type ControlPlaneConfiguration } from "../configuration.ts";
import type { LedgerReplica } from "../ledger-replica.ts";
import * as apiKeys from "./api-keys.ts";
import * as catalogue from "./catalogue.ts";
import { cellName, cellOfName } from "./cell-name.ts";
import { cellsBehind, confirmMirror, takeCatalogue } from "./catalogue-mirror.ts";
import type { Command, CommandEnvelope, Outcome, Refusal, SelfServe } from "./command.ts";
import type { Catalogue, LedgerContract } from "./contract.ts";
import { COMMAND_KEPT_MS, execute, forgetOldCommands, nextForgettingAtMs } from "./execute.ts";
import { forgetOldReceipts, InForceWatch } from "./in-force.ts";
import { latestSeq, readEntries, verifyChain, type ChainCheck, type ChainPosition } from "./journal.ts";
import { heldByActor } from "./platform-keys.ts";
import { healPublication, nextPublicationAtMs, publishDue } from "./publications.ts";
import { resolveToken } from "./resolve.ts";
import { routeTable } from "./route-table.ts";
import { migrate } from "./schema.ts";
import * as selfServe from "./self-serve.ts";
import * as tenancy from "./tenancy.ts";
import { Transaction } from "./transaction.ts";
import type { ApiKeyView, EntryView, MembershipView, OrganizationView, PermissionView, ReceiptView, RoleView, UserView } from "./view.ts";

/** Bindings the ledger needs, besides the control plane's settings. */
export interface LedgerEnv {
  readonly LEDGER: DurableObjectNamespace<Ledger>;
  readonly LEDGER_REPLICA: DurableObjectNamespace<LedgerReplica>;
  readonly KEYS: KVNamespace;
  /** Number of cells, fixed at installation. */
  readonly CELLS: string;
  readonly TAG_KEYS: string;
}

/** How long before a cell that did not take the catalogue is tried again, in ms. */
const MIRROR_RETRY_MS = 1_000;
/** What a cell may take to answer besides the time that its replicas may take, in ms. */
const MIRROR_SLACK_MS = 5_000;
/** How long before a pending receipt is looked at again if nothing else wakes the cell, in ms. */
const RECEIPT_RETRY_MS = 5_000;

/** Takes some 50 ms, during which the cell answers nobody else. */
const ENTRIES_VERIFIED_AT_ONCE = 1_000;

/** Commands that are in force only when every cell has them. */
const CATALOGUE_COMMANDS: ReadonlySet<Command["type"]> = new Set([
  "create_permission",
  "update_permission",
  "delete_permission",
  "create_role",
  "set_role_permissions",
] as const);

/** Refusals that tell a caller that what it wanted ended has ended: by another call, perhaps, that is still waiting to be in force. */
const SAY_GONE: ReadonlySet<Refusal["code"]> = new Set(["entity_not_found", "api_key_already_expired"] as const);

const NOT_YET_EFFECTIVE: Outcome = {
  ok: false,
  refusal: {
    code: "not_yet_effective",
    message: "The change is committed but not yet in force in every cell. Send the same request with the same Idempotency-Key again.",
  },
};

/** One cell. What its methods answer is said at {@link LedgerContract}. */
export class Ledger extends DurableObject<LedgerEnv> implements LedgerContract {
  readonly #storage: DurableObjectStorage;
  readonly #sql: SqlStorage;
  readonly #configuration: ControlPlaneConfiguration;
  readonly #cell: number;
  readonly #inForce: InForceWatch;
  #mirroring: Promise<boolean> | undefined;

  constructor(ctx: DurableObjectState, env: LedgerEnv) {
    super(ctx, env);
    this.#storage = ctx.storage;
    this.#sql = ctx.storage.sql;
    this.#configuration = controlPlaneConfiguration(env);
    this.#cell = cellOfName(ctx.id.name, this.#configuration.cells);
    migrate(ctx.storage);
    const { tunables } = this.#configuration;
    this.#inForce = new InForceWatch(this.#cell, { sql: this.#sql, replicas: env.LEDGER_REPLICA, tunables, now: Date.now });
    void ctx.blockConcurrencyWhile(() => this.#arm());
  }

  async execute(envelope: CommandEnvelope): Promise<Outcome> {
    const outcome = execute(this.#storage, envelope, Date.now());
    if (outcome.ok) {
      this.#inForce.committed(outcome.seq);
      await this.#arm();
      if (!envelope.untilInForce) return { ...outcome, receipt: this.#inForce.receipt(outcome.seq) ?? null };
    }
    // Also when refused: "it is gone already" would be taken for "it is in force".
    if (CATALOGUE_COMMANDS.has(envelope.command.type) && !(await this.#mirror())) return NOT_YET_EFFECTIVE;
    if (outcome.ok) return { ...outcome, receipt: (await this.#inForce.untilInForce(outcome.seq)) ?? null };
    if (envelope.untilInForce && SAY_GONE.has(outcome.refusal.code)) await this.#inForce.untilAllInForce();
    return outcome;
  }

  async mirrorCatalogue(received: Catalogue): Promise<void> {
    const transaction = new Transaction(this.#sql, Date.now(), { type: "system", id: "home_cell" });
    this.#storage.transactionSync(() => takeCatalogue(transaction, received));
    this.#inForce.committed(latestSeq(this.#sql));
    await this.#arm();
    await this.#inForce.untilAllInForce();
  }

  /** Does what is due and sets the next alarm, also after a failure. */
  override async alarm(): Promise<void> {
    try {
      await publishDue(this.#storage, { kv: this.env.KEYS, tagKeys: this.#configuration.tagKeys, now: Date.now });
      // Not waited for: a cell that hangs must not keep the outbox standing.
      this.ctx.waitUntil(this.#mirror());
      forgetOldCommands(this.#sql, Date.now());
      forgetOldReceipts(this.#sql, Date.now() - COMMAND_KEPT_MS);
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

  async validate(tokenId: string, sha256: string): Promise<ApiKeyView | null> {
    return apiKeys.validateToken(this.#sql, tokenId, sha256, Date.now());
  }

  async apiKey(id: string): Promise<ApiKeyView | null> {
    return apiKeys.apiKeyView(this.#sql, id);
  }

  async listApiKeys(owner: Parameters<LedgerContract["listApiKeys"]>[0], walk: Walk, search?: string): Promise<Slice<ApiKeyView>> {
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

  async listMemberships(
    filter: { readonly user_id?: string; readonly organization_id?: string },
    walk: Walk,
  ): Promise<Slice<MembershipView>> {
    return tenancy.membershipSlice(this.#sql, filter, walk);
  }

  async user(id: string): Promise<UserView | null> {
    return tenancy.userView(this.#sql, id);
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

  async memberPermissions(organizationId: string, userId: string): Promise<readonly string[] | null> {
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

  /** Publishes again what a gateway found missing or out of date in KV. */
  async #heal(name: string, seenStamp: number | null | undefined): Promise<void> {
    if (seenStamp !== undefined && healPublication(this.#sql, name, seenStamp, latestSeq(this.#sql), Date.now())) await this.#arm();
  }

  /** Brings the other cells' catalogues up to date; whether all have it, in force. One delivery at a time; who comes meanwhile takes part in the next. */
  async #mirror(): Promise<boolean> {
    if (this.#cell !== HOME_CELL) return true;
    await this.#mirroring;
    this.#mirroring ??= this.#deliverCatalogue().finally(() => (this.#mirroring = undefined));
    return this.#mirroring;
  }

  async #deliverCatalogue(): Promise<boolean> {
    const current = catalogue.catalogueOf(this.#sql);
    const behind = cellsBehind(this.#sql, this.#configuration.cells, HOME_CELL);
    const delivered = await Promise.allSettled(
      behind.map(async (cell) => {
        await withDeadline(this.env.LEDGER.getByName(cellName(cell)).mirrorCatalogue(current), this.#mirrorDeadlineMs());
        confirmMirror(this.#sql, cell, current.homeSeq);
      }),
    );
    const isComplete = delivered.every((delivery) => delivery.status === "fulfilled");
    if (isComplete) this.#inForce.confirmedByCells(current.homeSeq);
    return isComplete;
  }

  /** A cell answers when its replicas have: at worst, when their leases have run out. */
  #mirrorDeadlineMs(): number {
    return worstCaseOf(this.#configuration.tunables).revocationWithDeadReplicaMs + MIRROR_SLACK_MS;
  }

  /** Sets the alarm for the earliest thing that is waiting. */
  async #arm(): Promise<void> {
    const nowMs = Date.now();
    const isBehind = this.#cell === HOME_CELL && cellsBehind(this.#sql, this.#configuration.cells, HOME_CELL).length > 0;
    const waiting = [
      nextPublicationAtMs(this.#sql),
      nextForgettingAtMs(this.#sql),
      isBehind ? nowMs + MIRROR_RETRY_MS : null,
      this.#inForce.hasPending ? nowMs + RECEIPT_RETRY_MS : null,
    ].filter((at) => at !== null);
    if (waiting.length > 0) await this.#storage.setAlarm(Math.max(nowMs, Math.min(...waiting)));
  }
}
