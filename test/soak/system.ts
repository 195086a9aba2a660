/** What is soaked: several gateways, each an isolate of its own, before one control plane, on one workerd; all as shipped but for the fault switches. */
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { convertV4MiniflareOptions, Log, LogLevel, Miniflare } from "miniflare";
import { unstable_getMiniflareWorkerOptions as workerOptionsOf } from "wrangler";
import { bundle } from "../../local/platform.ts";
import { makeSecrets } from "../../local/secrets.ts";
import { firstAdminKey } from "../../local/seed.ts";
import { Inspector } from "../inspector.ts";
import type { FaultName } from "./faults.ts";
import { residentBytes, workerdPid } from "./machine.ts";

/** Which gateway: the one that is shipped; or one that is wrong, to see that it is found. */
export type GatewayUnderTest = "shipped" | "leaking" | "ttl60";

interface SystemOptions {
  readonly gateway: GatewayUnderTest;
  readonly gateways: number;
  /** Settings of the control plane other than usual. */
  readonly settings: Readonly<Record<string, string>>;
}

const ROOT = path.resolve(import.meta.dirname, "../..");
const ENTRIES: Readonly<Record<GatewayUnderTest, string>> = {
  shipped: "test/soak/workers/gateway.ts",
  leaking: "test/soak/workers/leaking-gateway.ts",
  ttl60: "test/bench/workers/ttl60.ts",
};
/** Where files are in memory, if there is such a place: workerd stands still while this machine's disk confirms a commit, which Cloudflare's does not. */
const FOLDER = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();
const CONTROL_PLANE = "portcullis-control-plane";
const SWITCH = "FaultSwitch";
const WAKE_EVERY_MS = 20;
/** How often KV is written and read at once, and by how many bytes the process may grow meanwhile when all is taken; and how often that is tried. */
const EXERCISE = { times: 500, rounds: 16, bytes: 2_000_000, most: 20 } as const;

/** A running one. */
export class SoakSystem implements AsyncDisposable {
  readonly #miniflare: Miniflare;
  readonly #folder: string;
  readonly #switches: readonly URL[];
  readonly gateways: readonly URL[];
  readonly controlPlane: URL;
  readonly adminKey: string;

  private constructor(
    parts: Pick<SoakSystem, "gateways" | "controlPlane" | "adminKey">,
    miniflare: Miniflare,
    folder: string,
    switches: readonly URL[],
  ) {
    this.gateways = parts.gateways;
    this.controlPlane = parts.controlPlane;
    this.adminKey = parts.adminKey;
    this.#miniflare = miniflare;
    this.#folder = folder;
    this.#switches = switches;
  }

  /** Starts one that holds nothing but its first key. Its state is in files, so that it is not taken for memory. */
  static async start({ gateway, gateways, settings }: SystemOptions): Promise<SoakSystem> {
    const secrets = makeSecrets();
    const names = Array.from({ length: gateways }, (_, at) => `gateway-${at}`);
    const folder = await mkdtemp(path.join(FOLDER, "portcullis-soak-"));
    // What is wrong on purpose has no switches.
    const switched = [...(gateway === "ttl60" ? [] : names), CONTROL_PLANE];
    const workers = await Promise.all([
      ...names.map((name) =>
        worker(name, "wrangler.toml", ENTRIES[gateway], { REGION: "local", REPLICAS_PER_REGION: "2", ...secrets.gateway }),
      ),
      worker(CONTROL_PLANE, "control-plane/wrangler.toml", "test/soak/workers/control-plane.ts", {
        CALLER_REQUESTS_PER_MINUTE: "1000000",
        ...settings,
        ...secrets.controlPlane,
      }),
    ]);
    const miniflare = new Miniflare(
      convertV4MiniflareOptions({
        workers: workers.map((each) => ({ ...each, unsafeDirectSockets: socketsOf(switched.includes(each.name)) })),
        log: new Log(LogLevel.NONE),
        handleStructuredLogs: () => {},
        resourcePersistencePath: folder,
        inspectorPort: 0,
      }),
    );
    await miniflare.ready;
    const controlPlane = await miniflare.unsafeGetDirectURL(CONTROL_PLANE);
    const parts = {
      gateways: await Promise.all(names.map((name) => miniflare.unsafeGetDirectURL(name))),
      controlPlane,
      adminKey: await firstAdminKey(controlPlane, secrets.controlPlane.BOOTSTRAP_SECRET),
    };
    const switches = await Promise.all(switched.map((name) => miniflare.unsafeGetDirectURL(name, SWITCH)));
    return new SoakSystem(parts, miniflare, folder, switches);
  }

