/** Running everything on this machine. On SIGINT, SIGTERM and SIGHUP Miniflare ends workerd and this process. */
import { controlPlaneConfiguration } from "../control-plane/configuration.ts";
import { gatewayConfiguration } from "../worker/configuration.ts";
import { callApi } from "./api-client.ts";
import { forgetInstallation, noteInstallation, readInstallation, STATE_DIRECTORY } from "./installation.ts";
import type { StartOptions } from "./options.ts";
import { settingsOf, startPlatform, type Platform } from "./platform.ts";
import { localSecrets, type LocalSecrets } from "./secrets.ts";
import { exampleRoutes, firstAdminKey, seed, type Seeded } from "./seed.ts";
import { transcriptText } from "./transcript.ts";

/** Starts everything and prints the transcript. Throws a ConfigurationError before it touches anything. */
export async function run(options: StartOptions): Promise<void> {
  const secrets = localSecrets();
  requireRightSettings(secrets);
  if (options.reset) forgetInstallation();
  console.log("Starting the gateway, the control plane and an example API on one workerd …");
  let seeding = true;
  const platform = await startPlatform({
    ports: options.ports,
    stateDirectory: STATE_DIRECTORY,
    bindings: secrets,
    log: (line) => seeding || console.log(line),
  });
  const seeded = await prepare(platform, options, secrets);
  noteInstallation({ ...seeded, gateway: platform.gateway.href, controlPlane: platform.controlPlane.href });
  console.log(transcriptText(platform, seeded));
  seeding = false;
}

/** Reads the settings as the Workers will, so that a wrong one is told in a sentence. */
function requireRightSettings(secrets: LocalSecrets): void {
  gatewayConfiguration({ ...settingsOf("gateway"), ...secrets.gateway });
  controlPlaneConfiguration({ ...settingsOf("controlPlane"), ...secrets.controlPlane });
}

/** Seeds a fresh installation; on a later start only the upstream address may have changed. */
async function prepare(platform: Platform, options: StartOptions, secrets: LocalSecrets): Promise<Seeded> {
  const { controlPlane } = platform;
  const upstream = `http://127.0.0.1:${options.ports.exampleApi}`;
  const known = readInstallation();
  if (!known) return seed(controlPlane, await firstAdminKey(controlPlane, secrets.controlPlane["BOOTSTRAP_SECRET"] ?? ""), upstream);
  const table = await callApi(controlPlane, known.adminKey, "GET", "/routes");
  const stale = !JSON.stringify(table["routes"]).includes(`"${upstream}"`);
  if (stale) await callApi(controlPlane, known.adminKey, "PUT", "/routes", { routes: exampleRoutes(upstream) });
  return known;
}
