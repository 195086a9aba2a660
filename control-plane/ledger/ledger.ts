/**
 * The Ledger Durable Object: one cell. A thin shell: every change goes through {@link execute} in one transaction, and
 * everything else is derived from it. The alarm drives what must happen afterwards (KV records, catalogue copies, pending
 * receipts) until it has happened; it is set in the same event as the commit, so no crash can lose it.
 */
import type { Resolution } from "../../core/ledger-reader.ts";
import type { Slice, Walk } from "../../core/page.ts";
import type { LeaseGrant, LeaseRequest } from "../../core/protocol/messages.ts";
import { recordName } from "../../core/record.ts";
import { ROUTES_RECORD_NAME, type RouteTable } from "../../core/route.ts";
import { Cells } from "../cells.ts";
import { controlPlaneConfiguration, type ControlPlaneConfiguration } from "../configuration.ts";
import type { LedgerReplica } from "../ledger-replica.ts";
import type { WebhookDispatcher } from "../webhooks/dispatcher.ts";
import * as apiKeys from "./api-keys.ts";
import { dropOldContent, nextDroppingAtMs } from "./audit-retention.ts";
import { takeCatalogue } from "./catalogue-mirror.ts";
import type { Actor, Command, CommandEnvelope, Outcome, Refusal, RepeatedCommand } from "./command.ts";
import { dropExpiredCustomerEvents, nextCustomerExpiryAtMs } from "./customer-event-retention.ts";
import type { Catalogue, LedgerContract } from "./contract.ts";
import { recordDenial, type Denial } from "./denials.ts";
import { hasEndedOrganization, sweepEndedOrganization } from "./ended-organizations.ts";
import { answerAgain, COMMAND_KEPT_MS, execute, forgetOldCommands, isRemembered, nextForgettingAtMs, rehearse } from "./execute.ts";
import { settleEvents } from "./events.ts";
import { ExternalIdsUnderway } from "./external-ids.ts";
import { forgetOldReceipts, InForceWatch } from "./in-force.ts";
import { KeySweeps } from "./key-sweeps.ts";
import { noteUses, noteValidation, type KeyUses } from "./key-uses.ts";
import { latestSeq } from "./journal.ts";
import { externalIdIn, OtherCells } from "./other-cells.ts";
import { nonCompliantKeys, platformKeysAmongCreators } from "./policy-report.ts";
import { healPublication, nextPublicationAtMs, publishDue } from "./publications.ts";
import { resolveToken } from "./resolve.ts";
import { routeTable } from "./route-table.ts";
import { migrate } from "./schema.ts";
import { Transaction } from "./transaction.ts";
import { takeEndedUsers, type EndedUser } from "./user-endings.ts";
import type { ApiKeyView, NonCompliantKeyView, ReceiptView } from "./view.ts";
import { WebhookOutbox, type Subscription } from "./webhook-outbox.ts";
import { LedgerReads } from "./ledger-reads.ts";

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
export class Ledger extends LedgerReads implements LedgerContract {
  readonly #storage: DurableObjectStorage;
  readonly #configuration: ControlPlaneConfiguration;
  readonly #inForce: InForceWatch;
  readonly #otherCells: OtherCells;
  readonly #externalIds: ExternalIdsUnderway;
  readonly #webhooks: WebhookOutbox;
  readonly #sweeps: KeySweeps;

