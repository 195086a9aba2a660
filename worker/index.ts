/** The gateway Worker. */
import { env } from "cloudflare:workers";
import { gatewayConfiguration } from "./configuration.ts";
import { Gateway } from "./gateway.ts";
import { platformPorts, type GatewayBindings } from "./platform-ports.ts";

const gateway = new Gateway(gatewayConfiguration(env), platformPorts(env as unknown as GatewayBindings));

export default {
  fetch: (request: Request): Promise<Response> => gateway.handle(request),
};
