/**
 * The whole system with its state on disk, made to be killed: SIGKILL to the real workerd process, then a new one on the
 * same folder. Everything is gone at the end: the processes, the folder, the upstream.
 */
import type { ChildProcess } from "node:child_process";
import diagnostics from "node:diagnostics_channel";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { decodeBase64Url } from "../../control-plane/configuration.ts";
import { tagKeysOf } from "../../core/configuration.ts";
import type { TagKeys } from "../../core/token.ts";
import { startPlatform, type Platform } from "../../local/platform.ts";
import { makeSecrets } from "../../local/secrets.ts";
import { SHORT_LEASES } from "../system.ts";

/** One installation over many lives of its workerd. */
export class KillableSystem implements AsyncDisposable {
  readonly #secrets = makeSecrets();
  readonly #folder: string;
  readonly #upstream: Server;
  #platform: Platform | undefined;
  #workerd: ChildProcess | undefined;
  #isOver = false;

  private constructor(folder: string, upstream: Server) {
    this.#folder = folder;
    this.#upstream = upstream;
  }

  /** A running system in which nothing has been set up. */
  static async create(): Promise<KillableSystem> {
    const upstream = createServer((_, response) => response.end("{}")).listen(0, "127.0.0.1");
    await once(upstream, "listening");
    const system = new KillableSystem(await mkdtemp(path.join(tmpdir(), "portcullis-fault-")), upstream);
    try {
      await system.start();
      return system;
    } catch (error) {
      await system[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** False from just before the SIGKILL until the system answers again. */
  get isUp(): boolean {
    return this.#platform !== undefined;
  }

  get controlPlane(): URL {
    return this.#running().controlPlane;
  }

  get gateway(): URL {
    return this.#running().gateway;
  }

  /** Where the routes lead. Outlives every workerd, so that the route table stays right. */
  get upstream(): string {
    return `http://127.0.0.1:${(this.#upstream.address() as AddressInfo).port}`;
  }

  get bootstrapSecret(): string {
    return this.#secrets.controlPlane.BOOTSTRAP_SECRET;
  }

  get tagKeys(): TagKeys {
    return tagKeysOf(this.#secrets.gateway.TAG_KEYS, decodeBase64Url);
  }

  /** KV itself, past the gateway: looking must not mend anything. */
  keys() {
    return this.#running().miniflare.getKVNamespace("KEYS", "portcullis-gateway");
  }

  /** Starts workerd on what the one before has left on disk. Ports are new each time. */
  async start(): Promise<void> {
    const children: ChildProcess[] = [];
    const note = (message: unknown) => void children.push((message as { readonly process: ChildProcess }).process);
    diagnostics.subscribe("child_process", note);
    try {
      this.#platform = await startPlatform({
        ports: { gateway: 0, controlPlane: 0, exampleApi: 0 },
        stateDirectory: this.#folder,
        bindings: { ...this.#secrets, controlPlane: { ...this.#secrets.controlPlane, ...SHORT_LEASES } },
      });
    } finally {
      diagnostics.unsubscribe("child_process", note);
    }
    const workerds = children.filter(({ spawnfile }) => path.basename(spawnfile).startsWith("workerd"));
    // A test that was given up may still be restarting the system.
    if (this.#isOver) await this[Symbol.asyncDispose]();
    if (workerds.length !== 1) throw new Error(`expected to have started one workerd, not ${workerds.length}`);
    this.#workerd = workerds[0];
  }

  /** Ends workerd in the middle of whatever it is doing. The signal has been sent when this returns its promise; the process is gone when that resolves. */
  async kill(): Promise<void> {
    const { miniflare } = this.#running();
    const workerd = this.#workerd;
    this.#platform = undefined;
    if (workerd?.exitCode !== null || workerd.signalCode !== null) throw new Error("workerd had ended before it was killed");
    const gone = once(workerd, "exit");
    workerd.kill("SIGKILL");
    // In the same turn: Miniflare would answer the death of workerd with a restart of its own.
    const disposed = miniflare.dispose();
    await Promise.all([gone, disposed]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    const platform = this.#platform;
    this.#platform = undefined;
    await platform?.stop();
    this.#upstream.closeAllConnections();
    this.#upstream.close();
    await rm(this.#folder, { recursive: true, force: true });
  }

  #running(): Platform {
    if (!this.#platform) throw new Error("the system is down");
    return this.#platform;
  }
}
