/** Calls of the control plane as its documentation asks for them: what may not have been done is sent again until it is known. */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { ApiCallError, callApi, type Json } from "../../local/api-client.ts";
import { DeadlineError, withDeadline } from "../../platform/deadline.ts";
import { NOTICED_AFTER_MS, type FaultLog } from "./fault-log.ts";
import type { Interval } from "./oracle.ts";

const AGAIN_AFTER_MS = 300;
/** Much longer than any change waits for the leases of a replica that is gone. */
const ANSWERED_WITHIN_MS = 120_000;
/** So many are enough. */
const UNEXPLAINED_MAX = 50;
/** What the documentation says to repeat. */
const REPEATED: ReadonlySet<unknown> = new Set(["temporarily_unavailable", "not_yet_effective"]);

/** The changes of one run. */
export class ControlPlaneCalls {
  readonly #base: URL;
  readonly #adminKey: string;
  readonly #faults: FaultLog;
  /** How many changes were acknowledged, and how many answers said to try again, all of them explained by a fault. */
  acknowledged = 0;
  repeated = 0;
  /** Errors that nothing explains, in words. */
  readonly unexplained: string[] = [];

  constructor(base: URL, adminKey: string, faults: FaultLog) {
    this.#base = base;
    this.#adminKey = adminKey;
    this.#faults = faults;
  }

  /** Makes a change; returns when it is acknowledged. Everything is tried again; what the documentation does not say to repeat is unexplained. */
  async change(method: string, path: string, body?: Json): Promise<Json> {
    const answer = await this.changeUnless(() => false, method, path, body);
    if (!answer) throw new Error("nothing makes this change pointless");
    return answer;
  }

  /** The same; undefined when a refusal says that there is no point any more. */
  async changeUnless(isPointless: (code: unknown) => boolean, method: string, path: string, body?: Json): Promise<Json | undefined> {
    const idempotencyKey = randomUUID();
    for (;;) {
      const fromMs = Date.now();
      try {
        const answer = await withDeadline(callApi(this.#base, this.#adminKey, method, path, body, idempotencyKey), ANSWERED_WITHIN_MS);
        this.acknowledged += 1;
        return answer;
      } catch (error) {
        if (error instanceof ApiCallError && isPointless(error.code)) return undefined;
        await this.#note(error, { fromMs, toMs: Date.now() }, `${method} ${path}`);
        await sleep(AGAIN_AFTER_MS);
      }
    }
  }

  /** The cells whose hash chains are broken. */
  async brokenChains(cells: number): Promise<number[]> {
    const verified = Array.from({ length: cells }, async (_, cell) => {
      const { broken_at } = await callApi(this.#base, this.#adminKey, "GET", `/ledger/${cell}/verify`);
      return broken_at === null ? [] : [cell];
    });
    return (await Promise.all(verified)).flat();
  }

  async #note(error: unknown, interval: Interval, what: string): Promise<void> {
    const mayRepeat = error instanceof DeadlineError || (error instanceof ApiCallError && error.status === 503 && REPEATED.has(error.code));
    const isExplained = () => mayRepeat && this.#faults.during(interval, ({ delaysChanges }) => delaysChanges === true).length > 0;
    if (!isExplained()) await sleep(NOTICED_AFTER_MS);
    if (isExplained()) this.repeated += 1;
    else this.unexplained.push(`${new Date(interval.toMs).toISOString()} ${what}: ${String(error)}`);
    if (this.unexplained.length >= UNEXPLAINED_MAX) throw error;
  }
}
