/** The gateway Worker. */
import { env } from "cloudflare:workers";
import { gatewayConfiguration } from "./configuration.ts";
import { Gateway } from "./gateway.ts";
import { platformPorts } from "./platform-ports.ts";

const gateway = new Gateway(gatewayConfiguration(env), platformPorts(env));

export default {
  fetch: (request: Request): Promise<Response> => gateway.handle(request),
};
