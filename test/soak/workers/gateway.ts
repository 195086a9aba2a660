/** The gateway as shipped, with KV behind the fault switches. */
import { env } from "cloudflare:workers";
import { gatewayConfiguration, requireBindings } from "../../../worker/configuration.ts";
import { createGateway } from "../../../worker/gateway.ts";
import { platformPorts } from "../../../worker/platform-ports.ts";
import { failDuring, isOn } from "./fault-switch.ts";

export { FaultSwitch } from "./fault-switch.ts";

/** Longer than a gateway waits for KV. */
const SLOW_MS = 1_500;

const configuration = gatewayConfiguration(env);
requireBindings(configuration, env);
const ports = platformPorts(env);
const gateway = createGateway(configuration, { ...ports, readKv });

async function readKv(name: string): Promise<string | null> {
  failDuring("kv_reads_fail");
  if (isOn("kv_reads_slow")) await scheduler.wait(SLOW_MS);
  return isOn("kv_reads_miss") ? null : ports.readKv(name);
}

export default {
  fetch: (request, _bindings, context) => gateway.fetch(request, context),
} satisfies ExportedHandler;
