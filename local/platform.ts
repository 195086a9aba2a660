/** The whole system on one workerd: gateway, control plane and example API, each on its own loopback port. */
import path from "node:path";
import { build } from "esbuild";
import { convertV4MiniflareOptions, Log, LogLevel, Miniflare } from "miniflare";
import { unstable_getMiniflareWorkerOptions as workerOptionsOf } from "wrangler";
import { assertionKeysSetting, publicKeySet } from "../worker/assertion-keys.ts";
import { freePort } from "./free-ports.ts";
import type { Ports } from "./options.ts";

/** A running system. */
export interface Platform {
  readonly gateway: URL;
  readonly controlPlane: URL;
  readonly exampleApi: URL;
  readonly miniflare: Miniflare;
  /** Stops everything; nothing is left behind. */
  stop(): Promise<void>;
}

/** What can be chosen when starting. */
export interface PlatformOptions {
  readonly ports: Ports;
  /** Folder for KV and ledgers; absent: in memory, gone at the end. */
  readonly stateDirectory?: string;
  /** Settings and secrets by Worker, over those in wrangler.toml and .dev.vars. */
  readonly bindings: Readonly<Record<"gateway" | "controlPlane", Readonly<Record<string, string>>>>;
  /** Where the isolates can be inspected, which slows them down a little; 0 picks a free port; absent: nowhere. */
  readonly inspectorPort?: number;
  /** Takes the Workers' log lines; absent: they are dropped. */
  readonly log?: (line: string) => void;
}

// No telemetry, no look-up of where this machine is, no chatter.
process.env["WRANGLER_SEND_METRICS"] = "false";
process.env["CLOUDFLARE_CF_FETCH_ENABLED"] = "false";
process.env["WRANGLER_LOG"] = "error";

const ROOT = path.resolve(import.meta.dirname, "..");
const CONFIGURATIONS = {
  gateway: "wrangler.toml",
  controlPlane: "control-plane/wrangler.toml",
  exampleApi: "example-api/wrangler.toml",
} as const;
const NAMES = { gateway: "portcullis-gateway", controlPlane: "portcullis-control-plane", exampleApi: "portcullis-example-api" } as const;

/** Settings in a Worker's wrangler.toml, as the platform would bind them. */
export function settingsOf(name: keyof typeof CONFIGURATIONS): Record<string, string> {
  const { workerOptions } = workerOptionsOf(path.join(ROOT, CONFIGURATIONS[name]));
  return workerOptions["bindings"] as Record<string, string>;
}

/** Bundles the Workers and starts them. */
export async function startPlatform(options: PlatformOptions): Promise<Platform> {
  const { ports, bindings } = options;
  const apiPort = ports.exampleApi === 0 ? await freePort() : ports.exampleApi;
  const workers = await Promise.all([
    worker("gateway", ports.gateway, { REGION: "local", ...bindings.gateway }),
    worker("controlPlane", ports.controlPlane, bindings.controlPlane),
    worker("exampleApi", apiPort, {
      PORTCULLIS_AUDIENCE: `http://127.0.0.1:${apiPort}`,
      PORTCULLIS_KEY_SET: publicKeySetOf(bindings.gateway),
    }),
  ]);
  const { stateDirectory: persist, inspectorPort } = options;
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      workers,
      log: new Log(LogLevel.NONE),
      handleStructuredLogs: ({ message }) => options.log?.(message),
      ...(persist !== undefined && { resourcePersistencePath: persist }),
      ...(inspectorPort !== undefined && { inspectorPort }),
    }),
  );
  await miniflare.ready;
  const url = (name: keyof typeof NAMES) => miniflare.unsafeGetDirectURL(NAMES[name]);
  return {
    gateway: await url("gateway"),
    controlPlane: await url("controlPlane"),
    exampleApi: await url("exampleApi"),
    miniflare,
    stop: () => miniflare.dispose(),
  };
}

/** What the example API verifies assertions with; a deployed one would fetch it from the gateway. */
function publicKeySetOf(gateway: Readonly<Record<string, string>>): string {
  return JSON.stringify(publicKeySet(assertionKeysSetting.parse(gateway["ASSERTION_KEYS"])));
}

async function worker(name: keyof typeof CONFIGURATIONS, port: number, bindings: Readonly<Record<string, string>>) {
  const { main, workerOptions } = workerOptionsOf(path.join(ROOT, CONFIGURATIONS[name]));
  if (main === undefined) throw new Error(`${CONFIGURATIONS[name]} names no main module`);
  return {
    ...workerOptions,
    name: NAMES[name],
    bindings: { ...(workerOptions["bindings"] as Record<string, string> | undefined), ...bindings },
    modules: [{ type: "ESModule" as const, path: "index.mjs", contents: await bundle(main) }],
    unsafeDirectSockets: [{ host: "127.0.0.1", port }],
  };
}

/** One module of what a Worker needs. */
export async function bundle(entry: string): Promise<string> {
  const result = await build({
    entryPoints: [entry],
    bundle: true,
    write: false,
    format: "esm",
    target: "es2024",
    external: ["cloudflare:*", "node:*"],
    conditions: ["workerd", "worker", "browser"],
    logLevel: "silent",
  });
  return result.outputFiles[0]?.text ?? "";
}
