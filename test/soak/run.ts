/** One soak: starts everything, lets it run, judges it. */
import { setTimeout as sleep } from "node:timers/promises";
import { Random } from "../random.ts";
import { Clients } from "./clients.ts";
import { ControlPlaneCalls } from "./control-plane-calls.ts";
import { FaultLog } from "./fault-log.ts";
import { runFaults, type FaultTimes } from "./fault-plan.ts";
import type { FaultName } from "./faults.ts";
import { Judge } from "./judge.ts";
import { LimitWatch } from "./limit-watch.ts";
import { waitedMs, workerdPid } from "./machine.ts";
import { courseOf, type Sample } from "./memory.ts";
import { RouteChanges } from "./route-changes.ts";
import { PERMISSIONS } from "./routes.ts";
import { Tally, type SoakResult } from "./result.ts";
import { SoakSystem, type GatewayUnderTest } from "./system.ts";
import { Tenant } from "./tenant.ts";
import { Timeline } from "./timeline.ts";
import { Upstream } from "./upstream.ts";
import { newKey, World, type Key, type Organization } from "./world.ts";

/** What is to be run. */
export interface SoakOptions {
  readonly seconds: number;
  readonly requestsPerSecond: number;
  readonly seed: number;
  readonly gateway: GatewayUnderTest;
  /** Null: nothing goes wrong. */
  readonly faults: FaultTimes | null;
  /** Settings of the control plane other than usual. */
  readonly settings: Readonly<Record<string, string>>;
  readonly sampleEveryMs: number;
  /** What comes before anything changes or memory is looked at, so that everything has taken the memory that it takes; null: it is not waited for. */
  readonly exercise: Exercise | null;
  /** Hears how it goes. */
  readonly progress: (line: string) => void;
}

/** All of it is judged like the rest. */
interface Exercise {
  /** Keys that are made and used once at every gateway, as many as one remembers: those that come later take the place of these. */
  readonly keys: number;
  /** Requests as fast as they are answered: what the runtime keeps of each grows until as much is let go as comes. */
  readonly requests: number;
}

const GATEWAYS = 3;
const TENANTS = 4;
const CELLS = 16;
const TICK_MS = 20;
/** Milliseconds between two changes of one tenant, at most. */
const REST_MS_MAX = 500;
const ROUTES_EVERY_MS = 3_000;
/** How often it is looked whether the processes get time to run, and for how much of that they may be kept from it, in ms. */
const LOOK_EVERY_MS = 1_000;
const STOOD_STILL_MS = 600;
const PROGRESS_EVERY_MS = 30_000;
/** Keys that are made, and requests that are under way, together before anything changes. */
const KEYS_AT_ONCE = 25;
const AT_ONCE = 200;

/** Runs it. */
export async function runSoak(options: SoakOptions): Promise<SoakResult> {
  await using main = await Upstream.start();
  await using spare = await Upstream.start();
  await using system = await SoakSystem.start({ gateway: options.gateway, gateways: GATEWAYS, settings: options.settings });
  if (options.exercise) await system.exerciseKv();
  // Waited for here: what it needs is stopped when this returns.
  return await new Run(options, system, { main, spare }).run();
}

class Run {
  readonly #options: SoakOptions;
  readonly #system: SoakSystem;
  readonly #upstreams: { readonly main: Upstream; readonly spare: Upstream };
  readonly #random: Random;
  readonly #world = new World();
  readonly #faults = new FaultLog();
  readonly #limits = new LimitWatch();
  readonly #tally: Tally;
  readonly #calls: ControlPlaneCalls;
  readonly #samples = new Map<string, Sample[]>();

  constructor(options: SoakOptions, system: SoakSystem, upstreams: { readonly main: Upstream; readonly spare: Upstream }) {
    this.#options = options;
    this.#tally = new Tally(options.progress);
    this.#system = system;
    this.#upstreams = upstreams;
    this.#random = new Random(options.seed);
    this.#calls = new ControlPlaneCalls(system.controlPlane, system.adminKey, this.#faults);
  }

