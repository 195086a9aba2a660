/** `npm start` and `npm run demo` as a newcomer uses them, in a copy of the project with no state of its own. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import net, { type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { freePort } from "../../local/free-ports.ts";

const PROJECT = path.resolve(import.meta.dirname, "../..");
const PARTS = ["core", "platform", "worker", "control-plane", "sdk", "example-api", "local", "cli", "package.json", "wrangler.toml"];
/** 128 and the signal's number, as shells count. */
const ENDED_BY_SIGINT = 130;
const PORT_OPTIONS = ["--gateway-port", "--control-plane-port", "--api-port"];

let folder: string;
let ports: string[];
/** Whatever is still running when a test fails. */
const started = new Set<Run>();

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), "portcullis-start-"));
  for (const part of PARTS)
    cpSync(path.join(PROJECT, part), path.join(folder, part), {
      recursive: true,
      filter: (file) => !file.endsWith(".dev.vars") && path.basename(file) !== "dist",
    });
  symlinkSync(path.join(PROJECT, "node_modules"), path.join(folder, "node_modules"), "dir");
  ports = await freePorts(PORT_OPTIONS.length);
});
afterAll(() => {
  for (const run of started) run.end();
  rmSync(folder, { recursive: true, force: true });
});

/** One run of a script, in a process group of its own. */
class Run {
  output = "";
  readonly #process: ChildProcess;
  readonly ended: Promise<number | null>;

  constructor(script: string, args: readonly string[]) {
    this.#process = spawn(process.execPath, [script, ...args], { cwd: folder, detached: true, stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [this.#process.stdout, this.#process.stderr])
      stream?.setEncoding("utf8").on("data", (text: string) => (this.output += text));
    this.ended = once(this.#process, "close").then(([code]) => code as number | null);
    started.add(this);
    void this.ended.then(() => started.delete(this));
  }

  /** Waits for something to be printed; fails when the run ends before that. */
  async prints(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const found = pattern.exec(this.output);
      if (found) return found;
      const ended = await Promise.race([this.ended.then(() => true), sleep(20, false)]);
      if (ended && !pattern.test(this.output)) throw new Error(`ended without printing ${String(pattern)}:\n${this.output}`);
    }
  }

  /** Ctrl-C: a terminal sends the signal to the whole process group. */
  interrupt(): void {
    process.kill(-this.#pid(), "SIGINT");
  }

  /** Waits until no process that this run started is left; for ever if one stays. The system may take a moment to bury the dead. */
  async isGone(): Promise<void> {
    while (this.#hasProcesses()) await sleep(50);
  }

  #hasProcesses(): boolean {
    try {
      return process.kill(-this.#pid(), 0);
    } catch {
      return false;
    }
  }

  end(): void {
    if (this.#hasProcesses()) process.kill(-this.#pid(), "SIGKILL");
  }

  #pid(): number {
    const { pid } = this.#process;
    if (pid === undefined) throw new Error("the run did not start");
    return pid;
  }
}

const start = (...more: string[]) => new Run("local/start.ts", [...ports.flatMap((port, at) => [PORT_OPTIONS[at] ?? "", port]), ...more]);
const adminKeyOf = async (run: Run) => (await run.prints(/admin key +(pc_live_[0-9A-Za-z]{60})\s[^]*5\. The very next request/))[1];

async function stop(run: Run): Promise<void> {
  run.interrupt();
  expect(await run.ended, run.output).toBe(ENDED_BY_SIGINT);
  await run.isGone();
}

describe("npm start", () => {
  it("runs what its transcript promises, is still the same after a restart, and anew after --reset", async () => {
    const first = start();
    const adminKey = await adminKeyOf(first);
    const demo = new Run("local/demo.ts", []);
    expect(await demo.ended, demo.output).toBe(0);
    expect(demo.output).toContain("All answers were as expected.");
    // Neither the log nor the demo shows a whole key.
    expect(demo.output).not.toMatch(/pc_live_[0-9A-Za-z]{60}/);
    // Without being told which, it is this installation whose routes are spoken of.
    const history = new Run("cli/routes.ts", ["history"]);
    expect(await history.ended, history.output).toBe(0);
    expect(history.output).toMatch(/^\d+ {2}20\S+Z {2}api_key_\S+ {2}8 routes\n$/);

    for (const second of [start(), start("--reset")]) {
      expect(await second.ended).toBe(1);
      expect(second.output).toMatch(/^Portcullis is running here already \(process \d+\): stop it first/);
    }
    expect(await new Run("local/demo.ts", []).ended).toBe(0);
    await stop(first);
    const late = new Run("local/demo.ts", []);
    expect(await late.ended).toBe(1);
    expect(late.output).toContain("npm start");

    const again = start();
    expect(await adminKeyOf(again)).toBe(adminKey);
    await stop(again);

    const anew = start("--reset");
    expect(await adminKeyOf(anew)).not.toBe(adminKey);
    await stop(anew);
  });

  it("names every port that is taken, and what to do", async () => {
    const holder = net.createServer().listen(0, "127.0.0.1");
    await once(holder, "listening");
    const { port } = holder.address() as AddressInfo;
    const run = start("--gateway-port", String(port));
    expect(await run.ended).toBe(1);
    expect(run.output.trim()).toBe(`Port ${port} is taken by another program: choose another one with --gateway-port.`);
    holder.close();
  });

  it("names a wrong setting, and touches nothing", async () => {
    const file = path.join(folder, "wrangler.toml");
    const right = readFileSync(file, "utf8");
    writeFileSync(file, right.replace('TOKEN_PREFIX = "pc"', 'TOKEN_PREFIX = "PC"'));
    const run = start("--reset");
    expect(await run.ended).toBe(1);
    expect(run.output.trim()).toMatch(/^Wrong configuration\. TOKEN_PREFIX: must be/);
    writeFileSync(file, right);
  });

  it.each([
    [["--gateway-port", "eighty"], "'eighty' is not a port"],
    [["--gateway-port", "0"], "'0' is not a port"],
    [["--gateway-port", "65536"], "'65536' is not a port"],
    [["--gateway-port", "8788"], "The three ports must differ."],
  ])("says in one sentence what is wrong with %j", async (args, sentence) => {
    const run = new Run("local/start.ts", args);
    expect(await run.ended).toBe(1);
    expect(run.output).toContain(sentence);
    expect(run.output.trim().split("\n")).toHaveLength(1);
  });
});

/** Different ones, for programs that must be told theirs. */
async function freePorts(count: number): Promise<string[]> {
  const chosen = new Set<string>();
  while (chosen.size < count) chosen.add(String(await freePort()));
  return [...chosen];
}