  constructor(ctx: DurableObjectState, env: LedgerEnv) {
    const configuration = controlPlaneConfiguration(env);
    super(ctx, env, configuration.cells);
    this.#storage = ctx.storage;
    this.#configuration = configuration;
    migrate(ctx.storage);
    const { tunables } = this.#configuration;
    this.#inForce = new InForceWatch(this.cell, { sql: this.sql, replicas: env.LEDGER_REPLICA, tunables, now: Date.now });
    const cells = new Cells(env.LEDGER, this.#configuration.cells);
    this.#otherCells = new OtherCells(this.cell, { sql: this.sql, cells, self: this, inForce: this.#inForce, tunables });
    this.#externalIds = new ExternalIdsUnderway(this.sql);
    const dispatcher = (endpointId: string) => env.WEBHOOK_DISPATCHER.getByName(endpointId);
    this.#webhooks = new WebhookOutbox({ sql: this.sql, cell: this.cell, dispatcher, now: Date.now });
    this.#sweeps = new KeySweeps(this.#storage, this.cell);
    void ctx.blockConcurrencyWhile(() => this.#arm());
  }

  async execute(envelope: CommandEnvelope): Promise<Outcome> {
    const claim = externalIdIn(envelope.command);
    if (claim === null) return this.#carryOut(envelope);
    return this.#externalIds.during(claim.externalId, claim.organizationId, () => this.#carryOut(envelope));
  }

  async #carryOut(envelope: CommandEnvelope): Promise<Outcome> {
    const objection = isRemembered(this.sql, envelope, Date.now()) ? null : await this.#otherCells.objectionTo(envelope);
    const known = objection ? envelope : await this.#otherCells.knowingAdmins(envelope);
    const outcome: Outcome = objection ? { ok: false, refusal: objection } : execute(this.#storage, known, Date.now());
    if (outcome.ok) {
      this.#inForce.committed(outcome.seq);
      await this.#arm();
      if (!envelope.untilInForce) return { ...outcome, receipt: this.#inForce.receipt(outcome.seq) ?? null };
    }
    // What a policy forbade is an event.
    if (!outcome.ok && outcome.refusal.violation) await this.#arm();
    // Also when refused: "it is gone already" would be taken for "it is in force".
    if (!(await this.#otherCells.bring(envelope.command))) return NOT_YET_EFFECTIVE;
    if (!(await this.#isToldDispatcher(envelope.command.type))) return NOT_YET_EFFECTIVE;
    if (outcome.ok) return { ...outcome, receipt: (await this.#inForce.untilInForce(outcome.seq)) ?? null };
    if (envelope.untilInForce && SAY_GONE.has(outcome.refusal.code)) await this.#inForce.untilAllInForceHere();
    return outcome;
  }

  async answerAgain(repeated: RepeatedCommand): Promise<Outcome | null> {
    const outcome = answerAgain(this.sql, repeated, Date.now());
    if (!outcome?.ok) return outcome ?? null;
    if (!(await this.#isToldDispatcher(repeated.type))) return NOT_YET_EFFECTIVE;
    const { seq } = outcome;
    const receipt = repeated.untilInForce ? await this.#inForce.untilInForce(seq) : this.#inForce.receipt(seq);
    return { ...outcome, receipt: receipt ?? null };
  }

  async mirrorCatalogue(received: Catalogue): Promise<void> {
    const transaction = new Transaction(this.sql, Date.now(), HOME);
    this.#storage.transactionSync(() => takeCatalogue(transaction, received));
    this.#inForce.committed(latestSeq(this.sql));
    await this.#arm();
    await this.#inForce.untilAllInForceHere();
  }

  async endUsers(users: readonly EndedUser[]): Promise<void> {
    const seqs = this.#storage.transactionSync(() => takeEndedUsers(this.sql, users, Date.now()));
    for (const seq of seqs) this.#inForce.committed(seq);
    await this.#arm();
    await this.#inForce.untilAllInForceHere();
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
      forgetOldCommands(this.sql, Date.now());
      forgetOldReceipts(this.sql, Date.now() - COMMAND_KEPT_MS);
      this.#storage.transactionSync(() => sweepEndedOrganization(new Transaction(this.sql, Date.now(), SYSTEM)));
      this.#storage.transactionSync(() => dropOldContent(this.sql, this.#configuration.auditRetentionDays, Date.now()));
      this.#storage.transactionSync(() => dropExpiredCustomerEvents(this.sql, Date.now()));
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
    const record = resolveToken(this.sql, tokenId, Date.now());
    if (!record) return { found: false };
    await this.#heal(recordName(tokenId), seenStamp);
    return { found: true, record };
  }

  async resolveRoutes(seenStamp: number | null | undefined): Promise<RouteTable> {
    await this.#heal(ROUTES_RECORD_NAME, seenStamp);
    return routeTable(this.sql);
  }

  async validate(tokenId: string, sha256: string, clientAddress: string | null): Promise<ApiKeyView | null> {
    const nowMs = Date.now();
    const key = apiKeys.validateToken(this.sql, tokenId, { sha256, clientAddress: () => clientAddress }, nowMs);
    if (key) noteValidation(this.sql, tokenId, nowMs);
    return key;
  }

  async rehearse(envelope: CommandEnvelope): Promise<Refusal | null> {
    const known = await this.#otherCells.knowingAdmins(envelope);
    const refusal = rehearse(this.#storage, known, Date.now());
    if (refusal?.violation) await this.#arm();
    return refusal;
  }

  async nonCompliantApiKeys(organizationId: string, walk: Walk): Promise<Slice<NonCompliantKeyView>> {
    const creators = platformKeysAmongCreators(this.sql, organizationId, walk);
    const admins = creators.length === 0 ? {} : await this.#otherCells.adminsBehind(creators);
    return nonCompliantKeys(this.sql, organizationId, walk, { nowMs: Date.now(), admins });
  }

  async settleEvents(askedMs: number): Promise<number> {
    return settleEvents(this.sql, askedMs, Date.now());
  }

  async subscribeWebhook(endpointId: string): Promise<Subscription> {
    return this.#webhooks.subscribe(endpointId);
  }

  async recordDenial(denial: Denial, organizations: readonly string[]): Promise<void> {
    this.#storage.transactionSync(() => recordDenial(this.sql, denial, organizations, Date.now()));
    await this.#arm();
  }

  async noteUses(uses: KeyUses): Promise<void> {
    this.#storage.transactionSync(() => noteUses(this.sql, uses, Date.now()));
  }

  /** Whether the webhook dispatcher that a command is for has it; true for commands that are for none. */
  async #isToldDispatcher(type: Command["type"]): Promise<boolean> {
    return !WEBHOOK_COMMANDS.has(type) || this.#webhooks.tellSettings();
  }

  /** Publishes again what a gateway found missing or out of date in KV. */
  async #heal(name: string, seenStamp: number | null | undefined): Promise<void> {
    if (seenStamp !== undefined && healPublication(this.sql, name, seenStamp, latestSeq(this.sql), Date.now())) await this.#arm();
  }

  /** Sets the alarm for the earliest thing that is waiting. */
  async #arm(): Promise<void> {
    const nowMs = Date.now();
    const waiting = [
      nextPublicationAtMs(this.sql),
      nextForgettingAtMs(this.sql),
      nextDroppingAtMs(this.sql, this.#configuration.auditRetentionDays),
      nextCustomerExpiryAtMs(this.sql),
      this.#otherCells.isBehind ? nowMs + MIRROR_RETRY_MS : null,
      this.#inForce.hasPending ? nowMs + RECEIPT_RETRY_MS : null,
      hasEndedOrganization(this.sql) ? nowMs : null,
      this.#webhooks.nextDueAtMs(),
      this.#sweeps.nextAtMs(),
    ].filter((at) => at !== null);
    if (waiting.length > 0) await this.#storage.setAlarm(Math.max(nowMs, Math.min(...waiting)));
  }
}