  async run(): Promise<SoakResult> {
    const { main, spare } = this.#upstreams;
    const judge = new Judge(this.#world, this.#faults, this.#limits, [main, spare]);
    await using clients = new Clients(
      { gateways: this.#system.gateways, world: this.#world, judge, limits: this.#limits, upstream: main, judged: this.#tally.judged },
      this.#random.fork(),
    );
    const surroundings = { world: this.#world, calls: this.#calls, probe: clients.probe.bind(clients) };
    for (const slug of PERMISSIONS) await this.#calls.change("POST", "/authorization/permissions", { slug, name: slug });
    const urls = { main: main.url, spare: spare.url };
    const routes = new RouteChanges({ ...surroundings, random: this.#random.fork(), upstreams: urls });
    await routes.publish();
    const tenants: Tenant[] = [];
    for (let at = 0; at < TENANTS; at += 1)
      tenants.push(await Tenant.settle(`tenant-${at}`, { ...surroundings, random: this.#random.fork() }));
    if (this.#options.exercise) await this.#exercise(clients, this.#options.exercise);
    await this.#during(clients, tenants, routes);
    await clients.finish();
    return this.#result();
  }

  /** Has gateways and runtime take the memory that they take, before anything changes. */
  async #exercise(clients: Clients, { keys, requests }: Exercise): Promise<void> {
    const { progress } = this.#options;
    const over = new AbortController();
    const watching = this.#watchMachine(over.signal);
    try {
      progress(`before anything changes: ${keys} keys and ${requests} requests, until memory is what it stays at`);
      const crowd = await this.#calls.change("POST", "/organizations", { name: "crowd" });
      const organization: Organization = { id: String(crowd["id"]), isRunning: new Timeline(true) };
      for (let left = keys; left > 0; left -= KEYS_AT_ONCE) {
        await Promise.all(Array.from({ length: KEYS_AT_ONCE }, async () => clients.probe(await this.#keyOf(organization))));
        await clients.finish();
      }
      progress(`${keys} keys made: ${this.#tally.line()}`);
      for (let left = requests; left > 0; left -= AT_ONCE) {
        for (let sent = 0; sent < AT_ONCE; sent += 1) clients.sendAny();
        await clients.finish();
      }
    } finally {
      over.abort();
      await watching;
    }
  }

  async #keyOf(organization: Organization): Promise<Key> {
    const permissions = [...PERMISSIONS];
    const made = await this.#calls.change("POST", `/organizations/${organization.id}/api_keys`, { name: "Crowd", permissions });
    return newKey({ id: String(made["id"]), value: String(made["value"]), organization, permissions });
  }

  async #during(clients: Clients, tenants: readonly Tenant[], routes: RouteChanges): Promise<void> {
    const over = new AbortController();
    const { signal } = over;
    const timer = setTimeout(() => over.abort(), this.#options.seconds * 1_000);
    const until = async (act: () => Promise<void>, restMs: () => number) => {
      while (!signal.aborted) {
        // It has been noted; there is no going on from here.
        await act().catch((error: unknown) => over.abort(error));
        await sleep(restMs(), undefined, { signal }).catch(() => {});
      }
    };
    const rests = this.#random.fork();
    try {
      await Promise.all([
        until(this.#pace(clients), () => TICK_MS),
        ...tenants.map((tenant) =>
          until(
            () => tenant.act(),
            () => rests.between(0, REST_MS_MAX),
          ),
        ),
        until(
          () => routes.act(),
          () => ROUTES_EVERY_MS,
        ),
        until(
          () => this.#sample(),
          () => this.#options.sampleEveryMs,
        ),
        until(
          async () => this.#options.progress(this.#tally.line()),
          () => PROGRESS_EVERY_MS,
        ),
        this.#sufferUntil(signal),
        this.#watchMachine(signal),
      ]);
    } finally {
      clearTimeout(timer);
      over.abort();
      await this.#suffer(new Set());
    }
  }

  /** So many requests a second, however late a tick comes; what cannot be caught up with within a second is left out. */
  #pace(clients: Clients): () => Promise<void> {
    const { requestsPerSecond } = this.#options;
    let sinceMs = Date.now();
    let due = 0;
    return async () => {
      const nowMs = Date.now();
      due = Math.min(due + ((nowMs - sinceMs) * requestsPerSecond) / 1_000, requestsPerSecond);
      sinceMs = nowMs;
      for (; due >= 1; due -= 1) clients.sendAny();
    };
  }

  async #sufferUntil(over: AbortSignal): Promise<void> {
    const { faults, progress } = this.#options;
    const sufferers = { log: this.#faults, suffer: (active: ReadonlySet<FaultName>) => this.#suffer(active), progress };
    if (faults) await runFaults(faults, sufferers, this.#random.fork(), over);
  }

  /** Notes when workerd, or this process, was ready to run and was not given the time. */
  async #watchMachine(over: AbortSignal): Promise<void> {
    const pid = await workerdPid();
    let [atMs, waited] = [Date.now(), await waitedMs(pid)];
    while (!over.aborted) {
      await sleep(LOOK_EVERY_MS, undefined, { signal: over }).catch(() => {});
      const [nowMs, nowWaited] = [Date.now(), await waitedMs(pid)];
      const isLate = nowMs - atMs - LOOK_EVERY_MS > STOOD_STILL_MS || nowWaited - waited > STOOD_STILL_MS;
      if (isLate) this.#faults.note("machine_stood_still", { fromMs: atMs, toMs: nowMs });
      [atMs, waited] = [nowMs, nowWaited];
    }
  }

  async #suffer(active: ReadonlySet<FaultName>): Promise<void> {
    await Promise.all([this.#system.suffer(active), this.#upstreams.main.suffer(active)]);
  }

  async #sample(): Promise<void> {
    const atMs = Date.now();
    for (const [name, bytes] of Object.entries(await this.#system.memory())) {
      // Not every operating system tells.
      if (Number.isNaN(bytes)) continue;
      const samples = this.#samples.get(name) ?? [];
      samples.push({ atMs, bytes });
      this.#samples.set(name, samples);
    }
  }

  async #result(): Promise<SoakResult> {
    return {
      seed: this.#options.seed,
      seconds: this.#options.seconds,
      tally: this.#tally,
      changes: { acknowledged: this.#calls.acknowledged, repeated: this.#calls.repeated, unexplained: this.#calls.unexplained },
      faults: this.#faults.counts(),
      limits: { breaches: this.#limits.breaches(), counts: (kind) => this.#limits.counts(kind) },
      memory: new Map([...this.#samples].map(([name, samples]) => [name, courseOf(samples)])),
      brokenChains: await this.#calls.brokenChains(CELLS),
    };
  }
}
