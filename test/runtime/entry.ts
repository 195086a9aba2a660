/**
 * The test Worker: the control plane as it is, with the ledger's KV and the ways between its objects behind fault switches. Every answer
 * of every test is held against the published document on its way out.
 */
import { WorkerEntrypoint } from "cloudflare:workers";
import controlPlane from "../../control-plane/index.ts";
import { LedgerReplica as RealLedgerReplica } from "../../control-plane/ledger-replica.ts";
import type { CommandEnvelope, Outcome } from "../../control-plane/ledger/command.ts";
import type { Catalogue } from "../../control-plane/ledger/contract.ts";
import { Ledger as RealLedger, type LedgerEnv } from "../../control-plane/ledger/ledger.ts";
import type { CellStanding } from "../../control-plane/ledger/cell-standing.ts";
import type { EndedUser } from "../../control-plane/ledger/user-endings.ts";
import type { Acknowledgement, LeaseGrant, LeaseRequest, Push, SyncAnswer, SyncRequest } from "../../core/protocol/messages.ts";
import type { GatewayCounters } from "../../control-plane/metrics/gateway-counters.ts";
import { WebhookDispatcher as RealWebhookDispatcher, type DispatcherEnv } from "../../control-plane/webhooks/dispatcher.ts";
import { UsageStore as RealUsageStore, type UsageStoreEnv } from "../../control-plane/usage/store.ts";
import type { KeyUses } from "../../control-plane/ledger/key-uses.ts";
import type { UsageBatch } from "../../core/usage/batch.ts";
import { PublishedApi } from "../published-api.ts";
import { Limiter as RealLimiter } from "../../control-plane/limiter.ts";
import type { LimiterAnswer, LimiterRequest } from "../../core/limits/messages.ts";
import { faultyKv } from "./faulty-kv.ts";
import { analyticsRows } from "./usage-stores.ts";
import { ledgerFaults, standingsAsked, suffer } from "./ledger-faults.ts";
import { limiterWorld } from "./limiter-world.ts";
import { RESOLVER, webhookWorld } from "./webhook-world.ts";

export { LedgerReader, LimiterAccess, UsageCollector } from "../../control-plane/index.ts";

let published: PublishedApi | undefined;

/** The control plane; an answer that is not as published becomes an error. */
export default {
  async fetch(request: Request): Promise<Response> {
    const { method, url } = request;
    const response = await controlPlane.fetch(request);
    published ??= new PublishedApi(await (await controlPlane.fetch(new Request(new URL("/openapi.json", url)))).json());
    const { status, headers } = response;
    const faults = published.faults(method, new URL(url).pathname, { status, headers, text: await response.clone().text() });
    if (faults.length > 0) throw new Error(`${method} ${new URL(url).pathname}: not as published: ${faults.join("; ")}`);
    return response;
  },
  queue: controlPlane.queue,
};

/** A customer's API that is bound as a service: says what it got. */
export class CustomerApi extends WorkerEntrypoint {
  override async fetch(request: Request): Promise<Response> {
    const { method, url, headers, cf } = request;
    const told = { assertion: headers.get("portcullis-assertion"), caching: [headers.get("cache-control"), headers.get("pragma")], cf };
    return Response.json({ method, url, body: await request.text(), ...told });
  }
}

/** The ledger, which may refuse the catalogue or a lease, and may die. */
export class Ledger extends RealLedger {
  constructor(ctx: DurableObjectState, env: LedgerEnv) {
    super(ctx, { ...env, KEYS: faultyKv(env.KEYS) });
  }

  override async alarm(): Promise<void> {
    if (ledgerFaults.dyingAtAlarm.delete(this.ctx.id.name ?? "")) this.ctx.abort("killed by a test");
    return super.alarm();
  }

  override async execute(envelope: CommandEnvelope): Promise<Outcome> {
    if (ledgerFaults.dyingAtCommand.delete(this.ctx.id.name ?? "")) this.ctx.abort("killed by a test");
    return super.execute(envelope);
  }

  override async mirrorCatalogue(received: Catalogue): Promise<void> {
    await suffer(ledgerFaults.onCatalogue.get(this.ctx.id.name ?? ""));
    return super.mirrorCatalogue(received);
  }

