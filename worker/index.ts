/** The gateway Worker. Its settings are read when it starts, so that a wrong one is found before the first request. */
import { env } from "cloudflare:workers";
import { gatewayConfiguration, requireBindings } from "./configuration.ts";
import { createGateway } from "./gateway.ts";
import { platformPorts } from "./platform-ports.ts";

const configuration = gatewayConfiguration(env);
requireBindings(configuration, env);
const gateway = createGateway(configuration, platformPorts(env));

/** Every request goes to the gateway. */
export default {
  fetch: (request, _bindings, context) => gateway.fetch(request, context),
} satisfies ExportedHandler;
