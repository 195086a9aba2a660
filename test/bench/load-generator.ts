/** The process that makes the load, apart from the one that reads the Workers' log: each order that comes in is run and answered. */
import autocannon, { type Result } from "autocannon";
import { quantile } from "./statistics.ts";

/** One spell of load on one address. */
export interface Order {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly connections: number;
  /** Under load, but not measured: for its first moments an isolate whose turn it was not is slower than it is from then on. */
  readonly settlingSeconds: number;
  readonly seconds: number;
}

/** What came of it. */
export interface Outcome {
  readonly rps: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Answers by status. */
  readonly statuses: Readonly<Record<string, number>>;
  /** Requests without an answer. */
  readonly failures: number;
}

const LOOK_EVERY_MS = 50;
const TIMEOUT_S = 10;

process.on("message", (order: Order) => {
  void run(order).then((outcome) => process.send?.(outcome));
});

async function run({ url, headers, connections, settlingSeconds, seconds }: Order): Promise<Outcome> {
  const latenciesMs: number[] = [];
  const settledAt = performance.now() + settlingSeconds * 1_000;
  let lastAt = settledAt;
  const result = await new Promise<Result>((resolve, reject) => {
    const duration = settlingSeconds + seconds;
    const options = { url, headers, connections, duration, sampleInt: LOOK_EVERY_MS, timeout: TIMEOUT_S };
    autocannon(options, (error, found) => (error ? reject(error) : resolve(found))).on("response", (_client, _status, _bytes, ms) => {
      const nowAt = performance.now();
      if (nowAt < settledAt) return;
      latenciesMs.push(ms);
      lastAt = nowAt;
    });
  });
  const tookMs = lastAt - settledAt;
  const sorted = Float64Array.from(latenciesMs).toSorted();
  return {
    rps: (sorted.length / tookMs) * 1000,
    p50Ms: quantile(sorted, 0.5),
    p99Ms: quantile(sorted, 0.99),
    statuses: Object.fromEntries(Object.entries(result.statusCodeStats).map(([status, { count }]) => [status, count])),
    failures: result.errors + result.timeouts + result.resets,
  };
}