  override async claimExternalId(externalId: string, organizationId: string): Promise<boolean | null> {
    const may = await super.claimExternalId(externalId, organizationId);
    if (may) await ledgerFaults.claimsAnswered.get(externalId);
    return may;
  }

  override async holdsExternalId(organizationId: string, externalId: string): Promise<boolean> {
    await suffer(ledgerFaults.onHolding.get(externalId));
    return super.holdsExternalId(organizationId, externalId);
  }

  override async adminsBehind(keyIds: readonly string[]): ReturnType<RealLedger["adminsBehind"]> {
    for (const id of keyIds) await suffer(ledgerFaults.onAdminsAsked.get(id));
    return super.adminsBehind(keyIds);
  }

  override async endUsers(users: readonly EndedUser[]): Promise<void> {
    if (ledgerFaults.notEndingUsers.has(this.ctx.id.name ?? "")) throw new Error("Network connection lost.");
    return super.endUsers(users);
  }

  override async noteUses(uses: KeyUses): Promise<void> {
    await suffer(ledgerFaults.onUses.get(this.ctx.id.name ?? ""));
    return super.noteUses(uses);
  }

  override async grantLease(request: LeaseRequest): Promise<LeaseGrant | undefined> {
    await suffer(ledgerFaults.onGrant.get(this.ctx.id.name ?? ""));
    return super.grantLease(request);
  }

  override async standing(): Promise<CellStanding> {
    standingsAsked.push(this.ctx.id.name ?? "");
    await suffer(ledgerFaults.onStanding.get(this.ctx.id.name ?? ""));
    return super.standing();
  }
}

/** The replica, which may fail or hang. */
export class LedgerReplica extends RealLedgerReplica {
  override async push(push: Push): Promise<Acknowledgement> {
    await suffer(ledgerFaults.onPush.get(this.ctx.id.name ?? ""));
    return super.push(push);
  }

  override async sync(request: SyncRequest): Promise<SyncAnswer> {
    await suffer(ledgerFaults.onSync.get(this.ctx.id.name ?? ""));
    return super.sync(request);
  }

  override async probe(cells: readonly number[]): Promise<readonly number[]> {
    await suffer(ledgerFaults.onProbe.get(this.ctx.id.name ?? ""));
    return super.probe(cells);
  }
}

/** The limiter with a clock that tests move, and which may fail or hang. */
export class Limiter extends RealLimiter {
  constructor(ctx: DurableObjectState, env: object) {
    super(ctx, env, () => Date.now() + limiterWorld.aheadMs);
  }

  override async exchange(request: LimiterRequest): Promise<LimiterAnswer> {
    await suffer(limiterWorld.fault);
    const answer = await super.exchange(request);
    await limiterWorld.answered;
    return answer;
  }
}

/** The dispatcher in a world of its own: its clock, its resolver, and the receivers it meets. */
export class WebhookDispatcher extends RealWebhookDispatcher {
  constructor(ctx: DurableObjectState, env: DispatcherEnv) {
    super(ctx, { ...env, WEBHOOK_RESOLVER: `https://${RESOLVER}/dns-query` } as DispatcherEnv, webhookWorld.ports);
  }
}

/** The usage store, which may fail or hang; the rows it sends for analysis can be looked at. */
export class UsageStore extends RealUsageStore {
  constructor(ctx: DurableObjectState, env: UsageStoreEnv) {
    const { USAGE_ANALYTICS_DATASET: dataset } = env;
    const writeDataPoint = (point: AnalyticsEngineDataPoint) => {
      analyticsRows.push(point);
      dataset?.writeDataPoint(point);
    };
    super(ctx, { ...env, USAGE_ANALYTICS_DATASET: { writeDataPoint } });
  }

  override async take(batches: readonly UsageBatch[]): Promise<void> {
    await suffer(ledgerFaults.onUsage.get(this.ctx.id.name ?? ""));
    return super.take(batches);
  }

  override async gatewayCounters(): Promise<GatewayCounters> {
    await suffer(ledgerFaults.onCounters.get(this.ctx.id.name ?? ""));
    return super.gatewayCounters();
  }
}
