/** The gateway as shipped, with every call it makes counted and the customer's API in place of the internet. */
import { env } from "cloudflare:workers";
import type { LedgerReader } from "../../core/ledger-reader.ts";
import { gatewayConfiguration } from "../../worker/configuration.ts";
import { ROUTES_RECORD_NAME } from "../../core/route.ts";
import { createGateway, type Gateway } from "../../worker/gateway.ts";
import { platformPorts } from "../../worker/platform-ports.ts";
import { faultyKv } from "./faulty-kv.ts";

/** A gateway with an isolate memory of its own, and what it did. */
export interface ObservedGateway {
  /** Sends a request to it. */
  send(path: string, init?: RequestInit): Promise<Response>;
  /** Has it answer a request as it is. */
  answer(request: Request): Promise<Response>;
  /** Sends a GET with a bearer token. */
  get(path: string, token: string): Promise<Response>;
  /** `replica`: questions to the region's replica; `ledger`: to the cells themselves; `limiter`: to limiters. */
  readonly calls: { kv: number; replica: number; ledger: number; limiter: number; upstream: number };
  /** Requests that reached the customer's API, oldest first. */
  readonly forwarded: Request[];
  readonly logLines: string[];
  /** What it wants to go on also when the client has gone. */
  readonly outliving: readonly Promise<unknown>[];
  /** Lets the time pass for which work beside its answers waits, such as sending counted usage, and waits until that is done, or has failed. */
  settled(): Promise<void>;
  /** How far its clock is ahead, and whether it stands still, so that no lease runs out. */
  readonly clock: { aheadMs: number; standsStillAtMs: number | null };
  /** What it counted. */
  readonly counted: string[];
  /** Faults of the way to the ledger and to the upstream; put back by the test that sets them. */
  readonly faults: {
    ledger: "none" | "unreachable" | "overloaded" | "unresolvable" | "unintelligible";
    /** What happens when a route table has arrived from KV or from its cell, before it is taken in. */
    routesArrive: () => Promise<void>;
    upstream: (request: Request) => Promise<Response>;
    /** Of the way to the collector; `unanswered`: it takes what it gets, and the answer is lost. */
    usage: "none" | "unreachable" | "unanswered";
  };
}

/** Milliseconds; only against hanging for ever. */
const PATIENCE_MS = 60_000;
/** As in wrangler.toml. */
const AN_EDGE_LEASE_MS = 100;

/**
 * What a gateway answers to a GET once it can decide. On a busy machine its questions may take longer than the leases they are for; it then says 503, and is
 * asked again. A 503 sooner than that has no such excuse.
 */
export async function decided(gateway: ObservedGateway, path: string, token: string): Promise<Response> {
  const untilMs = Date.now() + PATIENCE_MS;
  for (;;) {
    const sinceMs = Date.now();
    const response = await gateway.get(path, token);
    const tookMs = Date.now() - sinceMs;
    if (response.status !== 503 || tookMs < AN_EDGE_LEASE_MS || Date.now() >= untilMs) return response;
  }
}

/** Makes one. A new one has seen nothing, as on an edge far away. */
export function observeGateway(settings: Readonly<Record<string, string>> = {}): ObservedGateway {
  const platform = platformPorts({ ...env, KEYS: faultyKv(env.KEYS) });
  const calls = { kv: 0, replica: 0, ledger: 0, limiter: 0, upstream: 0 };
  const counted: string[] = [];
  const background: Promise<unknown>[] = [];
  const forwarded: Request[] = [];
  const logLines: string[] = [];
  const faults: ObservedGateway["faults"] = {
    ledger: "none",
    routesArrive: async () => {},
    upstream: async () => Response.json({ from: "upstream" }),
    usage: "none",
  };
  const waiting: (() => void)[] = [];
  const clock: ObservedGateway["clock"] = { aheadMs: 0, standsStillAtMs: null };
  const gateway: Gateway = createGateway(gatewayConfiguration({ ...env, USAGE_DELIVERY: "off", ...settings }), {
    ...platform,
    readKv: async (name) => {
      calls.kv += 1;
      const text = await platform.readKv(name);
      if (name === ROUTES_RECORD_NAME) await faults.routesArrive();
      return text;
    },
    ledger: observedReader(platform.ledger, calls, faults),
    limiters: {
      exchange: async (limiter, request) => {
        calls.limiter += 1;
        return platform.limiters.exchange(limiter, request);
      },
    },
    now: () => (clock.standsStillAtMs ?? platform.now()) + clock.aheadMs,
    fetch: async (url, init) => {
      const request = new Request(url, init);
      calls.upstream += 1;
      forwarded.push(request);
      return faults.upstream(request);
    },
    log: (line) => logLines.push(line),
    count: (event) => counted.push(event),
    sendUsage: {
      ...platform.sendUsage,
      direct: async (batches) => {
        if (faults.usage === "unreachable") throw new Error("Network connection lost.");
        await platform.sendUsage.direct(batches);
        if (faults.usage === "unanswered") throw new Error("Network connection lost.");
      },
    },
    wait: async () => new Promise<void>((resolve) => waiting.push(resolve)),
  });
  const answer = async (request: Request) => gateway.fetch(request, { waitUntil: (promise) => background.push(promise) });
  const send = (path: string, init?: RequestInit) => answer(new Request(`https://api.example${path}`, init));
  const settled = async () => {
    const state = { isOver: false };
    const over = Promise.all(background.splice(0)).finally(() => (state.isOver = true));
    while (!state.isOver) {
      for (const go of waiting.splice(0)) go();
      await scheduler.wait(1);
    }
    await over;
  };
  return {
    send,
    answer,
    get: (path, token) => send(path, { headers: { Authorization: `Bearer ${token}` } }),
    calls,
    forwarded,
    logLines,
    clock,
    counted,
    outliving: background,
    settled,
    faults,
  };
}

function observedReader(reader: LedgerReader, calls: { replica: number; ledger: number }, faults: ObservedGateway["faults"]): LedgerReader {
  const ask = async <Answer>(party: "replica" | "ledger", question: () => Promise<Answer>, refused: boolean): Promise<Answer> => {
    calls[party] += 1;
    if (refused) throw new Error("Network connection lost.");
    if (faults.ledger === "overloaded") throw Object.assign(new Error("Durable Object is overloaded."), { overloaded: true });
    return faults.ledger === "unintelligible" ? ({} as Answer) : question();
  };
  const isUnresolvable = () => faults.ledger === "unreachable" || faults.ledger === "unresolvable";
  return {
    sync: (replica, request) => ask("replica", () => reader.sync(replica, request), faults.ledger === "unreachable"),
    probe: (replica, cells) => ask("replica", () => reader.probe(replica, cells), faults.ledger === "unreachable"),
    resolve: (request) => ask("ledger", () => reader.resolve(request), isUnresolvable()),
    locate: (request) => ask("ledger", () => reader.locate(request), isUnresolvable()),
    resolveRoutes: async (request) => {
      const table = await ask("ledger", () => reader.resolveRoutes(request), isUnresolvable());
      await faults.routesArrive();
      return table;
    },
  };
}
