/** What webhook dispatchers meet in tests: a clock that stands until it is moved, and receivers that behave as they are told. */
import { env } from "cloudflare:workers";
import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { vi } from "vitest";
import type { DispatcherPorts } from "../../control-plane/webhooks/dispatcher.ts";

const CELLS = 4;
/** What a receiver may take to answer, in ms, where a test says nothing else. */
const TIMEOUT_MS = 30;
/** Until a cell must have told the dispatchers. */
const PATIENCE = { timeout: 60_000, interval: 20 };

/** A delivery as a receiver gets it. */
export interface Received {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** Of the world's clock, ms since the epoch. */
  readonly atMs: number;
}

/** How a receiver answers. */
export type Receiver = (received: Received, init: RequestInit) => Promise<Response>;

/** Accepts everything. */
export const accepting: Receiver = async () => new Response(null, { status: 204 });

/** Never answers. */
export const hanging: Receiver = (_, { signal }) =>
  new Promise((_resolve, reject) => signal?.addEventListener("abort", () => reject(signal.reason as Error)));

/** The host that is asked for addresses. */
export const RESOLVER = "resolver.example.com";

/** Says of every host that it is a public one. */
export async function knowingAll(url: string): Promise<Response> {
  return Response.json({ Answer: new URL(url).searchParams.get("type") === "A" ? [{ type: 1, data: "93.184.216.34" }] : [] });
}

interface WebhookWorld {
  /** How the resolver answers. */
  resolve: (url: string) => Promise<Response>;
  /** Ms since the epoch; years ahead, so that no alarm goes off by itself. */
  nowMs: number;
  /** By host name. */
  readonly receivers: Map<string, Receiver>;
  /** All that was sent, oldest first. */
  readonly received: Received[];
  /** How long a receiver is waited for, in ms; this much is really waited. */
  timeoutMs: number;
  /** Told before a dispatcher acts at another time. */
  atTime: (nowMs: number) => Promise<unknown>;
  readonly ports: DispatcherPorts;
}

/** The world at the moment. */
export const webhookWorld: WebhookWorld = {
  nowMs: Date.now() + 10 * 365 * 24 * 60 * 60 * 1_000,
  receivers: new Map(),
  received: [],
  resolve: knowingAll,
  timeoutMs: TIMEOUT_MS,
  atTime: async () => undefined,
  ports: {
    now: () => webhookWorld.nowMs,
    random: () => 0,
    timeout: () => AbortSignal.timeout(webhookWorld.timeoutMs),
    fetch: async (url, init) => {
      if (new URL(url).hostname === RESOLVER) return webhookWorld.resolve(url);
      const received = { url, headers: init.headers as Record<string, string>, body: init.body as string, atMs: webhookWorld.nowMs };
      webhookWorld.received.push(received);
      const receiver = webhookWorld.receivers.get(new URL(url).hostname) ?? accepting;
      return receiver(received, init);
    },
  },
};

const dispatcherOf = (endpointId: string) => env.WEBHOOK_DISPATCHER.getByName(endpointId);

/** Lets every cell tell the dispatchers what there is. */
export async function cellsReport(): Promise<void> {
  for (let cell = 0; cell < CELLS; cell++) {
    const stub = env.LEDGER.getByName(`cell-${cell}`);
    await vi.waitFor(async () => {
      await runDurableObjectAlarm(stub);
      const query = "SELECT 1 FROM webhook_subscriptions WHERE notified_seq < (SELECT max(seq) FROM events)";
      if (await runInDurableObject(stub, (_, { storage }) => storage.sql.exec(query).toArray().length > 0)) throw new Error("not yet told");
    }, PATIENCE);
  }
}

/** Runs an endpoint's alarm at the time it is set to; false when none is set, or only later than `untilMs`. */
export async function nextAlarm(endpointId: string, untilMs = Infinity): Promise<boolean> {
  const alarmMs = await alarmOf(endpointId);
  if (alarmMs === null || alarmMs > untilMs) return false;
  webhookWorld.nowMs = Math.max(webhookWorld.nowMs, alarmMs);
  await webhookWorld.atTime(webhookWorld.nowMs);
  await runDurableObjectAlarm(dispatcherOf(endpointId));
  return true;
}

/** Lets time pass for an endpoint, one alarm after the other. */
export async function pass(endpointId: string, ms: number): Promise<void> {
  await passTogether([endpointId], ms);
}

/** Lets time pass for several, whose alarm is the earliest first. */
export async function passTogether(endpointIds: readonly string[], ms: number): Promise<void> {
  const untilMs = webhookWorld.nowMs + ms;
  let isMoving = true;
  while (isMoving) {
    const alarms = await Promise.all(endpointIds.map(async (id) => ({ id, atMs: (await alarmOf(id)) ?? Infinity })));
    const [next] = alarms.toSorted((one, other) => one.atMs - other.atMs);
    isMoving = next !== undefined && (await nextAlarm(next.id, untilMs));
  }
  webhookWorld.nowMs = untilMs;
}

async function alarmOf(endpointId: string): Promise<number | null> {
  return runInDurableObject(dispatcherOf(endpointId), (_, { storage }) => storage.getAlarm());
}
