/** What stands in the way of deploying the Workers, as far as can be told without an account: each is built as `wrangler deploy` would build it. */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { unstable_readConfig as readConfig } from "wrangler";
import { z } from "zod";

/** The Workers, by the path of each one's configuration. */
export interface Deployment {
  readonly gateway: string;
  readonly controlPlane: string;
  /** The API that comes with Portcullis to try it; it shares nothing with the others. */
  readonly exampleApi: string;
}

/** What of a configuration is compared. */
const configurationSchema = z.object({
  name: z.string(),
  vars: z.record(z.string(), z.unknown()),
  kv_namespaces: z.array(z.object({ binding: z.string(), id: z.string().optional() })),
  services: z.array(z.object({ binding: z.string(), service: z.string(), entrypoint: z.string().optional() })).default([]),
});
type Configuration = z.output<typeof configurationSchema>;
type Part = keyof Deployment;

const PARTS: readonly Part[] = ["gateway", "controlPlane", "exampleApi"];
/** Settings that must be the same at both Workers: by them the one reads what the other writes. */
const SHARED_SETTINGS = ["TOKEN_PREFIX", "CELLS", "ACCEPTED_ENVIRONMENTS"] as const;
/** Bytes a Worker may have when compressed, on the paid plan. */
const COMPRESSED_MAX = 10 * 1024 * 1024;
const WRANGLER = path.resolve(import.meta.dirname, "../node_modules/wrangler/bin/wrangler.js");

/** What a build came to. */
interface Built {
  readonly faults: readonly string[];
  /** Names that the Worker exports, entrypoints among them. */
  readonly exported: ReadonlySet<string>;
}

/** Every fault there is, in sentences; none: the Workers can be deployed. Asks nobody over the network. */
export async function deployFaults(deployment: Deployment): Promise<string[]> {
  const built = await Promise.all(PARTS.map((part) => build(deployment[part])));
  const faults = built.flatMap((each) => each.faults);
  if (faults.length > 0) return faults;
  const configurations = { gateway: read(deployment.gateway), controlPlane: read(deployment.controlPlane) };
  const exported = built[PARTS.indexOf("controlPlane")]?.exported ?? new Set();
  return [...sharedFaults(configurations), ...entrypointFaults(configurations, exported)];
}

const metafileSchema = z.object({ outputs: z.record(z.string(), z.object({ exports: z.array(z.string()) })) });

/** Builds one Worker; wrangler also looks for the classes of its Durable Objects. A warning is a fault: most are settings that the platform would pass over. */
async function build(configuration: string): Promise<Built> {
  const folder = mkdtempSync(path.join(tmpdir(), "portcullis-deploy-"));
  try {
    const { status, output } = await dryRun(configuration, folder);
    if (status !== 0 || output !== "")
      return { faults: [`${configuration}: ${output || `wrangler ended with ${status}`}`], exported: new Set() };
    const { outputs } = metafileSchema.parse(JSON.parse(readFileSync(path.join(folder, "bundle-meta.json"), "utf8")));
    const size = gzipSync(readFileSync(path.join(folder, "index.js"))).length;
    const faults =
      size > COMPRESSED_MAX ? [`${configuration}: ${size} bytes when compressed, of which the platform takes ${COMPRESSED_MAX}`] : [];
    return { faults, exported: new Set(Object.values(outputs).flatMap((each) => each.exports)) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Without a login, without a word to anybody, and without anything of this machine's user. */
function dryRun(configuration: string, folder: string): Promise<{ readonly status: number | null; readonly output: string }> {
  const args = [WRANGLER, "deploy", "--dry-run", "--config", configuration, "--outdir", folder, "--metafile"];
  const env = {
    PATH: process.env["PATH"],
    HOME: folder,
    XDG_CONFIG_HOME: folder,
    CI: "true",
    WRANGLER_SEND_METRICS: "false",
    WRANGLER_HIDE_BANNER: "true",
    WRANGLER_LOG: "warn",
    NO_COLOR: "1",
  };
  const child = spawn(process.execPath, args, { env, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text: string) => (output += text));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (status) => resolve({ status, output: output.trim() }));
  });
}

function read(config: string): Configuration {
  return configurationSchema.parse(readConfig({ config }));
}

type Both = Readonly<Record<"gateway" | "controlPlane", Configuration>>;

function sharedFaults({ gateway, controlPlane }: Both): string[] {
  const faults = SHARED_SETTINGS.filter((name) => gateway.vars[name] !== controlPlane.vars[name]).map(
    (name) => `${name} must be the same at both Workers`,
  );
  const namespaces = [gateway, controlPlane].map(({ kv_namespaces }) => kv_namespaces.find(({ binding }) => binding === "KEYS")?.id);
  return namespaces[0] === namespaces[1] ? faults : [...faults, "KEYS must be the same KV namespace at both Workers"];
}

/** The gateway must find what it is bound to. */
function entrypointFaults({ gateway, controlPlane }: Both, exported: ReadonlySet<string>): string[] {
  return gateway.services
    .filter(({ service }) => service === controlPlane.name)
    .filter(({ entrypoint }) => entrypoint === undefined || !exported.has(entrypoint))
    .map(
      ({ binding, entrypoint }) =>
        `${binding}: the control plane has no entrypoint ${entrypoint ?? "without a name that gateways may use"}`,
    );
}
