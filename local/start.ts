/** `npm start`: everything on this machine, seeded and explained. On SIGINT, SIGTERM and SIGHUP Miniflare ends workerd and this process. */
import net from "node:net";
import { forgetInstallation, noteInstallation, readInstallation, STATE_DIRECTORY } from "./installation.ts";
import { HELP, OptionError, startOptions, type StartOptions } from "./options.ts";
import { startPlatform, type Platform } from "./platform.ts";
import { callApi } from "./api-client.ts";
import { localSecrets } from "./secrets.ts";
import { exampleRoutes, firstAdminKey, seed, type Seeded } from "./seed.ts";
import { transcriptText } from "./transcript.ts";

async function main(): Promise<void> {
  const options = startOptions(process.argv.slice(2));
  if (options.help) return console.log(HELP);
  for (const [name, port] of Object.entries(options.ports)) await requireFreePort(port, name);
  if (options.reset) forgetInstallation();
  console.log("Starting the gateway, the control plane and an example API on one workerd …");
  let seeding = true;
  const platform = await startPlatform({
    ports: options.ports,
    stateDirectory: STATE_DIRECTORY,
    bindings: localSecrets(),
    log: (line) => seeding || console.log(line),
  });
  const seeded = await prepare(platform, options);
  noteInstallation({ ...seeded, gateway: platform.gateway.href, controlPlane: platform.controlPlane.href });
  console.log(transcriptText(platform, seeded));
  seeding = false;
}

/** Seeds a fresh installation; on a later start only the upstream address may have changed. */
async function prepare(platform: Platform, options: StartOptions): Promise<Seeded> {
  const upstream = `http://127.0.0.1:${options.ports.exampleApi}`;
  const known = readInstallation();
  if (!known)
    return seed(
      platform.controlPlane,
      await firstAdminKey(platform.controlPlane, localSecrets().controlPlane["BOOTSTRAP_SECRET"] ?? ""),
      upstream,
    );
  const table = await callApi(platform.controlPlane, known.adminKey, "GET", "/routes");
  const stale = !JSON.stringify(table["routes"]).includes(`"${upstream}"`);
  if (stale) await callApi(platform.controlPlane, known.adminKey, "PUT", "/routes", { routes: exampleRoutes(upstream) });
  return known;
}

async function requireFreePort(port: number, name: string): Promise<void> {
  const free = await new Promise<boolean>((resolve) => {
    const probe = net.createServer().once("error", () => resolve(false));
    probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(true)));
  });
  const option = { gateway: "--gateway-port", controlPlane: "--control-plane-port", exampleApi: "--api-port" }[name] ?? "";
  if (!free)
    throw new OptionError(
      `Port ${port} is taken by another program. Stop that one, or choose another port: npm start -- ${option} ${port + 1000}`,
    );
}

try {
  await main();
} catch (error) {
  console.error(
    error instanceof OptionError
      ? error.message
      : `Could not start: ${error instanceof Error ? error.message : String(error)}\nIf the local state is damaged, begin anew: npm start -- --reset`,
  );
  process.exit(1);
}
