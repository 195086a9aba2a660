/** The entrypoint through which the gateway reaches limiters: exchanges and nothing else. */
import { WorkerEntrypoint } from "cloudflare:workers";
import type { LimiterAccess as LimiterAccessContract, LimiterAnswer, LimiterName, LimiterRequest } from "../core/limits/messages.ts";
import { REGIONS } from "../core/protocol/region.ts";
import type { Limiter } from "./limiter.ts";

/** Bindings it needs. */
export interface LimiterEnv {
  readonly LIMITER: DurableObjectNamespace<Limiter>;
}

const SUBJECT = /^(?:key|owner|organization|route):[A-Za-z0-9._-]{1,128}$/;

/** The `LimiterAccess` entrypoint. Rejects when the limiter cannot be reached. */
export class LimiterAccess extends WorkerEntrypoint<LimiterEnv> implements LimiterAccessContract {
  /** The first call to a limiter decides where it is created: in its region, or near whoever asks first. */
  async exchange({ place, subject }: LimiterName, request: LimiterRequest): Promise<LimiterAnswer> {
    if (!SUBJECT.test(subject)) throw new RangeError("not the name of a limiter");
    const region = REGIONS.find((each) => each === place);
    if (!region && place !== "local" && place !== "global") throw new RangeError("not a place of limiters");
    const hint = region ? { locationHint: region as DurableObjectLocationHint } : {};
    return this.env.LIMITER.getByName(`${place}/${subject}`, hint).exchange(request);
  }
}
