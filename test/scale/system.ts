/** The system that is measured: in files, so that it can be started again with all that there is, and with its memory to be looked at. */
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { recordName } from "../../core/record.ts";
import { TOKEN_ID_LENGTH } from "../../core/token.ts";
import { startPlatform, type Platform } from "../../local/platform.ts";
import { makeSecrets } from "../../local/secrets.ts";
import { firstAdminKey, seed } from "../../local/seed.ts";
import { Inspector } from "../inspector.ts";
import { SHORT_LEASES } from "../system.ts";
import { Client } from "./client.ts";

/** Where files are in memory, if there is such a place: how long this machine's disk takes to confirm a commit is not what is measured. */
const FOLDER = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();
const BYTES_PER_MB = 1_000_000;
const CONTROL_PLANE = "portcullis-control-plane";

/** The most that was seen of what the control plane's isolate, with all Durable Objects in it and garbage included, and its process held. */
export interface Memory {
  readonly heapMb: number;
  readonly residentMb: number;
}

/** How often it is looked at, in ms. */
const LOOK_EVERY_MS = 200;

/** A seeded system. */
export class MeasuredSystem implements AsyncDisposable {
  readonly #folder: string;
  readonly #secrets = makeSecrets();
  #adminKey = "";
  #platform: Platform | undefined;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** Starts and seeds one. */
  static async create(): Promise<MeasuredSystem> {
    const system = new MeasuredSystem(await mkdtemp(path.join(FOLDER, "portcullis-scale-")));
    await system.start();
    const { controlPlane } = system.#running();
    system.#adminKey = await firstAdminKey(controlPlane, system.#secrets.controlPlane.BOOTSTRAP_SECRET);
    await seed(controlPlane, system.#adminKey, "http://127.0.0.1:9");
    return system;
  }

  /** Starts on what is in the files. */
  async start(): Promise<void> {
    this.#platform = await startPlatform({
      ports: { gateway: 0, controlPlane: 0, exampleApi: 0 },
      stateDirectory: this.#folder,
      inspectorPort: 0,
      bindings: { ...this.#secrets, controlPlane: { ...this.#secrets.controlPlane, ...SHORT_LEASES } },
    });
  }

  /** Stops what runs; the files stay. */
  async stop(): Promise<void> {
    await this.#platform?.stop();
    this.#platform = undefined;
  }

  /** Calls what runs now. */
  get client(): Client {
    return new Client(this.#running().controlPlane, this.#adminKey);
  }

  /** Until KV has the records of a token: those of all tokens from before it are there, too, so that nothing goes on by itself. */
  async untilPublished(token: string): Promise<void> {
    const keys = await this.#running().miniflare.getKVNamespace("KEYS", "portcullis-gateway");
    const tokenId = token.slice(token.lastIndexOf("_") + 1).slice(0, TOKEN_ID_LENGTH);
    while ((await keys.get(recordName(tokenId))) === null) await new Promise((resolve) => setTimeout(resolve, 100));
  }

  /** Looks at the memory again and again while something is done. */
  async memoryDuring(work: () => Promise<void>): Promise<Memory> {
    const { miniflare } = this.#running();
    using inspector = await Inspector.of(new URL(`/core:user:${CONTROL_PLANE}`, await miniflare.getInspectorURL()));
    let [heap, resident] = [0, 0];
    const look = async () => {
      heap = Math.max(heap, await inspector.usedBytes());
      resident = Math.max(resident, await residentBytesOfWorkerd());
    };
    const over = new AbortController();
    const looking = (async () => {
      for (; !over.signal.aborted; await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS))) await look();
    })();
    await work().finally(() => over.abort());
    await looking;
    return { heapMb: heap / BYTES_PER_MB, residentMb: resident / BYTES_PER_MB };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await rm(this.#folder, { recursive: true, force: true });
  }

  #running(): Platform {
    if (!this.#platform) throw new Error("the system is down");
    return this.#platform;
  }
}

/** Of the workerd that this process has started, as Linux tells it; NaN elsewhere. */
async function residentBytesOfWorkerd(): Promise<number> {
  for (const pid of (await readdir("/proc").catch(() => [])).filter((name) => /^\d+$/.test(name))) {
    const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
    if (status.startsWith("Name:\tworkerd") && status.includes(`\nPPid:\t${process.pid}\n`))
      return Number(/\nVmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
  }
  return Number.NaN;
}
