/**
 * The Limiter Durable Object: all meters of one subject in one place. A thin shell around {@link Meter}: every exchange is stored before it is
 * answered, so a new life forgets nothing, and an instance that has been superseded, which cannot store, tells nothing.
 */
import { DurableObject } from "cloudflare:workers";
import { limiterRequestSchema, type LimiterAnswer, type LimiterRequest, type MeterAsk } from "../core/limits/messages.ts";
import { freshMeter, Meter, revivedMeter, type MeterState } from "../core/limits/meter.ts";
import type { ClockAssumptions } from "../core/limits/terms.ts";
import { tunablesOf, tunablesSchema } from "../core/protocol/tunables.ts";

/** Milliseconds between two looks for meters that need not be kept any more. */
const CLEARED_AFTER_MS = 3_600_000;

/** One limiter. */
export class Limiter extends DurableObject<object> {
  readonly #storage: DurableObjectStorage;
  readonly #clocks: ClockAssumptions;
  readonly #now: () => number;
  readonly #meters = new Map<string, Meter>();
  #isPrepared = false;

  constructor(ctx: DurableObjectState, env: object, now: () => number = () => Date.now()) {
    super(ctx, env);
    this.#storage = ctx.storage;
    this.#now = now;
    this.#clocks = tunablesOf(tunablesSchema.parse(env));
  }

  /** Takes accounts and grants leases, all in one step. */
  async exchange(asked: LimiterRequest): Promise<LimiterAnswer> {
    const request = limiterRequestSchema.parse(asked);
    if (!this.#isPrepared) await this.#prepare();
    const nowMs = this.#now();
    return request.map((ask) => this.#exchange(ask, nowMs));
  }

  /** Forgets what counts nothing any more; the whole object, when that is all. */
  override async alarm(): Promise<void> {
    await this.#prepare();
    for (const { name } of this.#storage.sql.exec<{ name: string }>("SELECT name FROM meter").toArray()) {
      if (!this.#meter(name).isIdle(this.#now())) continue;
      this.#storage.sql.exec("DELETE FROM meter WHERE name = ?", name);
      this.#meters.delete(name);
    }
    const left = this.#storage.sql.exec<{ meters: number }>("SELECT count(*) AS meters FROM meter").one().meters;
    if (left > 0) return;
    this.#isPrepared = false;
    await this.#storage.deleteAll();
  }

  /** Of an object that counts something, the table is there and the alarm is set. */
  async #prepare(): Promise<void> {
    this.#storage.sql.exec("CREATE TABLE IF NOT EXISTS meter (name TEXT PRIMARY KEY, state TEXT NOT NULL) STRICT, WITHOUT ROWID");
    if ((await this.#storage.getAlarm()) === null) await this.#storage.setAlarm(Date.now() + CLEARED_AFTER_MS);
    this.#isPrepared = true;
  }

  #exchange(ask: MeterAsk, nowMs: number): LimiterAnswer[number] {
    const meter = this.#meter(ask.meter);
    const answer = meter.exchange(ask, nowMs);
    this.#storage.sql.exec(
      "INSERT INTO meter VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET state = excluded.state",
      ask.meter,
      JSON.stringify(meter.state),
    );
    return answer;
  }

  #meter(name: string): Meter {
    const known = this.#meters.get(name);
    if (known) return known;
    const [stored] = this.#storage.sql.exec<{ state: string }>("SELECT state FROM meter WHERE name = ?", name).toArray();
    const state = stored ? revivedMeter(JSON.parse(stored.state) as MeterState) : freshMeter();
    const meter = new Meter(state, this.#clocks);
    this.#meters.set(name, meter);
    return meter;
  }
}
