/** Many isolates' traffic against one key in real time: gateway Workers on real sockets, one limiter, and what was admitted when. */
import { setTimeout as sleep } from "node:timers/promises";
import { Agent, fetch } from "undici";
import { callApi, type Json } from "../../local/api-client.ts";
import { mostWithin } from "./limit-watch.ts";
import type { Interval } from "./oracle.ts";
import { SoakSystem } from "./system.ts";
import { Upstream } from "./upstream.ts";

/** What is sent against what. */
export interface RealLimitLoad {
  readonly isolates: number;
  readonly seconds: number;
  /** Of all isolates together. */
  readonly requestsPerSecond: number;
  readonly limit: number;
  readonly windowS: number;
}

/** What came of it. */
export interface RealLimitLoadResult {
  readonly requests: number;
  readonly admitted: number;
  /** Answers that were neither 200 nor 429: there should be none. */
  readonly other: number;
  /** Most that were certainly admitted within one window: sent after it began and answered before it ended. */
  readonly worstWindow: number;
  /** Calls to the limiter. */
  readonly questions: number;
}

/** More are not sent at once. */
const UNDER_WAY_MAX = 256;
const TICK_MS = 10;
const PATH = "/limited";

/** Runs it. */
export async function runRealLimitLoad(load: RealLimitLoad): Promise<RealLimitLoadResult> {
  await using upstream = await Upstream.start();
  await using system = await SoakSystem.start({ gateway: "shipped", gateways: load.isolates, settings: {} });
  const key = await limitedKey(system, upstream, load);
  const agent = new Agent({ connections: 16 });
  const run = new Run(system.gateways, key, agent);
  try {
    await run.send(load);
  } finally {
    await agent.destroy();
  }
  const { admitted, requests, other } = run;
  const questions = await system.limiterQuestions();
  return { requests, admitted: admitted.length, other, worstWindow: mostWithin(admitted, load.windowS * 1_000), questions };
}

class Run {
  readonly admitted: Interval[] = [];
  requests = 0;
  other = 0;
  readonly #gateways: readonly URL[];
  readonly #key: string;
  readonly #agent: Agent;
  readonly #underWay = new Set<Promise<void>>();

  constructor(gateways: readonly URL[], key: string, agent: Agent) {
    this.#gateways = gateways;
    this.#key = key;
    this.#agent = agent;
  }

  /** Sends to each isolate in turn; waits until all has been answered. */
  async send({ seconds, requestsPerSecond }: RealLimitLoad): Promise<void> {
    const startMs = Date.now();
    for (let sent = 0; Date.now() < startMs + seconds * 1_000; await sleep(TICK_MS))
      for (const due = ((Date.now() - startMs) / 1_000) * requestsPerSecond; sent < due; sent += 1) this.#begin(sent);
    while (this.#underWay.size > 0) await Promise.all(this.#underWay);
  }

  #begin(at: number): void {
    if (this.#underWay.size >= UNDER_WAY_MAX) return;
    const exchange = this.#exchange(new URL(PATH, this.#gateways[at % this.#gateways.length])).finally(() =>
      this.#underWay.delete(exchange),
    );
    this.#underWay.add(exchange);
  }

  async #exchange(url: URL): Promise<void> {
    this.requests += 1;
    const fromMs = Date.now();
    const response = await fetch(url, { headers: { Authorization: `Bearer ${this.#key}` }, dispatcher: this.#agent });
    await response.arrayBuffer();
    if (response.status === 200) this.admitted.push({ fromMs, toMs: Date.now() });
    else if (response.status !== 429) this.other += 1;
  }
}

/** A key, and a route on which it is limited. */
async function limitedKey({ controlPlane, adminKey }: SoakSystem, upstream: Upstream, { limit, windowS }: RealLimitLoad): Promise<string> {
  const call = (method: string, path: string, body: Json) => callApi(controlPlane, adminKey, method, path, body);
  await call("POST", "/authorization/permissions", { slug: "orders:read", name: "Read orders" });
  const limits = [{ name: "calls", kind: "rate", per: "key", limit, window: windowS }];
  const route = { name: "limited", methods: ["GET"], path: PATH, upstream: upstream.url, permissions: { all: ["orders:read"] }, limits };
  await call("PUT", "/routes", { routes: [route] });
  const organization = await call("POST", "/organizations", { name: "Limited" });
  const key = await call("POST", `/organizations/${String(organization["id"])}/api_keys`, { name: "Hot", permissions: ["orders:read"] });
  return String(key["value"]);
}