  /** Which faults are to be on in the Workers. */
  async suffer(active: Iterable<FaultName>): Promise<void> {
    const body = JSON.stringify([...active]);
    await Promise.all(this.#switches.map(async (url) => (await fetch(url, { method: "PUT", body })).arrayBuffer()));
  }

  /**
   * Has the local KV take the memory that it is going to take. It is no isolate of ours, keeps hundreds of megabytes of garbage before it collects
   * any, and would get there in hours, which could not be told from a leak.
   */
  async exerciseKv(): Promise<void> {
    for (let left = EXERCISE.most, before = 0; left > 0; left -= 1) {
      for (let round = 0; round < EXERCISE.rounds; round += 1)
        await (await fetch(this.#ofControlPlane, { method: "POST", body: String(EXERCISE.times) })).arrayBuffer();
      const bytes = await residentBytes(await workerdPid());
      if (!(bytes > before + EXERCISE.bytes)) return;
      before = bytes;
    }
  }

  /** How often limiters were asked so far. */
  async limiterQuestions(): Promise<number> {
    return ((await (await fetch(this.#ofControlPlane)).json()) as { readonly limiters: number }).limiters;
  }

  get #ofControlPlane(): URL {
    const last = this.#switches.at(-1);
    if (!last) throw new Error("a control plane has a switch");
    return last;
  }

  /** Bytes in use: of the isolates' heaps after their garbage was collected, and of the process. */
  async memory(): Promise<Readonly<Record<string, number>>> {
    const base = await this.#miniflare.getInspectorURL();
    const isolates = [
      ...this.gateways.map((url, at) => ({ shown: `gateway ${at}`, name: `gateway-${at}`, url })),
      { shown: "control plane", name: CONTROL_PLANE, url: this.controlPlane },
    ];
    const heaps = isolates.map(async ({ shown, name, url }) => {
      using inspector = await Inspector.of(new URL(`/core:user:${name}`, base));
      return [shown, await whileAwake(url, inspector.heapBytes())] as const;
    });
    return { ...Object.fromEntries(await Promise.all(heaps)), process: await residentBytes(await workerdPid()) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#miniflare.dispose();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

async function worker(name: string, configuration: string, entry: string, bindings: Readonly<Record<string, string>>) {
  const { workerOptions } = workerOptionsOf(path.join(ROOT, configuration));
  const settings = workerOptions["bindings"] as Record<string, string> | undefined;
  const contents = await bundle(path.join(ROOT, entry));
  return {
    ...workerOptions,
    name,
    bindings: { ...settings, ...bindings },
    modules: [{ type: "ESModule" as const, path: "index.mjs", contents }],
  };
}

function socketsOf(isSwitched: boolean) {
  const socket = { host: "127.0.0.1", port: 0 };
  return isSwitched ? [socket, { ...socket, entrypoint: SWITCH }] : [socket];
}

/** An isolate collects its garbage when it has something to do. */
async function whileAwake<Value>(url: URL, value: Promise<Value>): Promise<Value> {
  const state = { isOver: false };
  const over = value.finally(() => (state.isOver = true));
  for (; !state.isOver; await sleep(WAKE_EVERY_MS)) await (await fetch(url)).arrayBuffer();
  return over;
}
