/** The control plane as shipped, with its Durable Objects behind the fault switches. */
import controlPlane from "../../../control-plane/index.ts";
import type { CommandEnvelope, Outcome } from "../../../control-plane/ledger/command.ts";
import { Ledger as RealLedger, type LedgerEnv } from "../../../control-plane/ledger/ledger.ts";
import { LedgerReplica as RealLedgerReplica } from "../../../control-plane/ledger-replica.ts";
import { Limiter as RealLimiter } from "../../../control-plane/limiter.ts";
import type { Resolution } from "../../../core/ledger-reader.ts";
import type { LimiterAnswer, LimiterRequest } from "../../../core/limits/messages.ts";
import type { Acknowledgement, LeaseGrant, LeaseRequest, Push, SyncAnswer, SyncRequest } from "../../../core/protocol/messages.ts";
import type { RouteTable } from "../../../core/route.ts";
import { asked, failDuring, hangDuring, isOn } from "./fault-switch.ts";

export { FaultSwitch } from "./fault-switch.ts";
export { LedgerReader, LimiterAccess, UsageCollector, UsageStore, WebhookDispatcher } from "../../../control-plane/index.ts";

/** How often, while objects die, one does at a moment at which it may. */
const DEATHS = { beforeCommand: 0.3, afterCommand: 0.3, inAlarm: 0.2, replica: 0.3, limiter: 0.3 } as const;

export default controlPlane;

function isTimeToDie(moment: keyof typeof DEATHS): boolean {
  return Math.random() < DEATHS[moment];
}

/** The ledger, which may hang, and die. */
export class Ledger extends RealLedger {
  constructor(ctx: DurableObjectState, env: LedgerEnv) {
    super(ctx, { ...env, KEYS: faultyKv(env.KEYS) });
  }

  override async execute(envelope: CommandEnvelope): Promise<Outcome> {
    this.#mayDie("beforeCommand");
    const outcome = await super.execute(envelope);
    this.#mayDie("afterCommand");
    return outcome;
  }

  override async alarm(): Promise<void> {
    this.#mayDie("inAlarm");
    return super.alarm();
  }

  override async grantLease(request: LeaseRequest): Promise<LeaseGrant | undefined> {
    await hangDuring("cells_hang");
    return super.grantLease(request);
  }

  override async resolve(tokenId: string, seenStamp?: number | null): Promise<Resolution> {
    await hangDuring("cells_hang");
    return super.resolve(tokenId, seenStamp);
  }

  override async resolveRoutes(seenStamp: number | null | undefined): Promise<RouteTable> {
    await hangDuring("cells_hang");
    return super.resolveRoutes(seenStamp);
  }

  #mayDie(moment: "beforeCommand" | "afterCommand" | "inAlarm"): void {
    if (isOn("cells_restart") && isTimeToDie(moment)) this.ctx.abort("killed by the soak");
  }
}

/** The replica, which may fail, hang and die. */
export class LedgerReplica extends RealLedgerReplica {
  override async push(push: Push): Promise<Acknowledgement> {
    failDuring("pushes_fail");
    return super.push(push);
  }

  override async sync(request: SyncRequest): Promise<SyncAnswer> {
    failDuring("replicas_fail");
    await hangDuring("replicas_hang");
    if (isOn("replicas_restart") && isTimeToDie("replica")) this.ctx.abort("killed by the soak");
    return super.sync(request);
  }
}

/** The limiter, which may fail, hang and die when it has counted and not yet answered. */
export class Limiter extends RealLimiter {
  override async exchange(request: LimiterRequest): Promise<LimiterAnswer> {
    asked.limiters += 1;
    failDuring("limiters_fail");
    await hangDuring("limiters_hang");
    const answer = await super.exchange(request);
    if (isOn("limiters_restart") && isTimeToDie("limiter")) this.ctx.abort("killed by the soak");
    return answer;
  }
}

function faultyKv(kv: KVNamespace): KVNamespace {
  return new Proxy(kv, {
    get(target, property) {
      const member: unknown = Reflect.get(target, property);
      if (typeof member !== "function") return member;
      return (...inputs: unknown[]): unknown => {
        if (property === "put") failDuring("kv_writes_fail");
        return Reflect.apply(member, target, inputs);
      };
    },
  });
}
